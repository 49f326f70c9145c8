import { describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../src/appraisal/reference-values.ts'
import { BASELINE_POLICY } from '../src/policy/baseline.ts'
import { compilePolicy } from '../src/policy/compile.ts'
import { createRulesInForce } from '../src/rules.ts'
import type { Json } from '../src/store/json.ts'
import type { Store } from '../src/store/store.ts'
import { documentOf } from './policy/healthy-device.ts'
import { expectOk } from './support/refusal.ts'
import { START, testClock } from './support/service.ts'

const VALUES = { enclaves: [] }

/** The part of a store that rules are read from, and how often it was asked. */
function documentStore() {
  const bodies = new Map<string, Json>()
  const reads = { documents: 0, records: 0 }
  const active = { policyHash: null as string | null, referenceValuesHash: null as string | null }
  const store: Pick<Store, 'document' | 'trustRecord'> = {
    document(kind, hash) {
      reads.documents += 1
      const body = bodies.get(hash)
      const about = { kind, hash, parent: null, author: 'test', reason: 'test', createdAt: START }
      return Promise.resolve(body === undefined ? null : { ...about, body })
    },
    trustRecord() {
      reads.records += 1
      return Promise.resolve({ ...active, record: null })
    },
  }
  return {
    store: store as Store,
    reads,
    active,
    putPolicy(body: object): string {
      const { hash } = expectOk(compilePolicy(body))
      bodies.set(hash, body as Json)
      active.policyHash = hash
      return hash
    },
    putValues(body: object): string {
      const { hash } = expectOk(parseReferenceValues(body))
      bodies.set(hash, body as Json)
      active.referenceValuesHash = hash
      return hash
    },
    put: (hash: string, body: Json) => bodies.set(hash, body),
  }
}

function start() {
  const documents = documentStore()
  const clock = testClock()
  const policyHash = documents.putPolicy(BASELINE_POLICY)
  const referenceValuesHash = documents.putValues(VALUES)
  const rules = createRulesInForce(documents.store, clock.now)
  return { ...documents, clock, rules, hashes: { policyHash, referenceValuesHash } }
}

describe('the rules of given hashes', () => {
  test('are read and compiled once', async () => {
    const { rules, reads, hashes } = start()
    const first = await rules.ofHashes(hashes)
    expect(first.policy.hash).toBe(hashes.policyHash)
    expect(first.referenceValues.hash).toBe(hashes.referenceValuesHash)
    expect(rules.ofHashes(hashes)).toEqual(first)
    expect(reads.documents).toBe(2)
  })

  test('are those of the hashes, whatever was asked for before', async () => {
    const { rules, hashes, putPolicy } = start()
    await rules.ofHashes(hashes)
    const strict = putPolicy(documentOf('false'))
    expect((await rules.ofHashes({ ...hashes, policyHash: strict })).policy.hash).toBe(strict)
    expect((await rules.ofHashes(hashes)).policy.hash).toBe(hashes.policyHash)
  })

  test('are read again when many others were needed meanwhile', async () => {
    const { rules, reads, hashes, putPolicy } = start()
    await rules.ofHashes(hashes)
    for (let i = 0; i < 8; i++) {
      const policyHash = putPolicy(documentOf(`${i} == ${i}`))
      await rules.ofHashes({ ...hashes, policyHash })
    }
    const before = reads.documents
    expect((await rules.ofHashes(hashes)).policy.hash).toBe(hashes.policyHash)
    expect(reads.documents).toBeGreaterThan(before)
  })

  test.each([
    ['there is none', { policyHash: null }],
    ['it is not there', { policyHash: 'lost' }],
    ['it does not compile', { policyHash: 'broken' }],
  ])('are a fault and never a pass where %s', async (_name, change) => {
    const { rules, hashes, put } = start()
    put('broken', { name: 'x', clauses: [] })
    await expect(async () => rules.ofHashes({ ...hashes, ...change })).rejects.toThrow(/active/)
  })

  test('are asked for again after a fault', async () => {
    const { rules, hashes, put } = start()
    const { hash, document } = expectOk(compilePolicy(documentOf('true')))
    const wanted = { ...hashes, policyHash: hash }
    await expect(async () => rules.ofHashes(wanted)).rejects.toThrow(/missing/)
    put(hash, document as Json)
    expect((await rules.ofHashes(wanted)).policy.hash).toBe(hash)
  })
})

describe('the recent rules', () => {
  test('are at most a second old, on a clock that may also go back', async () => {
    const { rules, reads, clock, putPolicy, hashes } = start()
    expect((await rules.recent()).policy.hash).toBe(hashes.policyHash)
    const strict = putPolicy(documentOf('false'))
    clock.advance(0.999)
    expect((await rules.recent()).policy.hash).toBe(hashes.policyHash)
    expect(reads.records).toBe(1)
    clock.advance(0.001)
    expect((await rules.recent()).policy.hash).toBe(strict)
    clock.advance(-5)
    await rules.recent()
    expect(reads.records).toBe(3)
  })

  test('are a fault where nothing is in force', async () => {
    const { rules, active } = start()
    active.policyHash = null
    await expect(rules.recent()).rejects.toThrow('no policy or no reference values are active')
  })
})
