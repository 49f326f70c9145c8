import { measureAppraisal } from './appraisal.ts'
import { measureBeside } from './beside.ts'
import { measureConsole } from './console.ts'
import { type BenchDatabase, openBenchDatabase } from './database.ts'
import { measureEdgeEvaluation } from './edge-evaluation.ts'
import { measureEvaluation } from './evaluation.ts'
import { prepareFleet } from './fleet.ts'
import { measureGuardedEvaluation } from './guarded-evaluation.ts'
import { type BenchOptions, HELP, type Path, readOptions } from './options.ts'
import { measurePolicy } from './policy.ts'
import { measurePreview } from './preview.ts'
import { measureRelay } from './relay.ts'
import { describeMachine, formatReport, missedTargets, type Results } from './report.ts'
import { measureRevocation } from './revocation.ts'
import type { Round } from './rounds.ts'
import { measureStatusList } from './status-list.ts'
import { measureSubmission } from './submission.ts'
import { measureWorker } from './worker.ts'

const WITHOUT_DATABASE: ReadonlySet<Path> = new Set<Path>(['appraisal', 'policy', 'worker'])

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (options === 'help') {
    process.stdout.write(HELP)
    return 0
  }
  const results: Results = {}
  const onRound = (path: Path) => (round: Round) => {
    const { ops_per_s, floor_ops_per_s, ratio } = round
    tell(`${path}: ${Math.round(ops_per_s)} of ${Math.round(floor_ops_per_s)} a second, ${ratio}`)
  }
  let version: string | undefined
  if (options.only.some((path) => !WITHOUT_DATABASE.has(path))) {
    tell('starting PostgreSQL')
    const database = await openBenchDatabase()
    version = database.version
    try {
      Object.assign(results, await measureOnDatabase(options, database, onRound))
    } finally {
      await database.close()
    }
  }
  if (options.only.includes('appraisal')) {
    results.appraisal = await measureAppraisal(options, onRound('appraisal'))
  }
  if (options.only.includes('policy')) {
    results.policy = await measurePolicy(options, onRound('policy'))
  }
  if (options.only.includes('worker')) {
    tell('building and starting the Worker')
    results.worker = await measureWorker()
  }
  const machine = describeMachine(version)
  const report = options.json ? JSON.stringify(results) : formatReport(results, machine)
  process.stdout.write(`${report}\n`)
  const missed = missedTargets(results)
  if (missed.length > 0) tell(`below the target: ${missed.join(', ')}`)
  return options.check && missed.length > 0 ? 1 : 0
}

async function measureOnDatabase(
  options: BenchOptions,
  database: BenchDatabase,
  onRound: (path: Path) => (round: Round) => void,
): Promise<Results> {
  const results: Results = {}
  tell('recording the fleet')
  const fleet = await prepareFleet(database)
  if (options.only.includes('evaluation')) {
    results.evaluation = await measureEvaluation(options, fleet, onRound('evaluation'))
  }
  if (options.only.includes('guarded_evaluation')) {
    const onGuardedRound = onRound('guarded_evaluation')
    results.guarded_evaluation = await measureGuardedEvaluation(options, fleet, onGuardedRound)
  }
  if (options.only.includes('submission')) {
    results.submission = await measureSubmission(options, fleet, onRound('submission'))
  }
  if (options.only.includes('relay')) {
    results.relay = await measureRelay(options, fleet, onRound('relay'))
  }
  if (options.only.includes('edge_evaluation')) {
    const onEdgeRound = onRound('edge_evaluation')
    results.edge_evaluation = await measureEdgeEvaluation(options, fleet, onEdgeRound)
  }
  if (options.only.includes('preview')) {
    results.preview = await measurePreview(options, database, (text) => tell(`preview: ${text}`))
  }
  if (options.only.includes('beside')) {
    results.beside = await measureBeside(database, fleet, tell)
  }
  if (options.only.includes('status_list')) {
    const onProgress = (text: string) => tell(`status_list: ${text}`)
    results.status_list = await measureStatusList(fleet, onProgress)
  }
  if (options.only.includes('revocation')) {
    results.revocation = await measureRevocation(database, fleet, tell)
  }
  // Last, as it grows the fleet.
  if (options.only.includes('console')) {
    const onProgress = (text: string) => tell(`console: ${text}`)
    const { devices } = options
    results.console = await measureConsole(database, fleet, { devices, onProgress })
  }
  return results
}

function tell(progress: string): void {
  process.stderr.write(`${progress}\n`)
}
