import { runLoad } from '../../simulator/load.ts'
import type { LoadReport } from '../../simulator/load-report.ts'
import { EXIT, verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import { count, option, preset, required } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'
import { UsageError } from '../framework/usage-error.ts'

export const command = verb({
  about: `The devices bring a software TPM and an enclave of the simulator: the service must list that
enclave in its reference values, as it does where no AK_TRUST_ANCHORS are configured. Where there
are trust anchors, the keys of these devices are refused.`,
  options: {
    url: required(
      option('URL', 'the base URL of the service, such as http://localhost:8080', readUrl),
    ),
    devices: preset(count('N', 'virtual devices, each attests once', { least: 1 }), '100'),
    rate: preset(count('R', 'devices that begin each second; 0: as fast as they can'), '20'),
    concurrency: preset(count('N', 'devices that attest at one time', { least: 1 }), '64'),
    unhealthyEvery: preset(
      count('N', 'one device in N has something wrong with it; 0: none'),
      '10',
    ),
  },
  json: 'the report',
  exits: { refused: 'a device did not get the verdict it should', interrupted: 'interrupted' },
  async run({ json, data: _, ...load }) {
    await requireService(load.url)
    const progress = createProgress(process.stderr, () => new Date())
    const report = await runLoad({
      ...load,
      signal: listenForStop(),
      onProgress: (now) => progress.show(describeProgress(now)),
    })
    progress.end()
    if (json) printJson(report)
    else printText(describeReport(report))
    if (report.cancelled) return EXIT.interrupted
    return report.wrong + report.failed > 0 ? EXIT.refused : EXIT.done
  },
})

function readUrl(text: string, label: string): string {
  if (/^https?:/.test(text) && URL.canParse(text)) return text
  throw new UsageError(`${label} must be the base URL of a service, such as http://localhost:8080`)
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
