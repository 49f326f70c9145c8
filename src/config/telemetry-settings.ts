import { z } from 'zod'
import { origin, wholeNumber } from '../base/fields.ts'

/** Where traces and metrics are sent, by the standard variables of OpenTelemetry; absent where they are not. */
export type TelemetryConfig = {
  /** Whole URLs. */
  readonly tracesUrl: string | undefined
  readonly metricsUrl: string | undefined
  readonly serviceName: string
  /** Of every span and metric. */
  readonly resource: Readonly<Record<string, string>>
  readonly sampler: { readonly name: SamplerName; readonly ratio: number }
  readonly metricIntervalMs: number
}

/** Those of the specification that need nothing else. */
export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

export type SamplerName = (typeof SAMPLERS)[number]

const exporter = z.enum(['otlp', 'none'], 'must be otlp or none').default('otlp')
const RATIO = 'must be a number from 0 to 1'

/**
 * Names and meanings are those of the specification of OpenTelemetry. Headers, time limits, compression and certificates
 * (`OTEL_EXPORTER_OTLP_HEADERS` and so on) its own exporters read from the environment.
 */
export const telemetrySettings = {
  OTEL_SDK_DISABLED: z.enum(['true', 'false'], 'must be true or false').default('false'),
  OTEL_EXPORTER_OTLP_ENDPOINT: origin.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: origin.optional(),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: origin.optional(),
  OTEL_TRACES_EXPORTER: exporter,
  OTEL_METRICS_EXPORTER: exporter,
  OTEL_SERVICE_NAME: z.string().min(1).max(255).default('countersign'),
  OTEL_RESOURCE_ATTRIBUTES: z.string().max(4096).transform(readAttributes).optional(),
  OTEL_TRACES_SAMPLER: z
    .enum(SAMPLERS, `must be one of ${SAMPLERS.join(', ')}`)
    .default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(?:0(?:\.\d+)?|1(?:\.0+)?)$/, RATIO)
    .transform(Number)
    .default(1),
  OTEL_METRIC_EXPORT_INTERVAL: wholeNumber(1000, 3_600_000, 60_000),
}

type Settings = z.infer<z.ZodObject<typeof telemetrySettings>>

export function readTelemetryConfig(settings: Settings): TelemetryConfig | undefined {
  if (settings.OTEL_SDK_DISABLED === 'true') return undefined
  const base = settings.OTEL_EXPORTER_OTLP_ENDPOINT
  const urlOf = (own: string | undefined, path: string) =>
    own ?? (base === undefined ? undefined : `${base}/${path}`)
  const isOn = (name: 'OTEL_TRACES_EXPORTER' | 'OTEL_METRICS_EXPORTER') => settings[name] === 'otlp'
  const tracesUrl = isOn('OTEL_TRACES_EXPORTER')
    ? urlOf(settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, 'v1/traces')
    : undefined
  const metricsUrl = isOn('OTEL_METRICS_EXPORTER')
    ? urlOf(settings.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, 'v1/metrics')
    : undefined
  if (tracesUrl === undefined && metricsUrl === undefined) return undefined
  return {
    ...{ tracesUrl, metricsUrl, serviceName: settings.OTEL_SERVICE_NAME },
    resource: settings.OTEL_RESOURCE_ATTRIBUTES ?? {},
    sampler: { name: settings.OTEL_TRACES_SAMPLER, ratio: settings.OTEL_TRACES_SAMPLER_ARG },
    metricIntervalMs: settings.OTEL_METRIC_EXPORT_INTERVAL,
  }
}

/** `key=value,key=value`, percent-encoded as the specification of resources has it. */
function readAttributes(text: string, context: z.RefinementCtx): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '')
  const read = pairs.map((pair) => {
    const [key = '', ...value] = pair.split('=')
    return [key.trim(), decode(value.join('=').trim()), value.length] as const
  })
  if (read.some(([key, value, parts]) => key === '' || value === undefined || parts === 0)) {
    context.addIssue({ code: 'custom', message: 'must be key=value pairs with commas between' })
    return {}
  }
  return Object.fromEntries(read.map(([key, value = '']) => [key, value]))
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
