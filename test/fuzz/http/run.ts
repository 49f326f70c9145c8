import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PATHS } from '../../../src/http/openapi/document.ts'
import { type FuzzedClient, type FuzzedService, startFuzzedService } from './service.ts'

const HELP = `Usage: npm run -s fuzz:http -- --schemathesis PROGRAM [--seconds N] [--seed N] [--report FILE]

Starts the service on a PostgreSQL of its own, and has Schemathesis ask it for whatever its OpenAPI document
describes and for much that it does not: first as a client that may do all, then as one of each scope. Ends with 1
where an answer is a fault of the service, or is none that the document knows (status, media type, headers, form).

  --schemathesis PROGRAM  the program, as pip installs it
  --seconds N             how long in all (90)
  --seed N                another seed asks for other things (a new one, printed)
  --only TEXT             only operations whose path has the regular expression TEXT
  --as TEXT               only clients whose name contains TEXT: "all scopes", or that of a scope
  --report FILE           where to write how many operations passed and failed, as JSON
`

type Counts = { readonly passed: number; readonly failed: number }

/** The share of the time in which everything is asked for by somebody who may do it. */
const SHARE_OF_ALL = 0.6

/** What is not held against the service, operation by operation, and why. */
const CONFIGURATION = `
[phases.coverage]
unexpected-methods = ["DELETE", "PUT", "PATCH", "POST", "QUERY"]

# That lists of other times are not kept is 501 by the draft (§8.4).
[[operations]]
include-operation-id = "fetchStatusList"
checks.not_a_server_error.expected-statuses = ["2XX", "3XX", "4XX", 501]
`

/** Who may do all goes through everything, and sequences of it; others mostly show what they may not. */
const DEEP = ['--phases', 'coverage,fuzzing,stateful', '--max-examples', '10']
const BROAD = ['--phases', 'fuzzing', '--max-examples', '2']

const CHECKS = [
  ...['not_a_server_error', 'status_code_conformance', 'content_type_conformance'],
  ...['response_headers_conformance', 'response_schema_conformance', 'unsupported_method'],
]

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      schemathesis: { type: 'string' },
      seconds: { type: 'string', default: '90' },
      seed: { type: 'string', default: String(randomInt(1, 1_000_000)) },
      only: { type: 'string', default: '' },
      as: { type: 'string', default: '' },
      report: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const { schemathesis, report, only, as } = values
  if (values.help || schemathesis === undefined) {
    console.log(HELP)
    return values.help ? 0 : 2
  }
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)]
  console.log(`fuzzing the HTTP interface for ${seconds} s with --seed ${seed}`)
  const service = await startFuzzedService()
  const folder = await mkdtemp(join(tmpdir(), 'countersign-fuzz-'))
  try {
    const run = { service, folder, schemathesis, seconds, seed, only, as }
    const counts = await fuzzAsEach(run)
    if (report !== undefined) await writeFile(report, JSON.stringify(counts))
    for (const line of service.faults()) console.log(line)
    console.log(`fuzz of the HTTP interface: ${counts.passed} passed, ${counts.failed} failed`)
    return counts.failed === 0 ? 0 : 1
  } finally {
    await service.close()
    await rm(folder, { recursive: true, force: true })
  }
}

type Run = {
  readonly service: FuzzedService
  readonly folder: string
  readonly schemathesis: string
  readonly seconds: number
  readonly seed: number
  readonly only: string
  readonly as: string
}

async function fuzzAsEach(run: Run): Promise<Counts> {
  const { service, folder, seconds, as } = run
  await writeFile(join(folder, 'schemathesis.toml'), CONFIGURATION)
  await writeFile(join(folder, 'known.json'), JSON.stringify(service.known))
  const clients = service.clients.filter(({ name }) => name.includes(as))
  const narrow = clients.filter(({ mayAll }) => !mayAll).length
  let counts: Counts = { passed: 0, failed: 0 }
  for (const client of clients) {
    const share = narrow === 0 ? 1 : client.mayAll ? SHARE_OF_ALL : (1 - SHARE_OF_ALL) / narrow
    const found = await fuzzAs(client, run, Math.max(1, Math.round(seconds * share)))
    counts = { passed: counts.passed + found.passed, failed: counts.failed + found.failed }
  }
  return counts
}

/** One run of Schemathesis: each operation, and each sequence of them, is a test of its report. */
async function fuzzAs(
  { name, id, secret, mayAll }: FuzzedClient,
  { service, folder, schemathesis, seed, only }: Run,
  seconds: number,
): Promise<Counts> {
  console.log(`\nas a client with ${name}, for ${seconds} s`)
  const junit = join(folder, `${id}.xml`)
  const seen = join(folder, `${id}.json`)
  const ended = await runProgram(
    schemathesis,
    [
      ...['--config-file', join(folder, 'schemathesis.toml'), '--no-color', 'run'],
      ...[`${service.url}/openapi.json`, '--url', service.url, '--auth', `${id}:${secret}`],
      ...['--checks', CHECKS.join(','), '--max-time', String(seconds), '--seed', String(seed)],
      ...(mayAll ? DEEP : BROAD),
      ...[
        '--workers',
        '1',
        '--max-redirects',
        '0',
        '--request-timeout',
        '30',
        '--continue-on-failure',
      ],
      ...['--suppress-health-check', 'all', '--warnings', 'off'],
      ...['--report-junit-path', junit],
      ...(only === '' ? [] : ['--include-path-regex', only]),
    ],
    {
      cwd: folder,
      env: {
        ...process.env,
        SCHEMATHESIS_HOOKS: join(import.meta.dirname, 'hooks.py'),
        FUZZ_KNOWN: join(folder, 'known.json'),
        FUZZ_SEEN: seen,
        FUZZ_CLIENT: id,
        FUZZ_SECRET: secret,
        FUZZ_SEED: String(seed),
      },
    },
  )
  if (mayAll) tellReached(JSON.parse(await readFile(seen, 'utf8').catch(() => '{}')))
  const counts = countTests(await readFile(junit, 'utf8').catch(() => ''))
  // What ends with a failure that is in no report has failed all the same.
  return ended !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts
}

/** Which operations there was time for, and which of them never answered with success. */
function tellReached(seen: Readonly<Record<string, Readonly<Record<string, number>>>>): void {
  const described = Object.values(PATHS).flatMap((operations) => Object.keys(operations)).length
  const refused = Object.entries(seen)
    .filter(([, statuses]) => !Object.keys(statuses).some((status) => /^[23]/.test(status)))
    .map(([operation]) => operation)
  console.log(`\n${Object.keys(seen).length} of ${described} operations were asked for`)
  console.log(`${refused.length} of them only refused: ${refused.join(', ') || 'none'}`)
}

function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', reject)
    child.on('exit', resolve)
  })
}

function countTests(xml: string): Counts {
  const sum = (attribute: string) =>
    [...xml.matchAll(new RegExp(`<testsuite [^>]*\\b${attribute}="(\\d+)"`, 'g'))].reduce(
      (total, [, count]) => total + Number(count),
      0,
    )
  const failed = sum('failures') + sum('errors')
  return { passed: sum('tests') - failed - sum('skipped'), failed }
}
