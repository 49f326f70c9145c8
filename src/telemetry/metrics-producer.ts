import { type HrTime, ValueType } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics'
import type {
  MetricObjectWithValues,
  MetricValue,
  MetricValueWithName,
  Registry,
} from 'prom-client'

type Told = MetricObjectWithValues<MetricValue<string>>
type Times = { readonly startTime: HrTime; readonly endTime: HrTime }

/** The metrics of `/metrics`, under their names, as OpenTelemetry has them. What is no number yet is left out. */
export function createMetricProducer(
  registry: Registry,
  about: { readonly resource: Resource; readonly clock: () => Date; readonly version: string },
): MetricProducer {
  const { resource, clock, version } = about
  const startTime = hrTimeOf(clock())
  return {
    async collect() {
      const told = (await registry.getMetricsAsJSON()) as readonly Told[]
      const times = { startTime, endTime: hrTimeOf(clock()) }
      const metrics = told.flatMap((metric) => metricOf(metric, times) ?? [])
      const scope = { name: 'countersign', version }
      return { resourceMetrics: { resource, scopeMetrics: [{ scope, metrics }] }, errors: [] }
    },
  }
}

function hrTimeOf(time: Date): HrTime {
  const ms = time.getTime()
  return [Math.floor(ms / 1000), (ms % 1000) * 1_000_000]
}

function metricOf(metric: Told, times: Times): MetricData | undefined {
  const { name, help: description, values } = metric
  const descriptor = { name, description, unit: '', valueType: ValueType.DOUBLE }
  const shared = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE }
  const type = String(metric.type)
  if (type === 'histogram') {
    const dataPoints = histogramsOf(values, times)
    return { ...shared, dataPointType: DataPointType.HISTOGRAM, dataPoints }
  }
  const dataPoints = values
    .filter(({ value }) => Number.isFinite(value))
    .map(({ labels, value }) => ({ ...times, attributes: attributesOf(labels), value }))
  if (type === 'counter') {
    return { ...shared, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
  }
  return type === 'gauge'
    ? { ...shared, dataPointType: DataPointType.GAUGE, dataPoints }
    : undefined
}

/** prom-client tells of each set of labels the buckets, which count what is below them too, the sum and the count. */
function histogramsOf(values: readonly MetricValue<string>[], times: Times) {
  const bySeries = Map.groupBy(values, ({ labels }) => JSON.stringify(attributesOf(labels)))
  return [...bySeries.values()].map((told) => {
    const of = (ending: string) => told.filter((one) => nameOf(one).endsWith(ending))
    const buckets = of('_bucket')
      .map(({ labels, value }) => ({ le: Number(labels.le), value }))
      .filter(({ le }) => Number.isFinite(le))
      .sort((a, b) => a.le - b.le)
    const [count] = of('_count')
    const [sum] = of('_sum')
    const total = count?.value ?? 0
    const below = [...buckets.map(({ value }) => value), total]
    return {
      ...times,
      attributes: attributesOf(told[0]?.labels ?? {}),
      value: {
        buckets: {
          boundaries: buckets.map(({ le }) => le),
          counts: below.map((value, index) => value - (below[index - 1] ?? 0)),
        },
        count: total,
        sum: sum?.value ?? 0,
        hasMinMax: false,
      },
    }
  })
}

function nameOf(value: MetricValue<string>): string {
  return (value as MetricValueWithName<string>).metricName ?? ''
}

function attributesOf({ le: _, ...labels }: MetricValue<string>['labels']): Record<string, string> {
  const pairs = Object.entries(labels).filter(([, value]) => value !== undefined)
  return Object.fromEntries(pairs.map(([name, value]) => [name, String(value)]))
}
