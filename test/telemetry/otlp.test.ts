import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { webhookServices } from '../../src/compose/alerts.ts'
import { type NodeService, startNodeService } from '../../src/compose/node-service.ts'
import { parseConfig } from '../../src/config/config.ts'
import { createWebhook } from '../../src/operations/alerts/manage-webhooks.ts'
import { testWebhook } from '../../src/operations/alerts/steer-webhook.ts'
import { createClient } from '../../src/operations/clients/create-client.ts'
import { attestationOf, newDeviceId } from '../store/fixtures.ts'
import { freePort } from '../support/free-port.ts'
import type { Json } from '../support/json.ts'
import { describeWith } from '../support/left-out.ts'
import { expectOk } from '../support/refusal.ts'

/*
 * The witness: the official protobuf definitions of OpenTelemetry (`opentelemetry-proto`, of its authors), by which Google's
 * implementation for Python reads what the service sends over a real socket.
 */

const folderOfProto = process.env.OTEL_PROTO_DIR ?? ''
const python = (args: readonly string[], input = '') =>
  spawnSync('/usr/bin/python3', args, {
    ...{ input, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
    env: { ...process.env, PYTHONPATH: folderOfProto },
  })
const isThere =
  folderOfProto !== '' && python(['-c', 'import opentelemetry.proto.trace.v1']).status === 0

type Sent = readonly ['traces' | 'metrics', string]

function decode(sent: readonly Sent[]): readonly Json[] {
  const read = python(['test/telemetry/decode-otlp.py'], JSON.stringify(sent))
  if (read.status !== 0) throw new Error(read.stderr)
  return JSON.parse(read.stdout)
}

async function startCollector() {
  const sent: Sent[] = []
  const types: unknown[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const kind = request.url === '/v1/traces' ? 'traces' : 'metrics'
      types.push(request.headers['content-type'])
      sent.push([kind, Buffer.concat(chunks).toString('base64')])
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { sent, types, url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

describeWith('otlp', isThere, 'a service that sends traces and metrics', () => {
  let folder: string
  let collector: Awaited<ReturnType<typeof startCollector>>
  let service: NodeService
  const device = newDeviceId()
  const TRACE = '0af7651916cd43dd8448eb211c80319c'
  const spans: Json[] = []
  const metrics: Json[] = []
  const resources: Json[] = []

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-otlp-'))
    collector = await startCollector()
    const config = expectOk(
      parseConfig({
        ...{ PORT: String(await freePort()), DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'silent' },
        ...{ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: 'of-a-test' },
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=lab,team=a%20b',
      }),
    )
    service = await startNodeService(config)
    const { store } = service.services
    const random = (length: number) => crypto.getRandomValues(new Uint8Array(length))
    const about = { name: 'pep', scopes: ['access.evaluate'] as const, by: 'test', now: new Date() }
    const { clientId, secret } = await createClient({ store, random }, about)
    await store.recordAttestation(attestationOf({ deviceId: device }))
    const ask = async (headers: Readonly<Record<string, string>> = {}) => {
      const response = await fetch(`${service.url}/access/v1/evaluation`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Basic ${btoa(`${clientId}:${secret}`)}`,
          ...headers,
        },
        body: JSON.stringify({
          ...{ subject: { type: 'device', id: device }, action: { name: 'signin' } },
          resource: { type: 'application', id: 'payroll' },
        }),
      })
      expect(response.status).toBe(200)
    }
    await ask()
    await ask({ traceparent: `00-${TRACE}-b7ad6b7169203331-01` })
    await ask({ traceparent: '00-11111111111111111111111111111111-b7ad6b7169203331-00' })
    const webhooks = webhookServices(service.services)
    const url = 'https://192.0.2.1/secret-path'
    const hook = { url, alarms: [], description: null, by: 'test' }
    const { streamId } = expectOk(await createWebhook(webhooks, hook))
    expectOk(await testWebhook({ store, clock: () => new Date() }, streamId))
    await vi.waitFor(
      async () => {
        const [stream] = await store.listStreams()
        expect(stream?.failing?.failure).toBe('its address is not a public one')
      },
      { timeout: 20_000, interval: 100 },
    )
    await service.close()
    for (const request of decode(collector.sent)) {
      for (const one of request.resourceSpans ?? []) {
        resources.push(one.resource)
        for (const scope of one.scopeSpans) spans.push(...scope.spans)
      }
      for (const one of request.resourceMetrics ?? []) {
        resources.push(one.resource)
        for (const scope of one.scopeMetrics) metrics.push(...scope.metrics)
      }
    }
  })
  afterAll(() => {
    collector.close()
    rmSync(folder, { recursive: true, maxRetries: 5 })
  })

  const attributes = (one: Json): Json =>
    Object.fromEntries(
      (one.attributes ?? []).map(({ key, value }: Json) => [key, Object.values(value)[0]]),
    )
  const hex = (base64: string) => Buffer.from(base64, 'base64').toString('hex')
  const named = (name: string) => spans.filter((span) => span.name === name)

  test('names itself by the standard variables', () => {
    expect(resources.length).toBeGreaterThan(1)
    for (const resource of resources) {
      expect(attributes(resource)).toMatchObject({
        ...{ 'service.name': 'of-a-test', 'deployment.environment.name': 'lab', team: 'a b' },
        ...{ 'service.version': expect.any(String), 'service.instance.id': expect.any(String) },
      })
    }
    expect(new Set(collector.types)).toEqual(new Set(['application/x-protobuf']))
  })

  test('traces a request by its route, and in it the decision and what it asked the database', () => {
    const requests = named('POST /access/v1/evaluation')
    // The third was not sampled by who asked.
    expect(requests).toHaveLength(2)
    for (const request of requests) {
      expect(request.kind).toBe('SPAN_KIND_SERVER')
      expect(attributes(request)).toEqual({
        ...{ 'http.request.method': 'POST', 'http.route': '/access/v1/evaluation' },
        'http.response.status_code': '200',
      })
      const inTrace = spans.filter(({ traceId }) => traceId === request.traceId)
      const decision = inTrace.find(({ name }) => name === 'decide')
      expect(decision?.parentSpanId).toBe(request.spanId)
      expect(attributes(decision ?? {})).toEqual({
        ...{ 'countersign.decision': false, 'countersign.verdict': expect.any(String) },
      })
      const database = inTrace.filter((span) => attributes(span)['db.system.name'] === 'postgresql')
      expect(database.map(({ kind }) => kind)).toContain('SPAN_KIND_CLIENT')
    }
  })

  test('goes on with the trace of who asked (W3C Trace Context)', () => {
    const [found] = named('POST /access/v1/evaluation').filter(
      ({ traceId }) => hex(traceId) === TRACE,
    )
    expect(hex(found?.parentSpanId ?? '')).toBe('b7ad6b7169203331')
  })

  test('traces each try to deliver, with where to and what came of it', () => {
    const [delivery] = named('deliver')
    expect(delivery).toMatchObject({
      kind: 'SPAN_KIND_CLIENT',
      status: { code: 'STATUS_CODE_ERROR' },
    })
    expect(attributes(delivery ?? {})).toEqual({
      ...{ 'countersign.delivery.method': 'webhook', 'countersign.delivery.outcome': 'later' },
      'server.address': '192.0.2.1',
    })
  })

  test('tells nothing of the device and of who asked', () => {
    const all = JSON.stringify(spans)
    for (const secret of [device, 'cli_', 'payroll', 'signin', 'secret-path']) {
      expect(all).not.toContain(secret)
    }
  })

  test('sends the metrics of /metrics under their names, with their kinds', () => {
    const of = (name: string) => metrics.findLast((metric) => metric.name === name)
    const decisions = of('countersign_decisions_total')
    expect(decisions?.sum).toMatchObject({
      ...{ isMonotonic: true, aggregationTemporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE' },
    })
    const counted = decisions?.sum.dataPoints.reduce(
      (sum: number, point: Json) => sum + point.asDouble,
      0,
    )
    expect(counted).toBe(3)
    expect(of('countersign_build_info')?.gauge.dataPoints).toHaveLength(1)
    const times = of('countersign_http_request_duration_seconds')?.histogram.dataPoints
    const point = times.find((one: Json) => attributes(one).route === '/access/v1/evaluation')
    expect(Number(point.count)).toBe(3)
    expect(point.explicitBounds).toEqual([
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ])
    const inBuckets = point.bucketCounts.reduce(
      (sum: number, count: string) => sum + Number(count),
      0,
    )
    expect([point.bucketCounts.length, inBuckets]).toEqual([14, 3])
  })
})

describe('settings of OpenTelemetry', () => {
  const telemetryOf = (env: Readonly<Record<string, string>>) =>
    expectOk(parseConfig(env)).telemetry
  const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://collector:4318'

  test('send nothing unless there is somewhere to send to, and nothing when they are off', () => {
    expect(telemetryOf({})).toBeUndefined()
    expect(telemetryOf({ OTEL_SERVICE_NAME: 'x' })).toBeUndefined()
    expect(telemetryOf({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: 'true' })).toBeUndefined()
    const none = { OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }
    expect(telemetryOf({ OTEL_EXPORTER_OTLP_ENDPOINT, ...none })).toBeUndefined()
  })

  test('add the path of a signal to the one endpoint of all, and none to its own', () => {
    expect(
      telemetryOf({ OTEL_EXPORTER_OTLP_ENDPOINT: `${OTEL_EXPORTER_OTLP_ENDPOINT}/` }),
    ).toMatchObject({
      ...{
        tracesUrl: 'http://collector:4318/v1/traces',
        metricsUrl: 'http://collector:4318/v1/metrics',
      },
      ...{ serviceName: 'countersign', sampler: { name: 'parentbased_always_on', ratio: 1 } },
    })
    const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:4318/in' }
    expect(telemetryOf({ ...own, OTEL_TRACES_EXPORTER: 'otlp' })).toMatchObject({
      ...{ tracesUrl: 'http://traces:4318/in', metricsUrl: undefined },
    })
  })

  test.each([
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
    { OTEL_TRACES_SAMPLER: 'jaeger_remote' },
    { OTEL_TRACES_SAMPLER_ARG: '1.5' },
    { OTEL_RESOURCE_ATTRIBUTES: 'no pair' },
    { OTEL_RESOURCE_ATTRIBUTES: 'a=%zz' },
    { OTEL_METRIC_EXPORT_INTERVAL: '10' },
    { OTEL_SDK_DISABLED: 'yes' },
  ])('that are wrong are refused: %j', (env) => {
    const parsed = parseConfig({ ...env })
    expect(parsed.ok ? [] : parsed.failure.mistakes).toEqual([
      expect.stringContaining(Object.keys(env)[0] ?? ''),
    ])
  })
})
