import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

/**
 * Data moves from left to right through the rooms and imports point inward: what each room may
 * import besides itself and the shared files at the top of src/.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  evidence: [],
  appraisal: ['evidence'],
  policy: ['appraisal', 'evidence'],
  access: ['policy', 'appraisal', 'evidence'],
  verifier: ['evidence'],
  azure: ['evidence', 'verifier', 'appraisal'],
  aia: ['evidence', 'azure'],
  keys: ['store'],
  store: ['access', 'appraisal', 'policy'],
  simulator: [],
}

const SHARED = ['base', 'failure.ts', 'digest.ts', 'encoding.ts', 'runtime.ts', 'setting.ts']
const PURE = ['evidence', 'appraisal', 'policy', 'access', 'verifier']
/** Reading the clock, chance, the network or a file is I/O; hashing is not. */
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

function roomOf(file: string): string {
  return relative('src', file).split('/')[0] ?? ''
}

function importsOf(file: string): string[] {
  const found = readFileSync(file, 'utf8').matchAll(/(?:from|import\() ?'(\.[^']+)'/g)
  return [...found].map((match) => resolve(dirname(file), match[1] ?? ''))
}

test.each(Object.entries(MAY_IMPORT))(
  '%s imports only from the rooms before it',
  (room, allowed) => {
    const wrong = files
      .filter((file) => roomOf(file) === room)
      .flatMap((file) => importsOf(file).map((target) => ({ file, target: relative('.', target) })))
      .filter(({ target }) => {
        const to = roomOf(target)
        return to !== room && !allowed.includes(to) && !SHARED.includes(to)
      })
    expect(wrong).toEqual([])
  },
)

test.each(PURE)('%s is pure: no clock, chance, network, framework or database', (room) => {
  const wrong = files
    .filter((file) => roomOf(file) === room)
    .filter((file) => IMPURE.some((pattern) => pattern.test(readFileSync(file, 'utf8'))))
  expect(wrong).toEqual([])
})

test('every room that is listed exists', () => {
  const rooms = new Set(files.map(roomOf))
  for (const room of Object.keys(MAY_IMPORT)) expect(rooms).toContain(room)
})

test('use cases know no transport', () => {
  const wrong = files
    .filter((file) => roomOf(file) === 'operations')
    .flatMap((file) => importsOf(file).map((target) => ({ file, target: relative('.', target) })))
    .filter(({ target }) => ['http', 'commands'].includes(roomOf(target)))
  expect(wrong).toEqual([])
})
