import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type FuzzReport, fuzz } from './fuzz.ts'
import { HAS_VECTORS } from './real.ts'
import { allTargets } from './targets.ts'

const HELP = `Usage: npm run fuzz -- [--executions N] [--seed N] [--jobs N] [--only TEXT]

Feeds mutated real evidence, tokens and documents to every parser. Ends with 1 when one of them
throws, reads past an end, takes a second or answers what is no answer; the input is printed.

  --executions N  how many inputs in all (1000000)
  --seed N        another seed makes other inputs (1)
  --jobs N        threads (all processors)
  --only TEXT     only parsers whose name contains TEXT

Real evidence is read from VECTORS_DIR (../shared/vectors).
`

type Job = { readonly executions: number; readonly seed: number; readonly only: string }

if (isMainThread) process.exitCode = await main(process.argv.slice(2))
else await work(workerData as Job)

async function work({ executions, seed, only }: Job): Promise<void> {
  const targets = (await allTargets()).filter(({ name }) => name.includes(only))
  const tick = () => parentPort?.postMessage({ tick: true })
  parentPort?.postMessage({ report: fuzz(targets, { executions, seed, tick }) })
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      executions: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      only: { type: 'string', default: '' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const [executions, seed, jobs] = [values.executions, values.seed, values.jobs].map(Number)
  if (!isCount(executions) || !isCount(seed) || !isCount(jobs)) {
    console.error('--executions, --seed and --jobs must be whole numbers from 1 on')
    return 2
  }
  if (!HAS_VECTORS)
    console.error('No real evidence at VECTORS_DIR: only what we can make ourselves.')
  const progress = startProgress(executions)
  const share = Math.ceil(executions / jobs)
  const reports = await Promise.all(
    Array.from({ length: jobs }, (_, job) =>
      runJob({ executions: share, seed: seed * 1000 + job, only: values.only }, progress.add),
    ),
  )
  progress.end()
  return conclude(reports)
}

function isCount(value: number | undefined): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0
}

function runJob(job: Job, tick: () => void): Promise<FuzzReport> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: job })
    worker.on('message', (message: { tick?: true; report?: FuzzReport }) => {
      if (message.report === undefined) tick()
      else resolve(message.report)
    })
    worker.once('error', reject)
  })
}

function startProgress(executions: number) {
  let thousands = 0
  const show = setInterval(() => {
    const percent = Math.min(100, (thousands * 100_000) / executions)
    console.error(`${percent.toFixed(0)} % of ${executions} inputs`)
  }, 5000)
  return {
    add: () => {
      thousands += 1
    },
    end: () => clearInterval(show),
  }
}

function conclude(reports: readonly FuzzReport[]): number {
  const findings = reports.flatMap((report) => report.findings)
  const accepted = new Map<string, number>()
  for (const report of reports) {
    for (const [name, count] of report.accepted) {
      accepted.set(name, (accepted.get(name) ?? 0) + count)
    }
  }
  for (const [name, count] of [...accepted].toSorted())
    console.log(`${name.padEnd(32)} ${count} accepted`)
  for (const { target, what, input } of findings) console.log(`\n${target}: ${what}\n${input}`)
  const total = reports.reduce((sum, { executions }) => sum + executions, 0)
  const slowest = Math.max(...reports.map(({ slowestMs }) => slowestMs))
  console.log(`${total} inputs, the slowest ${slowest.toFixed(0)} ms, ${findings.length} findings`)
  return findings.length === 0 ? 0 : 1
}
