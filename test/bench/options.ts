import { parseArgs } from 'node:util'

export const PATHS = [
  'evaluation',
  'guarded_evaluation',
  'submission',
  'appraisal',
  'policy',
  'relay',
  'edge_evaluation',
  'worker',
  'preview',
  'beside',
  'status_list',
  'revocation',
  'console',
] as const

export type Path = (typeof PATHS)[number]

export type BenchOptions = {
  /** One JSON object on standard output in place of the tables. */
  readonly json: boolean
  /** Fails when a ratio misses its target. */
  readonly check: boolean
  readonly only: readonly Path[]
  /** Each variant runs once in each round. */
  readonly rounds: number
  /** How long each run is measured, warm-up apart. */
  readonly seconds: number
  /** Of the fleet whose pages are measured. */
  readonly devices: number
}

export const HELP = `Usage: npm run bench -- [--json] [--check] [--only PATH[,PATH]] [--rounds N] [--seconds S]
         [--devices N]

Measures each path beside its floor, the least that any implementation would have to do.

  --json       print one JSON object and nothing else on standard output
  --check      exit 1 when a ratio misses its target
  --only       some of: ${PATHS.join(', ')}
  --rounds N   rounds, each with one run of every variant (5)
  --seconds S  seconds that a run is measured for (3)
  --devices N  devices of the fleet whose console is measured (100000)

BENCH_DATABASE_URL names a PostgreSQL server to use, by a user that may create databases; without
it one is started from Debian's package in a temporary folder.
`

/** Throws with a sentence for the person at the keyboard. */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      only: { type: 'string', default: PATHS.join(',') },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      devices: { type: 'string', default: '100000' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  const { json, check } = values
  const only = values.only.split(',').map((name) => {
    const path = PATHS.find((known) => known === name)
    if (path === undefined) throw new Error(`--only: there is no path ${name}`)
    return path
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: must be 1 or more')
  const seconds = Number(values.seconds)
  if (!(seconds > 0)) throw new Error('--seconds: must be more than 0')
  const devices = Number(values.devices)
  if (!Number.isInteger(devices) || devices < 1) throw new Error('--devices: must be 1 or more')
  return { json, check, only, rounds, seconds, devices }
}
