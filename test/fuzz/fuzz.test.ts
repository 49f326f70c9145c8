import { beforeAll, describe, expect, test } from 'vitest'
import { describeVectors } from '../support/vectors.ts'
import { fuzz, isOk, type Target } from './fuzz.ts'
import { allTargets } from './targets.ts'

const seeds = [Buffer.from('abcdefgh')]
const run = (parse: Target['parse'], executions = 2000) =>
  fuzz([{ name: 'faulty', seeds, parse }], { executions, seed: 7 })
const ok = { ok: true }

describe('the fuzzer finds a parser that', () => {
  test('throws', () => {
    const { findings } = run((bytes) => {
      if (bytes.length < 4) throw new RangeError('out of bounds')
      return ok
    })
    expect(findings[0]?.what).toMatch(/^threw RangeError: out of bounds/)
  })

  test('reads past the end of its input', () => {
    const { findings } = run((bytes) => ({
      ok: true,
      value: new Uint8Array(bytes.buffer)[bytes.byteOffset + bytes.length],
    }))
    expect(findings[0]?.what).toBe('read past an end')
  })

  test('answers what is no answer', () => {
    expect(run(() => 'fine').findings[0]?.what).toBe('answered fine')
    expect(run(() => ({ ok: false })).findings[0]?.what).toBe('answered [object Object]')
  })

  test('and nothing in one that is right', () => {
    const report = run((bytes) => (bytes.length > 4 ? ok : undefined))
    expect(report.findings).toEqual([])
    expect(report.accepted.get('faulty')).toBeGreaterThan(100)
  })
})

/** The seeds are real; that nothing may throw is the contract of `Result` in src/base/result.ts. */
describeVectors('every parser', () => {
  let targets: readonly Target[]
  beforeAll(async () => {
    targets = await allTargets()
  })

  test('is there, and accepts something of what its mutations begin from', () => {
    expect(targets.length).toBeGreaterThan(40)
    // Sealed by a key that nobody has here: their first check is the only one.
    const sealed = ['nonce', 'service context']
    const deaf = targets.filter(({ name, seeds, parse }) => {
      return !sealed.includes(name) && !seeds.some((seed) => isOk(parse(seed)))
    })
    expect(deaf.map(({ name }) => name)).toEqual([])
  })

  test('neither throws nor reads past an end, whatever it is fed', () => {
    expect(fuzz(targets, { executions: 10_000, seed: 1 }).findings).toEqual([])
  })
})
