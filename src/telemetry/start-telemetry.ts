import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Registry } from 'prom-client'
import type { Tracing } from '../base/tracing.ts'
import type { TelemetryConfig } from '../config/telemetry-settings.ts'
import { createMetricProducer } from './metrics-producer.ts'
import { createTracing } from './tracing.ts'

export type Telemetry = {
  /** Absent where traces are not sent. */
  readonly tracing: Tracing | undefined
  /** Sends what is left and ends. Never throws: a collector that is away keeps nobody from stopping. */
  readonly stop: () => Promise<void>
}

/**
 * Sends traces and metrics by OTLP over HTTP (protobuf) until it is stopped. Loaded by nobody who does not want it: the
 * libraries of OpenTelemetry behind it are large.
 */
export function startTelemetry(
  config: TelemetryConfig,
  about: {
    readonly registry: Registry
    readonly version: string
    /** Tells the processes of a deployment apart. */
    readonly instance: string
    readonly clock: () => Date
  },
): Telemetry {
  const { version, instance } = about
  const resource = resourceFromAttributes({
    ...config.resource,
    'service.name': config.serviceName,
    'service.version': version,
    'service.instance.id': instance,
  })
  const traces = startTraces(config, resource)
  const metrics = startMetrics(config, resource, about)
  return {
    tracing: traces && createTracing(traces.getTracer('countersign', version)),
    async stop() {
      await Promise.allSettled([traces?.shutdown(), metrics?.shutdown()])
    },
  }
}

function startTraces(
  { tracesUrl: url, sampler }: TelemetryConfig,
  resource: Resource,
): TracerProvider | undefined {
  if (url === undefined) return undefined
  const processor = new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }) })
  return new TracerProvider({ resource, sampler: samplerOf(sampler), spanProcessors: [processor] })
}

function samplerOf({ name, ratio }: TelemetryConfig['sampler']): Sampler {
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler()
    case 'always_off':
      return new AlwaysOffSampler()
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio)
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() })
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() })
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) })
  }
}

function startMetrics(
  { metricsUrl: url, metricIntervalMs }: TelemetryConfig,
  resource: Resource,
  about: Parameters<typeof startTelemetry>[1],
): MeterProvider | undefined {
  if (url === undefined) return undefined
  const { registry, version, clock } = about
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url }),
    exportIntervalMillis: metricIntervalMs,
    exportTimeoutMillis: metricIntervalMs,
    metricProducers: [createMetricProducer(registry, { resource, version, clock })],
  })
  return new MeterProvider({ resource, readers: [reader] })
}
