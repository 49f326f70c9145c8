import { describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import type { DocumentHash } from '../../../src/base/document-hash.ts'
import { createRulesReader } from '../../../src/operations/release/rules-in-force.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import type { Control } from '../../../src/rollout/in-force.ts'
import type { Json } from '../../../src/store/json.ts'
import type { Store } from '../../../src/store/store.ts'
import { agent, documentOf } from '../../policy/healthy-device.ts'
import { overrideOf, rolloutOf } from '../../rollout/in-force-fixture.ts'
import { namedHash } from '../../support/document-hash.ts'
import { expectOk } from '../../support/refusal.ts'
import { START, testClock } from '../../support/service.ts'

const VALUES = { enclaves: [] }

/** The part of a store that rules are read from, and how often it was asked. */
function documentStore() {
  const bodies = new Map<string, Json>()
  const reads = { documents: 0, records: 0, controls: 0 }
  const active = {
    policyHash: null as DocumentHash | null,
    referenceValuesHash: null as DocumentHash | null,
  }
  const pointers = () =>
    [
      { kind: 'policy' as const, hash: active.policyHash },
      { kind: 'reference-values' as const, hash: active.referenceValuesHash },
    ].flatMap(({ kind, hash }) => (hash === null ? [] : [{ kind, hash, activatedAt: START }]))
  let revision = 1
  let others: Partial<Control> = {}
  const store: Pick<Store, 'document' | 'inForce' | 'control'> = {
    document(kind, hash) {
      reads.documents += 1
      const body = bodies.get(hash)
      const about = {
        kind,
        hash: namedHash(hash),
        parent: null,
        author: 'test',
        reason: 'test',
        createdAt: START,
      }
      return Promise.resolve(body === undefined ? null : { ...about, body })
    },
    inForce() {
      reads.records += 1
      return Promise.resolve({ ...active, controlRevision: revision })
    },
    control() {
      reads.controls += 1
      return Promise.resolve({
        revision,
        active: pointers(),
        rollouts: [],
        overrides: [],
        holds: [],
        ...others,
      })
    },
  }
  return {
    store,
    reads,
    active,
    putPolicy(body: object): DocumentHash {
      const { hash } = expectOk(compilePolicy(body))
      bodies.set(hash, body as Json)
      active.policyHash = hash
      revision += 1
      return hash
    },
    putValues(body: object): DocumentHash {
      const { hash } = expectOk(parseReferenceValues(body))
      bodies.set(hash, body as Json)
      active.referenceValuesHash = hash
      return hash
    },
    put: (hash: string, body: Json) => bodies.set(hash, body),
    /** Keeps a policy without making it active. */
    keepPolicy(body: object): DocumentHash {
      const { hash } = expectOk(compilePolicy(body))
      bodies.set(hash, body as Json)
      return hash
    },
    steerBy(control: Partial<Control>): void {
      others = control
      revision += 1
    },
  }
}

function start() {
  const documents = documentStore()
  const clock = testClock()
  const policyHash = documents.putPolicy(BASELINE_POLICY)
  const referenceValuesHash = documents.putValues(VALUES)
  const rules = createRulesReader(documents.store, { clock: clock.now, outageGraceMs: 1234 })
  const rulesInForce = async () => rules.at(await documents.store.inForce())
  return { ...documents, clock, rules, rulesInForce, hashes: { policyHash, referenceValuesHash } }
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
    ['it is not there', { policyHash: namedHash('lost') }],
    ['it does not compile', { policyHash: namedHash('broken') }],
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

describe('what steers decisions', () => {
  test('is read once for each revision', async () => {
    const { rules, reads, store, hashes, putPolicy } = start()
    const steering = await store.inForce()
    const rulesInForce = await rules.at(steering)
    expect(rulesInForce.active.policy.hash).toBe(hashes.policyHash)
    expect(rules.at(steering)).toBe(rulesInForce)
    expect(reads.controls).toBe(1)
    const strict = putPolicy(documentOf('false'))
    expect((await rules.at(await store.inForce())).active.policy.hash).toBe(strict)
    expect(reads.controls).toBe(2)
  })

  test('follows a database that was set back to an older revision', async () => {
    const { rules, reads, store } = start()
    const steering = await store.inForce()
    await rules.at(steering)
    await rules.at({ ...steering, controlRevision: steering.controlRevision - 1 })
    expect(reads.controls).toBe(2)
  })
})

describe('the course of a device', () => {
  const DEVICE = { deviceId: 'dev_a', labels: ['vip'], ring: 0 }
  const OTHER = { deviceId: 'dev_b', labels: [], ring: 99 }
  const target = { kind: 'device', name: 'dev_a' } as const
  const seconds = (count: number) => new Date(START.getTime() + count * 1000)

  test('is what is active, where nothing else steers', async () => {
    const { rulesInForce, hashes } = start()
    const { rulesFor, active } = await rulesInForce()
    for (const device of [DEVICE, OTHER, null]) {
      expect(rulesFor(device, seconds(10))).toEqual({
        rules: active,
        reliefs: {
          policySince: START,
          referenceValuesSince: START,
          holds: [],
          allowedUntil: null,
          outageGraceMs: 1234,
        },
        trials: [],
      })
    }
    expect(active.policy.hash).toBe(hashes.policyHash)
  })

  test('is the new document of a rollout, since its beginning, once that enforces', async () => {
    const { rulesInForce, steerBy, keepPolicy, hashes } = start()
    const to = keepPolicy(documentOf('false'))
    const names = { from: hashes.policyHash, to, createdAt: seconds(-7) }
    const audit = rolloutOf(names)
    steerBy({ rollouts: [audit] })
    const before = (await rulesInForce()).rulesFor(DEVICE, seconds(10))
    expect(before.rules.policy.hash).toBe(hashes.policyHash)
    expect(before.reliefs.policySince).toEqual(START)
    expect(before.trials).toEqual([audit])
    const enforcing = rolloutOf({ ...names, pass: 'enforce' })
    steerBy({ rollouts: [enforcing] })
    const { rulesFor, active, rulesOf } = await rulesInForce()
    const course = rulesFor(DEVICE, seconds(10))
    expect(course.rules.policy.hash).toBe(to)
    expect(course.rules.referenceValues).toBe(active.referenceValues)
    expect(course.reliefs.policySince).toEqual(seconds(-7))
    expect(course.trials).toEqual([enforcing])
    for (const device of [OTHER, null]) {
      expect(rulesFor(device, seconds(10))).toMatchObject({
        rules: { policy: { hash: hashes.policyHash } },
        trials: [],
      })
    }
    expect(active.policy.hash).toBe(hashes.policyHash)
    expect(rulesOf(to, hashes.referenceValuesHash).policy.hash).toBe(to)
    expect(() => rulesOf('lost', hashes.referenceValuesHash)).toThrow()
  })

  test('is the old document again as soon as the rollout is over', async () => {
    const { rulesInForce, steerBy, keepPolicy, hashes } = start()
    const to = keepPolicy(documentOf('false'))
    const names = { from: hashes.policyHash, to, pass: 'enforce' } as const
    steerBy({ rollouts: [rolloutOf(names)] })
    expect((await rulesInForce()).rulesFor(DEVICE, seconds(1)).rules.policy.hash).toBe(to)
    steerBy({ rollouts: [rolloutOf({ ...names, state: 'halted' })] })
    const { rules, trials } = (await rulesInForce()).rulesFor(DEVICE, seconds(1))
    expect({ hash: rules.policy.hash, trials }).toEqual({ hash: hashes.policyHash, trials: [] })
  })

  test('is the pinned document until the pin expires, whatever is on trial', async () => {
    const { rulesInForce, steerBy, keepPolicy, hashes } = start()
    const [to, hash] = [keepPolicy(documentOf('false')), keepPolicy(documentOf('1 == 1'))]
    const times = { createdAt: seconds(3), expiresAt: seconds(60) }
    const pin = overrideOf(target, { action: 'pin', kind: 'policy', hash }, times)
    const rollout = rolloutOf({ from: hashes.policyHash, to, pass: 'enforce' })
    steerBy({ rollouts: [rollout], overrides: [pin] })
    const { rulesFor } = await rulesInForce()
    const pinned = rulesFor(DEVICE, seconds(59))
    expect(pinned.rules.policy.hash).toBe(hash)
    expect(pinned.reliefs.policySince).toEqual(seconds(3))
    expect(pinned.trials).toEqual([rollout])
    expect(rulesFor(DEVICE, seconds(60)).rules.policy.hash).toBe(to)
    expect(rulesFor({ ...OTHER, ring: 0 }, seconds(1)).rules.policy.hash).toBe(to)
  })

  test('tells of an allowance, and of every hold', async () => {
    const { rulesInForce, steerBy } = start()
    const cause = { kind: 'clause', clause: 'added' } as const
    const times = { covers: seconds(-60), since: seconds(0), until: seconds(60) }
    const held = { holdId: 'hld_a', cause, ...times }
    const allowance = overrideOf(target, undefined, { expiresAt: seconds(60) })
    steerBy({ overrides: [allowance], holds: [held] })
    const { rulesFor } = await rulesInForce()
    const reliefsOf = (device: typeof DEVICE | null, now: Date) => rulesFor(device, now).reliefs
    expect(reliefsOf(DEVICE, seconds(59))).toMatchObject({
      allowedUntil: seconds(60),
      holds: [{ cause, covers: times.covers, until: times.until }],
    })
    expect(reliefsOf(DEVICE, seconds(60)).allowedUntil).toBeNull()
    expect(reliefsOf(null, seconds(1))).toMatchObject({ allowedUntil: null, holds: [held] })
  })

  test('is a fault, and never a pass, where the active document is lost', async () => {
    const { rulesInForce, active } = start()
    active.policyHash = namedHash('lost')
    await expect(rulesInForce()).rejects.toThrow(/missing/)
  })

  test('passes over a pinned document or one on trial that is lost, and says so', async () => {
    const { rulesInForce, steerBy, hashes } = start()
    const pin = overrideOf(target, { action: 'pin', kind: 'policy', hash: namedHash('lost') })
    const rollout = rolloutOf({
      from: hashes.policyHash,
      to: namedHash('gone'),
      pass: 'enforce',
      stage: 4,
    })
    steerBy({ overrides: [pin], rollouts: [rollout] })
    const { rulesFor, control, unusable } = await rulesInForce()
    expect(rulesFor(DEVICE, seconds(1)).rules.policy.hash).toBe(hashes.policyHash)
    expect(unusable.toSorted()).toEqual(['gone', 'lost'])
    expect(control).toMatchObject({ overrides: [], rollouts: [] })
  })

  test('lets evidence in that any of the reference values in force believes', async () => {
    const { rulesInForce, steerBy, putValues, active, hashes } = start()
    const next = putValues({ enclaves: [agent()] })
    active.referenceValuesHash = hashes.referenceValuesHash
    const rollout = rolloutOf({
      kind: 'reference-values',
      from: hashes.referenceValuesHash,
      to: next,
    })
    steerBy({ rollouts: [rollout] })
    const { referenceValues, dependsOnLabels } = await rulesInForce()
    expect(referenceValues.map(({ hash }) => hash).toSorted()).toEqual(
      [hashes.referenceValuesHash, next].toSorted(),
    )
    expect(dependsOnLabels).toBe(false)
    steerBy({ overrides: [overrideOf({ kind: 'label', name: 'vip' })] })
    expect((await rulesInForce()).dependsOnLabels).toBe(true)
  })

  test('knows of more documents than are kept', async () => {
    const { rulesInForce, steerBy, keepPolicy } = start()
    const hashes = Array.from({ length: 20 }, (_, i) => keepPolicy(documentOf(`${i} == ${i}`)))
    const overrides = hashes.map((hash, i) =>
      overrideOf({ kind: 'device', name: `dev_${i}` }, { action: 'pin', kind: 'policy', hash }),
    )
    steerBy({ overrides })
    const { rulesFor } = await rulesInForce()
    for (const [i, hash] of hashes.entries()) {
      const device = { ...OTHER, deviceId: `dev_${i}` }
      expect(rulesFor(device, seconds(1)).rules.policy.hash).toBe(hash)
    }
  })
})

describe('the recent rules', () => {
  test('are at most a second old, on a clock that may also go back', async () => {
    const { rules, reads, clock, putPolicy, hashes } = start()
    expect((await rules.recent()).active.policy.hash).toBe(hashes.policyHash)
    const strict = putPolicy(documentOf('false'))
    clock.advance(0.999)
    expect((await rules.recent()).active.policy.hash).toBe(hashes.policyHash)
    expect(reads.records).toBe(1)
    clock.advance(0.001)
    expect((await rules.recent()).active.policy.hash).toBe(strict)
    clock.advance(-5)
    await rules.recent()
    expect(reads.records).toBe(3)
  })

  test('are new at once in the process that has put a document into force', async () => {
    const { rules, putPolicy, hashes } = start()
    expect((await rules.recent()).active.policy.hash).toBe(hashes.policyHash)
    const strict = putPolicy(documentOf('false'))
    const compiled = expectOk(compilePolicy(documentOf('false')))
    rules.keep({ kind: 'policy', compiled })
    expect((await rules.recent()).active.policy.hash).toBe(strict)
  })

  test('are a fault where nothing is in force', async () => {
    const { rules, active } = start()
    active.policyHash = null
    await expect(rules.recent()).rejects.toThrow('no policy or no reference values are active')
  })
})
