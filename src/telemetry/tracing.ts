import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { SpanEnd, SpanToStart, Tracing } from '../base/tracing.ts'

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL }

/** Traces by a tracer of the SDK. What is under way each asynchronous call has with it; nothing is global. */
export function createTracing(tracer: Tracer): Tracing {
  const underWay = new AsyncLocalStorage<Context>()
  const propagator = new W3CTraceContextPropagator()
  const parentOf = ({ parent }: SpanToStart): Context => {
    if (parent === undefined) return underWay.getStore() ?? ROOT_CONTEXT
    const carrier = Object.fromEntries(
      Object.entries(parent).filter(([, value]) => value !== undefined),
    )
    return propagator.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter)
  }
  return {
    async span<T>(toStart: SpanToStart, run: () => Promise<T>, describe?: (value: T) => SpanEnd) {
      const parent = parentOf(toStart)
      const { name, kind, attributes = {} } = toStart
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, parent)
      try {
        const value = await underWay.run(trace.setSpan(parent, span), run)
        const end = describe?.(value) ?? {}
        if (end.name !== undefined) span.updateName(end.name)
        span.setAttributes({ ...end.attributes })
        if (end.isFault === true) span.setStatus({ code: SpanStatusCode.ERROR })
        return value
      } catch (error) {
        // The kind of the fault and no more: a message may quote what somebody sent.
        const type = error instanceof Error ? error.name : 'unknown'
        span.setAttribute('error.type', type)
        span.setStatus({ code: SpanStatusCode.ERROR })
        throw error
      } finally {
        span.end()
      }
    },
  }
}
