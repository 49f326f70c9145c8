import { runLoad } from '../simulator/load.ts'
import type { LoadReport } from '../simulator/load-report.ts'
import { type Command, readArguments, readCount, UsageError } from './arguments.ts'
import { createProgress, renderBar } from './progress.ts'
import { renderTable } from './table.ts'

const OPTIONS = {
  url: { type: 'string' },
  devices: { type: 'string' },
  rate: { type: 'string' },
  concurrency: { type: 'string' },
  'unhealthy-every': { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

export const command: Command = {
  summary: 'let virtual devices attest against a running service',
  help: `Usage: countersign simulate --url URL [--devices N] [--rate R] [--json]

  --url URL             base URL of the service
  --devices N           virtual devices, each attests once (100)
  --rate R              devices that begin each second; 0: as fast as they can (20)
  --concurrency N       devices attesting at one time (64)
  --unhealthy-every N   one device in N has something wrong with it; 0: none (10)

The devices bring a software TPM and an enclave of the simulator: the service must list that
enclave in its reference values, as it does where no AK_TRUST_ANCHORS are configured.
Exit status: 0 when every device got the verdict it should, 2 otherwise.
`,
  async run(args) {
    const { values } = readArguments(args, OPTIONS)
    if (values.url === undefined || !URL.canParse(values.url)) {
      throw new UsageError('--url must be the base URL of a service, such as http://localhost:8080')
    }
    const stop = new AbortController()
    process.once('SIGINT', () => stop.abort())
    const progress = createProgress(process.stderr, () => new Date())
    const report = await runLoad({
      url: values.url,
      devices: readCount(values.devices, 'devices', 100),
      rate: readCount(values.rate, 'rate', 20),
      concurrency: Math.max(1, readCount(values.concurrency, 'concurrency', 64)),
      unhealthyEvery: readCount(values['unhealthy-every'], 'unhealthy-every', 10),
      signal: stop.signal,
      onProgress: (now) => progress.show(describeProgress(now)),
    })
    progress.end()
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : describeReport(report))
    return report.wrong + report.failed > 0 ? 2 : 0
  },
}

function describeProgress({ finished, devices, achievedRate, wrong, failed }: LoadReport): string {
  const bar = renderBar(finished, devices)
  return `${bar}  ${finished}/${devices}  ${achievedRate.toFixed(1)}/s  wrong ${wrong}  failed ${failed}`
}

function describeReport(report: LoadReport): string {
  const { latency, elapsedMs, verdicts, errors } = report
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const rows = [
    ['devices', `${report.finished} of ${report.devices}`],
    ['as expected', String(report.correct)],
    ['wrong', String(report.wrong)],
    ['failed', String(report.failed)],
    ['rate', `${report.achievedRate.toFixed(1)}/s over ${(elapsedMs / 1000).toFixed(1)} s`],
    ['p50 / p95 / p99', [latency.p50, latency.p95, latency.p99].map(ms).join(' / ')],
    ...Object.entries(verdicts).map(([verdict, count]) => [`verdict ${verdict}`, String(count)]),
    ...Object.entries(errors).map(([error, count]) => [`! ${error}`, String(count)]),
  ]
  return `${renderTable(['', ''], rows).split('\n').slice(2).join('\n')}\n`
}
