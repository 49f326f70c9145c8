/** What is told of a span beside its name. Nothing of a person, and no id of a device. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export type SpanToStart = {
  readonly name: string
  /** `server`: somebody asked us; `client`: we ask somebody else; `internal`: neither. */
  readonly kind: 'server' | 'client' | 'internal'
  readonly attributes?: SpanAttributes
  /** What a caller sent of the trace that it belongs to (W3C Trace Context), in place of the span under way. */
  readonly parent?: {
    readonly traceparent: string | undefined
    readonly tracestate: string | undefined
  }
}

/** What is known of a span at its end. */
export type SpanEnd = {
  /** In place of the one it began under. */
  readonly name?: string
  readonly attributes?: SpanAttributes
  readonly isFault?: boolean
}

/**
 * Traces what is under way, for whoever collects traces (OpenTelemetry). Where nobody does there is none, and whatever
 * would be traced runs as it is.
 */
export type Tracing = {
  /** Runs something within a span; what is traced in it belongs to it. A fault ends the span as one, and is thrown on. */
  readonly span: <T>(
    span: SpanToStart,
    run: () => Promise<T>,
    describe?: (value: T) => SpanEnd,
  ) => Promise<T>
}
