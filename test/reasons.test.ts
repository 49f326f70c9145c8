import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { listCatalogue } from '../src/cli/errors/catalogue.ts'
import { leftOutMark } from './support/left-out.ts'

/** Runs after the whole suite: `expectRefusal` has noted every reason that a test produced. */
const seen = process.env.SEEN_REASONS_DIR ?? ''
/** They run when they are imported. */
const PROGRAMS = ['cli.ts', 'cli/edge/dev-edge.ts']

test('every program that is not imported is there', () => {
  for (const file of PROGRAMS) expect(existsSync(resolve('src', file)), file).toBe(true)
})

async function declaredReasons(): Promise<Map<string, string[]>> {
  const declared = new Map<string, string[]>()
  for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || PROGRAMS.includes(file)) continue
    const exported: Record<string, unknown> = await import(resolve('src', file))
    for (const [name, value] of Object.entries(exported)) {
      if (!name.endsWith('_REASONS') || !Array.isArray(value)) continue
      for (const reason of value) {
        declared.set(reason, [...(declared.get(reason) ?? []), `${file}#${name}`])
      }
    }
  }
  return declared
}

test('every refusal reason of every union is produced by a test', async (context) => {
  const mark = leftOutMark()
  if (mark !== undefined && existsSync(mark))
    context.skip('the count of reasons: every other group')
  const produced = new Set(existsSync(seen) ? readdirSync(seen) : [])
  const missing = [...(await declaredReasons())].filter(([reason]) => !produced.has(reason))
  expect(missing, 'no test shows these reasons with expectRefusal').toEqual([])
})

test('a reason belongs to one union, so that it says by itself what was refused', async () => {
  const shared = [...(await declaredReasons())].filter(([, places]) => places.length > 1)
  expect(shared).toEqual([])
})

test('every reason is in the catalogue of codes, but for those of the simulator alone', async () => {
  const known = new Set(listCatalogue().flatMap(({ entries }) => entries.map(({ code }) => code)))
  const own = (places: readonly string[]) => places.every((one) => !one.startsWith('simulator/'))
  const missing = [...(await declaredReasons())].filter(([code, at]) => !known.has(code) && own(at))
  expect(missing).toEqual([])
})

test('reasons are snake_case and can be file names', async () => {
  for (const reason of (await declaredReasons()).keys()) {
    expect(join(seen, reason)).toMatch(/\/[a-z][a-z0-9_]+$/)
  }
})
