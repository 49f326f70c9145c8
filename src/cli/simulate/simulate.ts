import { runLoad } from '../../simulator/load.ts'
import type { LoadReport } from '../../simulator/load-report.ts'
import { type Command, readArguments, readCount, UsageError } from '../framework/arguments.ts'
import { fields } from '../framework/fields.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { INTERRUPTED, listenForStop } from '../framework/signals.ts'

const OPTIONS = {
  url: { type: 'string' },
  devices: { type: 'string' },
  rate: { type: 'string' },
  concurrency: { type: 'string' },
  'unhealthy-every': { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign simulate --url URL [--devices N] [--rate R] [--concurrency N]
                            [--unhealthy-every N] [--json]

  --url URL             base URL of the service
  --devices N           virtual devices, each attests once (100)
  --rate R              devices that begin each second; 0: as fast as they can (20)
  --concurrency N       devices attesting at one time (64)
  --unhealthy-every N   one device in N has something wrong with it; 0: none (10)
  --json                print the report as JSON

The devices bring a software TPM and an enclave of the simulator: the service must list that
enclave in its reference values, as it does where no AK_TRUST_ANCHORS are configured. Where there
are trust anchors, the keys of these devices are refused.
Exit status: 0 when every device got the verdict it should, 2 when one did not, 1 when nothing
answers, 130 when interrupted.
`,
  async run(args) {
    const { values } = readArguments(args, OPTIONS)
    const { url } = values
    if (url === undefined || !/^https?:/.test(url) || !URL.canParse(url)) {
      throw new UsageError('--url must be the base URL of a service, such as http://localhost:8080')
    }
    const load = {
      url,
      devices: readCount(values.devices, 'devices', 100, 1),
      rate: readCount(values.rate, 'rate', 20),
      concurrency: readCount(values.concurrency, 'concurrency', 64, 1),
      unhealthyEvery: readCount(values['unhealthy-every'], 'unhealthy-every', 10),
    }
    await requireService(url)
    const progress = createProgress(process.stderr, () => new Date())
    const report = await runLoad({
      ...load,
      signal: listenForStop(),
      onProgress: (now) => progress.show(describeProgress(now)),
    })
    progress.end()
    if (values.json) printJson(report)
    else printText(describeReport(report))
    if (report.cancelled) return INTERRUPTED
    return report.wrong + report.failed > 0 ? 2 : 0
  },
}

const ANSWER_WITHIN_MS = 10_000

/** Any answer will do: what is behind the URL shows with the first device. */
async function requireService(url: string): Promise<void> {
  try {
    await fetch(new URL('/healthz', url), { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  } catch (error) {
    const { cause } = error as { cause?: unknown }
    const detail = cause instanceof Error ? cause.message : ''
    throw new Error(`nothing answers at ${url}${detail && ` (${detail})`}: is the service running?`)
  }
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
    ...(report.correct + report.wrong > 0
      ? [['p50 / p95 / p99', [latency.p50, latency.p95, latency.p99].map(ms).join(' / ')]]
      : []),
    ...Object.entries(verdicts).map(([verdict, count]) => [`verdict ${verdict}`, String(count)]),
    ...Object.entries(errors).map(([error, count]) => [`! ${error}`, String(count)]),
  ]
  return fields(Object.fromEntries(rows), '')
}
