import fc from 'fast-check'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { LintedDocument } from '../../../src/operations/release/check-document.ts'
import { isOpen } from '../../../src/rollout/rollout.ts'
import type { Store } from '../../../src/store/store.ts'
import { namedHash } from '../../support/document-hash.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { START } from '../../support/service.ts'
import { type Act, openReleaseWorld, type ReleaseWorld } from './release-world.ts'

/** The gate that is taken out, by what the operations depend on: their code is the real one. */
type Gate =
  | 'lint'
  | 'preview'
  | 'preview of this document'
  | 'preview against what is in force'
  | 'accepted denials'
  | 'the same document in force'
  | 'the same document beside it'
  | 'the count before an end'
  | 'the halt of the document'

const without: { gate: Gate | undefined } = { gate: undefined }
const isOut = (gate: Gate) => without.gate === gate

/** What a preview says that found nobody who would lose anything. */
const HARMLESS = {
  version: 2,
  compared: 3,
  moments: { left_out_of_candidate: 0, devices_cut: 0 },
  newly_denied: { devices: 0 },
  newly_refused: { devices: 0 },
  questions: { newly_denied: { devices: 0 }, denied_later: { devices: 0 } },
  denied_later: { devices: 0 },
}

/** Lint that has nothing against anything, where its gate is out. */
function relint(linted: LintedDocument): LintedDocument {
  return isOut('lint') ? { ...linted, findings: [] } : linted
}

/** Lets two that are at the same place go on together, and one that stays alone after a while. */
let arrived: (() => void) | undefined
function twoHaveCome(): Promise<void> {
  return new Promise((resolve) => {
    if (arrived === undefined) {
      const alone = setTimeout(resolve, 1000)
      arrived = () => {
        clearTimeout(alone)
        resolve()
      }
      return
    }
    arrived()
    arrived = undefined
    resolve()
  })
}

/** A store that says what a gate wants to hear, where that gate is out. */
function lie(store: Store): Store {
  return {
    ...store,
    async preview(kind, hash) {
      const found = await store.preview(kind, hash)
      const inForce = await store.inForce()
      const { policyHash, referenceValuesHash } = inForce
      if (policyHash === null || referenceValuesHash === null) return found
      if (isOut('preview')) {
        const made = { at: START, by: 'nobody', summary: HARMLESS }
        return { kind, hash: namedHash(hash), policyHash, referenceValuesHash, ...made }
      }
      if (isOut('accepted denials') && found !== null) return { ...found, summary: HARMLESS }
      if (isOut('preview against what is in force') && found !== null) {
        return { ...found, policyHash, referenceValuesHash }
      }
      if (!isOut('preview of this document') || found !== null) return found
      for (const other of await store.listDocuments(kind, 20)) {
        const preview = await store.preview(kind, other.hash)
        if (preview !== null)
          return { ...preview, hash: namedHash(hash), policyHash, referenceValuesHash }
      }
      return null
    },
    haltedRollouts: async (...of) =>
      isOut('the halt of the document') ? [] : store.haltedRollouts(...of),
    startRollout: ({ despite, ...input }) =>
      store.startRollout({ ...input, ...(!isOut('the halt of the document') && { despite }) }),
    async activateDocument({ expected, beside, despite, ...input }) {
      if (without.gate?.startsWith('the same document')) await twoHaveCome()
      for (;;) {
        const answer = await putInForce(store, {
          ...input,
          ...(!isOut('the same document in force') && { expected }),
          ...(!isOut('the same document beside it') && { beside }),
          ...(!isOut('the halt of the document') && { despite }),
        })
        if (answer !== 'superseded' || !without.gate?.startsWith('the same document')) return answer
        const { policyHash, referenceValuesHash } = await store.inForce()
        const [own, other] =
          input.kind === 'policy'
            ? [policyHash, referenceValuesHash]
            : [referenceValuesHash, policyHash]
        // What the gate that is not out says is told.
        if (isOut('the same document in force') ? other !== beside : own !== expected) return answer
      }
    },
    async rollout(rolloutId) {
      const rollout = await store.rollout(rolloutId)
      const isLie = rollout !== null && isOpen(rollout.state) && isOut('the count before an end')
      return isLie ? { ...rollout, pass: 'audit' } : rollout
    },
  }
}

const RUNS = 25

const kind = fc.constantFrom('policy' as const, 'reference-values' as const)
const document = fc.record({ kind, at: fc.nat(4) }).map((one) => {
  return { ...one, at: one.kind === 'policy' ? one.at : one.at % 4 }
})
const by = fc.constantFrom('first' as const, 'second' as const, 'command' as const)
const release = fc
  .record({
    document,
    by,
    way: fc.constantFrom('by_size' as const, 'at_once' as const, 'rollout' as const),
    accept: fc.constantFrom(0, 0, 3),
    despite: fc.boolean(),
  })
  .map(({ document, ...one }): Act => ({ act: 'release', ...document, ...one }))
const goBack = fc.record({ by, kind }).map((one): Act => ({ act: 'roll_back', ...one }))
const preview = document.map((one): Act => ({ act: 'preview', ...one }))
const steer = fc
  .record({
    by,
    verb: fc.constantFrom(
      'promote' as const,
      'promote' as const,
      'revert' as const,
      'pause' as const,
      'resume' as const,
    ),
    back: fc.nat(2),
  })
  .map((one): Act => ({ act: 'steer', ...one }))
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: release },
  { weight: 2, arbitrary: preview },
  { weight: 4, arbitrary: steer },
  { weight: 2, arbitrary: goBack },
  { weight: 1, arbitrary: document.map((one): Act => ({ act: 'activate_kept', ...one })) },
  { weight: 1, arbitrary: fc.nat(3).map((at): Act => ({ act: 'pin', at })) },
  { weight: 2, arbitrary: fc.constant<Act>({ act: 'control' }) },
  { weight: 1, arbitrary: fc.constant<Act>({ act: 'first_start' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(60, 3601).map((seconds): Act => ({ act: 'time', seconds })),
  },
)
/** One after the other, and two at once. */
const acts = fc.array(fc.oneof(fc.tuple(act), fc.tuple(act, act)), { minLength: 2, maxLength: 12 })

const property = (world: ReleaseWorld) =>
  fc.asyncProperty(acts, async (steps) => {
    await world.reset()
    for (const together of steps) await Promise.all(together.map(world.perform))
    await world.expectGated()
  })

describe.each([
  ['in a fleet that a request replays', {}],
  ['in one that it does not', { replaysAtMost: 2 }],
  ['with two administrators', { demandsSecond: true }],
])('%s', async (_, options) => {
  const world = await openReleaseWorld(options)
  afterAll(world.close)

  test('no document comes into force but through every gate', async () => {
    await fc.assert(property(world), { numRuns: RUNS })
  }, 120_000)
})

describe('the property finds a way where a gate is taken out:', async () => {
  const world = await openReleaseWorld({ wrap: lie, relint })
  afterAll(world.close)
  afterEach(() => {
    without.gate = undefined
    arrived = undefined
  })

  const release = (kind: 'policy' | 'reference-values', at: number, more: object = {}): Act => ({
    ...{ act: 'release', by: 'first', kind, at, way: 'at_once', accept: 0, despite: false },
    ...more,
  })
  /** On record, so that neither of two at once is refused because the other is just making one. */
  const onRecord = (kind: 'policy' | 'reference-values', at: number): Act => {
    return { act: 'preview', kind, at }
  }
  const promote: Act = { act: 'steer', by: 'command', verb: 'promote', back: 0 }
  const revert: Act = { act: 'steer', by: 'command', verb: 'revert', back: 0 }
  /** A way through each gap, with which the search begins, so that it is found at once. */
  const WAYS: readonly [Gate, readonly (readonly Act[])[]][] = [
    ['lint', [[release('policy', 4, { by: 'command', accept: 3 })]]],
    ['preview', [[release('policy', 1)]]],
    [
      'preview of this document',
      [[release('policy', 1)], [release('policy', 0)], [release('policy', 2)]],
    ],
    [
      'preview against what is in force',
      [[onRecord('policy', 1)], [release('reference-values', 1)], [release('policy', 1)]],
    ],
    ['accepted denials', [[release('policy', 3)]]],
    [
      'the same document in force',
      [
        [onRecord('policy', 1)],
        [onRecord('policy', 2)],
        [release('policy', 1), release('policy', 2, { by: 'second' })],
      ],
    ],
    [
      'the same document beside it',
      [
        [onRecord('policy', 1)],
        [onRecord('reference-values', 1)],
        [release('policy', 1), release('reference-values', 1, { by: 'second' })],
      ],
    ],
    [
      'the count before an end',
      [
        [release('policy', 3, { by: 'command', accept: 3 })],
        [release('policy', 1, { way: 'rollout' })],
        [promote],
        [revert],
      ],
    ],
    [
      'the halt of the document',
      [
        [release('policy', 3, { by: 'command', way: 'rollout', accept: 3 })],
        [{ act: 'control' }],
        [release('policy', 3, { by: 'command', accept: 3 })],
      ],
    ],
  ]

  test.each(WAYS)(
    '%s',
    async (gate, way) => {
      const once = { examples: [[way]] as [(readonly Act[])[]][], numRuns: 1, endOnFailure: true }
      const whole = await fc.check(property(world), once as never)
      expect(whole.failed, JSON.stringify(whole.errorInstance)).toBe(false)
      without.gate = gate
      const gap = await fc.check(property(world), { ...once, numRuns: 20 } as never)
      expect(gap.failed).toBe(true)
    },
    60_000,
  )
})
