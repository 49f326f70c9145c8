import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

/**
 * The rooms from left to right, as data moves through them, and what each may import besides
 * itself and `base`. Only what is left of a room may stand in its list, so that there are no
 * circles of rooms. `docs/architecture.md` says what each room is for.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  evidence: [],
  verifier: ['evidence'],
  azure: ['evidence', 'verifier', 'appraisal'],
  aia: ['evidence'],
  appraisal: ['evidence', 'verifier'],
  policy: ['evidence', 'appraisal'],
  rollout: ['policy'],
  access: ['evidence', 'appraisal', 'policy', 'rollout'],
  replay: ['appraisal', 'policy', 'rollout', 'access'],
  alerts: [],
  signals: ['policy', 'access'],
  receivers: ['signals'],
  oauth: ['evidence', 'access'],
  people: ['oauth'],
  audit: [],
  keysets: ['evidence', 'receivers', 'oauth'],
  vendors: ['evidence', 'access', 'signals', 'oauth'],
  config: [
    ...['evidence', 'verifier', 'azure', 'aia', 'appraisal', 'access', 'oauth', 'people'],
    ...['vendors'],
  ],
  telemetry: ['config'],
  store: ['appraisal', 'rollout', 'access', 'alerts', 'signals', 'oauth', 'vendors', 'audit'],
  keys: ['alerts', 'store'],
  operations: [
    ...['evidence', 'verifier', 'azure', 'aia', 'appraisal', 'policy', 'rollout', 'access'],
    ...['replay', 'alerts', 'signals', 'oauth', 'people', 'keysets', 'vendors', 'config'],
    ...['store', 'keys', 'audit'],
  ],
  views: ['rollout', 'access', 'replay', 'alerts', 'store', 'operations', 'audit'],
  http: [
    ...['evidence', 'verifier', 'azure', 'appraisal', 'policy', 'rollout', 'access', 'store'],
    ...['alerts', 'signals', 'oauth', 'people', 'vendors', 'keys', 'operations', 'views'],
    ...['audit'],
  ],
  compose: [
    ...['evidence', 'verifier', 'azure', 'aia', 'appraisal', 'policy', 'rollout', 'access'],
    ...[
      'replay',
      'alerts',
      'signals',
      'receivers',
      'oauth',
      'people',
      'keysets',
      'vendors',
      'config',
      'store',
    ],
    ...['telemetry', 'keys', 'operations', 'http'],
  ],
  simulator: [],
  cli: [
    ...['evidence', 'verifier', 'azure', 'aia', 'appraisal', 'policy', 'rollout', 'access'],
    ...[
      'replay',
      'alerts',
      'signals',
      'oauth',
      'people',
      'vendors',
      'config',
      'store',
      'keys',
      'operations',
      'views',
    ],
    ...['compose', 'simulator', 'audit'],
  ],
}

/** What there is at the root of `src`, and the rooms that each entry may import. */
const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  'node.ts': ['base', 'config', 'compose'],
  'worker.ts': ['base', 'config', 'compose'],
  'cli.ts': ['base', 'cli'],
}

/** No I/O in these rooms: times and random bytes are arguments. Hashing is not I/O. */
const PURE = [
  ...['evidence', 'verifier', 'appraisal', 'policy', 'rollout', 'access', 'replay', 'signals'],
  ...['oauth', 'people', 'vendors', 'audit'],
]
const IMPURE = [
  /\bDate\.now\(/,
  /\bnew Date\(\)/,
  /\bMath\.random\(/,
  /\bgetRandomValues\(/,
  /\bfetch\(/,
  /\bprocess\./,
  /from 'hono/,
  /from 'drizzle-orm/,
  /from 'pg'/,
  /from 'node:(?!crypto')/,
]

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join('src', name))
const imports = new Map(files.map((file) => [file, importsOf(file)]))
const arrows = [...imports].flatMap(([file, targets]) =>
  targets.map((target) => ({ file, target })),
)

/** The folder directly under `src`; for an entry its own name. */
function roomOf(file: string): string {
  return relative('src', file).split('/')[0] ?? ''
}

function importsOf(file: string): readonly string[] {
  const found = readFileSync(file, 'utf8').matchAll(/(?:from|import)(?:\(| )'(\.[^']+)'/g)
  return [...found].map((match) => relative('.', resolve(dirname(file), match[1] ?? '')))
}

function mayImport(from: string, to: string): boolean {
  if (from === to || (to === 'base' && from in MAY_IMPORT)) return true
  return (MAY_IMPORT[from] ?? ENTRIES[from])?.includes(to) ?? false
}

test('the root of src holds the three entries and a folder for each room', () => {
  const found = readdirSync('src').sort()
  expect(found).toEqual([...Object.keys(ENTRIES), ...Object.keys(MAY_IMPORT)].sort())
})

test('rooms import only from the rooms that they may import from', () => {
  const wrong = arrows
    .filter(({ file, target }) => !mayImport(roomOf(file), roomOf(target)))
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

describe('docs/architecture.md', () => {
  const page = readFileSync('docs/architecture.md', 'utf8')

  test('has a row for each room, with what it may import', () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| [^|]+ \| ([^|]*) \|$/gm)]
    const told = rows.map(([, room, names = '']) => [room, names.match(/\w+/g) ?? []])
    expect(told).toEqual(Object.entries(MAY_IMPORT))
  })

  test('draws no arrow between rooms that is not allowed', () => {
    const drawn = [...page.matchAll(/^ {2}(\w+) (?:-->|-\.->)(?:\|[^|]*\|)? (\w+)$/gm)]
      .map(([, from = '', to = '']) => ({ from, to }))
      .filter(({ from, to }) => from in MAY_IMPORT && to in MAY_IMPORT)
    expect(drawn.length).toBeGreaterThan(10)
    expect(drawn.filter(({ from, to }) => !mayImport(from, to))).toEqual([])
  })

  test('answers each question of a newcomer in two files at most', () => {
    const section = page.slice(page.indexOf('## Where do I'))
    const rows = section.split('\n').filter((line) => /^\| (add|find) /.test(line))
    expect(rows.length).toBeGreaterThanOrEqual(12)
    for (const row of rows) {
      const count = row.match(/`[\w./-]+`/g)?.length ?? 0
      expect(count, row).toBeGreaterThan(0)
      expect(count, row).toBeLessThanOrEqual(2)
    }
  })
})

test('the rooms themselves stand in no circle', () => {
  expect(findCircles(new Map(Object.entries(MAY_IMPORT)))).toEqual([])
})

test('no files stand in a circle, imports of types included', () => {
  expect(findCircles(imports)).toEqual([])
})

describe.each(['src/node.ts', 'src/worker.ts'])('what is reachable from %s', (entry) => {
  test('holds nothing of the simulator and nothing of the command line', () => {
    const wrong = [...reachableFrom(entry)].filter((file) =>
      ['simulator', 'cli'].includes(roomOf(file)),
    )
    expect(wrong).toEqual([])
  })
})

test.each(PURE)('%s is pure: no clock, chance, network, framework or database', (room) => {
  const wrong = files
    .filter((file) => roomOf(file) === room)
    .filter((file) => IMPURE.some((pattern) => pattern.test(readFileSync(file, 'utf8'))))
  expect(wrong).toEqual([])
})

function reachableFrom(entry: string): ReadonlySet<string> {
  const reached = new Set([entry])
  for (const file of reached) for (const target of imports.get(file) ?? []) reached.add(target)
  return reached
}

/** The strongly connected groups of more than one member, by Tarjan's algorithm. */
function findCircles(graph: ReadonlyMap<string, readonly string[]>): readonly string[][] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const circles: string[][] = []
  const visit = (node: string) => {
    index.set(node, index.size)
    low.set(node, index.size - 1)
    stack.push(node)
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) visit(next)
      else if (!stack.includes(next)) continue
      low.set(node, Math.min(low.get(node) ?? 0, low.get(next) ?? 0))
    }
    if (low.get(node) !== index.get(node)) return
    const circle = stack.splice(stack.indexOf(node))
    if (circle.length > 1) circles.push(circle.sort())
  }
  for (const node of graph.keys()) if (!index.has(node)) visit(node)
  return circles
}
