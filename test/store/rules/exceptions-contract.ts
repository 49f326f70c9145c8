import { describe, expect, test } from 'vitest'
import type { DocumentHash } from '../../../src/base/document-hash.ts'
import type { Cause } from '../../../src/rollout/hold.ts'
import { MAX_OVERRIDES, type OverrideTarget } from '../../../src/rollout/override.ts'
import type { HoldToBegin } from '../../../src/store/rules/holds.ts'
import type { OverrideToCreate } from '../../../src/store/rules/overrides.ts'
import { namedHash } from '../../support/document-hash.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { at, attestationOf, newDeviceId, newId, type StoreUnderTest } from '../fixtures.ts'

/** Overrides, holds, leases of jobs, and how they are read together. */
export function exceptionsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const revision = async () => (await store().inForce()).controlRevision
  const actionsOf = async (id: string) => {
    const audit = await subject().query(
      `select action from audit where detail::text like '%${id}%' order by at, audit_id`,
    )
    const outbox = await subject().query(
      `select type, payload from outbox where payload::text like '%${id}%' order by created_at, event_id`,
    )
    const actions = audit.map(({ action }) => action)
    // Whoever reads the audit log finds the same as who is sent the events.
    expect(outbox.map(({ payload }) => Object(payload).action)).toEqual(actions)
    return actions
  }
  const label = (): OverrideTarget => ({ kind: 'label', name: newId('label-') })
  const overrideOf = (changes: Partial<OverrideToCreate> = {}): OverrideToCreate => ({
    overrideId: newId('ovr_'),
    target: label(),
    what: { action: 'allow' },
    reason: 'ticket 17',
    author: 'cli_admin',
    expiresAt: at(3600),
    now: at(5),
    ...changes,
  })
  const makeDevice = async () => {
    const deviceId = newDeviceId()
    await store().recordAttestation(attestationOf({ deviceId }))
    return deviceId
  }
  const makePolicy = async () => {
    const hash = namedHash(newId('policy-'))
    const names = { author: 'cli_admin', reason: '' }
    await store().proposeDocument({ kind: 'policy', hash, body: {}, ...names, now: at(0) })
    return hash
  }
  const listed = async (id: string) =>
    (await store().listOverrides(10_000)).find(({ overrideId }) => overrideId === id)

  describe('an override', () => {
    test('of a device or a label is kept as it was made, with audit and event', async () => {
      const target = { kind: 'device', name: await makeDevice() } as const
      const hash = await makePolicy()
      const pin = { action: 'pin', kind: 'policy', hash } as const
      for (const changes of [{}, { target }, { what: pin }, { target, what: pin }]) {
        const input = overrideOf(changes)
        const before = await revision()
        expect(await store().createOverride(input)).toBe('applied')
        expect(await revision()).toBeGreaterThan(before)
        const { what, now: createdAt, ...same } = input
        const expected = { ...same, ...what, createdAt }
        expect(await listed(input.overrideId)).toEqual(expected)
        const { overrides } = await store().control()
        expect(overrides).toContainEqual(expected)
        expect(await actionsOf(input.overrideId)).toEqual(['override.created'])
      }
    })

    test('of what nobody knows is refused, and nothing is written', async () => {
      const device = { kind: 'device', name: newDeviceId() } as const
      const pin = (kind: 'policy' | 'reference-values', hash: DocumentHash) =>
        ({ action: 'pin', kind, hash }) as const
      const known = await makePolicy()
      const before = await revision()
      for (const [answer, input] of [
        ['device_unknown', overrideOf({ target: device })],
        ['document_unknown', overrideOf({ what: pin('policy', namedHash(newId('policy-'))) })],
        ['document_unknown', overrideOf({ what: pin('reference-values', known) })],
      ] as const) {
        expect(await store().createOverride(input)).toBe(answer)
        expect(await listed(input.overrideId)).toBeUndefined()
        expect(await actionsOf(input.overrideId)).toEqual([])
      }
      expect(await revision()).toBe(before)
    })

    test('is ended once', async () => {
      const input = overrideOf()
      await store().createOverride(input)
      const end = { overrideId: input.overrideId, by: 'cli_admin', reason: 'over', now: at(60) }
      const before = await revision()
      expect(await store().endOverride(end)).toBe('applied')
      const after = await revision()
      expect(after).toBeGreaterThan(before)
      expect(await store().endOverride(end)).toBe('unchanged')
      const nobody = { ...end, overrideId: newId('ovr_') }
      expect(await store().endOverride(nobody)).toBe('override_unknown')
      expect(await revision()).toBe(after)
      expect(await listed(input.overrideId)).toBeUndefined()
      const { overrides } = await store().control()
      expect(overrides.map(({ overrideId }) => overrideId)).not.toContain(input.overrideId)
      expect(await actionsOf(input.overrideId)).toEqual(['override.created', 'override.ended'])
    })

    test('of two that end it at once one does', async () => {
      const input = overrideOf()
      await store().createOverride(input)
      const end = { overrideId: input.overrideId, by: 'cli_admin', reason: '', now: at(60) }
      const answers = await Promise.all([1, 2, 3, 4].map(() => store().endOverride(end)))
      expect(answers.toSorted()).toEqual(['applied', 'unchanged', 'unchanged', 'unchanged'])
    })

    test('that has expired is told of until it is ended, once', async () => {
      const input = overrideOf({ expiresAt: at(100) })
      await store().createOverride(input)
      const isTold = async (now: Date) =>
        (await store().expiredOverrides(now)).some((one) => one.overrideId === input.overrideId)
      expect(await isTold(new Date(at(100).getTime() - 1))).toBe(false)
      expect(await isTold(at(100))).toBe(true)
      const end = { overrideId: input.overrideId, by: 'service', reason: '', now: at(101) }
      const answers = await Promise.all([1, 2, 3].map(() => store().endOverride(end)))
      expect(answers.toSorted()).toEqual(['applied', 'unchanged', 'unchanged'])
      expect(await isTold(at(1000))).toBe(false)
      expect(await actionsOf(input.overrideId)).toEqual(['override.created', 'override.ended'])
    })

    test('that has expired is left out of what steers in time', async () => {
      const input = overrideOf({ expiresAt: at(100) })
      await store().createOverride(input)
      const isRead = async (now?: Date) => {
        const { overrides } = await store().control(now)
        return overrides.some(({ overrideId }) => overrideId === input.overrideId)
      }
      expect(await isRead()).toBe(true)
      expect(await isRead(at(0))).toBe(true)
      // Until then whoever reads it says for itself that it does not count.
      expect(await isRead(at(101))).toBe(true)
      expect(await isRead(at(100 + 86_400))).toBe(false)
    })

    test('is one of at most so many at once, also where they come together', async () => {
      const now = at(2_000_000)
      const times = { now, expiresAt: at(2_000_100) }
      const row = `'allow', 'label', 'many', 'r', 'a', '${at(0).toISOString()}', '${times.expiresAt.toISOString()}'`
      const [already] = await subject().query(`select count(*)::integer as rows from override
        where ended_at is null and expires_at > '${now.toISOString()}'`)
      const room = 3
      await subject().query(`insert into override (override_id, action, target_kind, target, reason,
        author, created_at, expires_at) select 'ovr_many_' || i, ${row}
        from generate_series(1, ${MAX_OVERRIDES - room - Number(already?.rows)}) as i`)
      const inputs = Array.from({ length: 8 }, () => overrideOf(times))
      const answers = await Promise.all(inputs.map((input) => store().createOverride(input)))
      expect(answers.filter((answer) => answer === 'applied')).toHaveLength(room)
      expect(answers.filter((answer) => answer === 'too_many')).toHaveLength(8 - room)
      // Those that have expired or were ended make room again.
      const [ended] = inputs.filter((_, index) => answers[index] === 'applied')
      const end = { overrideId: ended?.overrideId ?? '', by: 'a', reason: '', now }
      expect(await store().endOverride(end)).toBe('applied')
      expect(await store().createOverride(overrideOf(times))).toBe('applied')
      expect(await store().createOverride(overrideOf(times))).toBe('too_many')
      const later = { now: times.expiresAt, expiresAt: at(2_000_200) }
      expect(await store().createOverride(overrideOf(later))).toBe('applied')
      await subject().query(
        `delete from override where expires_at >= '${times.expiresAt.toISOString()}'`,
      )
    })
  })

  const clauseCause = (): Cause => ({ kind: 'clause', clause: newId('clause_') })
  const holdOf = (changes: Partial<HoldToBegin> = {}): HoldToBegin => ({
    holdId: newId('hld_'),
    cause: clauseCause(),
    covers: at(-1800),
    until: at(3600),
    evidence: { devices: 20, good: 1000, examples: ['dev_a'] },
    lengthen: false,
    most: 1000,
    restMs: 86_400_000,
    now: at(0),
    ...changes,
  })
  const begin = async (changes: Partial<HoldToBegin> = {}) => {
    const input = holdOf(changes)
    expect(await store().beginHold(input)).toBe('applied')
    return input
  }
  const end = (holdId: string, now: Date) =>
    store().endHold({ holdId, by: 'cli_admin', reason: 'looked into', now })
  const open = async (holdId: string) =>
    (await store().control()).holds.find((one) => one.holdId === holdId)

  describe('a hold', () => {
    test('begins with audit and event, and is kept as it is', async () => {
      const before = await revision()
      const input = await begin()
      expect(await revision()).toBeGreaterThan(before)
      const { holdId, cause, covers, until } = input
      const expected = { holdId, cause, covers, since: at(0), until }
      expect(await open(holdId)).toEqual(expected)
      const all = await store().listHolds(1000)
      expect(all.find((one) => one.holdId === holdId)).toEqual({
        ...expected,
        endedAt: null,
        evidence: input.evidence,
      })
      expect(await actionsOf(holdId)).toEqual(['hold.begun'])
    })

    test.each([
      { kind: 'clause', clause: 'a b' },
      { kind: 'policy_not_pinned', issuer: 'https://a.example' },
      { kind: 'anchor_not_listed', anchor: '' },
      { kind: 'stale', issuer: 'https://a.example' },
    ] as const)('is read with its cause: $kind', async (cause) => {
      const { holdId } = await begin({ cause })
      expect((await open(holdId))?.cause).toEqual(cause)
      expect(await end(holdId, at(1))).toBe('applied')
    })

    test('of a cause that is held already is not begun', async () => {
      const { cause, holdId } = await begin()
      const before = await revision()
      const again = holdOf({ cause, until: at(9000) })
      expect(await store().beginHold(again)).toBe('unchanged')
      expect((await open(holdId))?.until).toEqual(at(3600))
      expect(await revision()).toBe(before)
      expect(await actionsOf(again.holdId)).toEqual([])
    })

    test('is lengthened where that is wanted, and never shortened', async () => {
      const { cause, holdId } = await begin()
      const lengthen = (until: Date) => store().beginHold(holdOf({ cause, until, lengthen: true }))
      const before = await revision()
      expect(await lengthen(at(9000))).toBe('lengthened')
      expect(await revision()).toBeGreaterThan(before)
      expect((await open(holdId))?.until).toEqual(at(9000))
      for (const until of [at(9000), at(4000)]) expect(await lengthen(until)).toBe('unchanged')
      expect((await open(holdId))?.until).toEqual(at(9000))
    })

    test('ends once', async () => {
      const { holdId, cause } = await begin()
      const before = await revision()
      expect(await end(holdId, at(50))).toBe('applied')
      expect(await revision()).toBeGreaterThan(before)
      expect(await end(holdId, at(60))).toBe('unchanged')
      expect(await end(newId('hld_'), at(60))).toBe('hold_unknown')
      expect(await open(holdId)).toBeUndefined()
      const ended = (await store().listHolds(1000)).find((one) => one.holdId === holdId)
      expect(ended).toMatchObject({ cause, endedAt: at(50) })
      expect(await actionsOf(holdId)).toEqual(['hold.begun', 'hold.ended'])
    })

    test('of a cause that had one lately is not begun again by itself', async () => {
      const { holdId, cause } = await begin()
      await end(holdId, at(100))
      const again = (seconds: number, restMs: number) =>
        store().beginHold(holdOf({ cause, restMs, now: at(seconds) }))
      expect(await again(101, 86_400_000)).toBe('used_up')
      expect(await again(160, 61_000)).toBe('used_up')
      expect(await again(160, 60_000)).toBe('applied')
    })

    test('without a rest follows at once', async () => {
      const { holdId, cause } = await begin({ restMs: 0 })
      await end(holdId, at(100))
      expect(await store().beginHold(holdOf({ cause, restMs: 0, now: at(100) }))).toBe('applied')
    })

    test('is one of at most so many at once, also where they come together', async () => {
      const already = (await store().control()).holds.length
      const inputs = Array.from({ length: 6 }, () => holdOf({ most: already + 2 }))
      const answers = await Promise.all(inputs.map((input) => store().beginHold(input)))
      expect(answers.toSorted()).toEqual(['applied', 'applied', ...Array(4).fill('too_many')])
    })

    test('of one cause begins once where several processes found it', async () => {
      const cause = clauseCause()
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => store().beginHold(holdOf({ cause }))),
      )
      expect(answers.toSorted()).toEqual(['applied', ...Array(5).fill('unchanged')])
    })

    test('that is lengthened and ended at the same moment waits for nothing in a circle', async () => {
      for (let round = 0; round < 10; round++) {
        const { holdId, cause } = await begin({ restMs: 0 })
        const lengthen = (seconds: number) =>
          store().beginHold(holdOf({ cause, lengthen: true, restMs: 0, until: at(seconds) }))
        const answers = await Promise.all([
          lengthen(4000),
          end(holdId, at(1)),
          lengthen(5000),
          end(holdId, at(2)),
        ])
        expect(answers.filter((answer) => answer === 'applied').length).toBeGreaterThan(0)
        expect(await open(holdId)).toBeUndefined()
      }
    })

    test('whose time is over is told, from that instant on, until somebody ends it', async () => {
      const { holdId, until } = await begin({ until: at(700) })
      const isTold = async (now: Date) =>
        (await store().expiredHolds(now)).some((one) => one.holdId === holdId)
      expect(await isTold(new Date(until.getTime() - 1))).toBe(false)
      expect(await isTold(until)).toBe(true)
      await end(holdId, until)
      expect(await isTold(at(10_000))).toBe(false)
    })
  })

  describe('a job', () => {
    const claim = (job: string, holder: string, seconds: number) =>
      store().claimJob({ job, holder, now: at(seconds), until: at(seconds + 60) })

    test('is of one holder at a time, until its time is over', async () => {
      const job = newId('job-')
      expect(await claim(job, 'one', 0)).toBe('')
      expect(await claim(job, 'two', 59)).toBeNull()
      expect(await claim(job, 'two', 60)).toBe('')
      expect(await claim(job, 'one', 61)).toBeNull()
    })

    test('can be kept by who has it', async () => {
      const job = newId('job-')
      await claim(job, 'one', 0)
      expect(await claim(job, 'one', 30)).toBe('')
      expect(await claim(job, 'two', 89)).toBeNull()
      expect(await claim(job, 'two', 90)).toBe('')
    })

    test('goes on where the last one gave it up, or left it', async () => {
      const job = newId('job-')
      await claim(job, 'one', 0)
      const give = (holder: string, position: string, until: Date | null) =>
        store().yieldJob({ job, holder, position, until })
      expect(await give('one', 'dev_k', at(60))).toBe('applied')
      expect(await claim(job, 'two', 10)).toBeNull()
      expect(await claim(job, 'two', 60)).toBe('dev_k')
      expect(await give('two', 'dev_m', null)).toBe('applied')
      expect(await claim(job, 'one', 0)).toBe('dev_m')
    })

    test('is not given up by who has lost it', async () => {
      const job = newId('job-')
      await claim(job, 'one', 0)
      await claim(job, 'two', 60)
      const late = { job, holder: 'one', position: 'dev_z', until: null }
      expect(await store().yieldJob(late)).toBe('superseded')
      expect(await claim(job, 'one', 61)).toBeNull()
      expect(await store().yieldJob({ ...late, job: newId('job-') })).toBe('superseded')
    })

    test('is of one of many that claim it at once', async () => {
      const job = newId('job-')
      const holders = Array.from({ length: 8 }, (_, index) => `process ${index}`)
      const answers = await Promise.all(holders.map((holder) => claim(job, holder, 0)))
      expect(answers.filter((position) => position !== null)).toEqual([''])
    })
  })

  test('what steers is read whole: pointers, open rollouts, exceptions and holds', async () => {
    const hash = namedHash(newId('policy-'))
    const names = { author: 'cli_admin', reason: '' }
    const document = { kind: 'policy', hash, body: {}, ...names, now: at(77) } as const
    await putInForce(store(), document)
    const control = await store().control()
    expect(control.revision).toBe(await revision())
    expect(control.active).toContainEqual({ kind: 'policy', hash, activatedAt: at(77) })
    expect(control.rollouts.filter(({ kind }) => kind === 'policy')).toEqual([])
    expect(control.holds.length).toBeGreaterThan(0)
    expect(control.overrides.length).toBeGreaterThan(0)
  })

  test('what is read of a device changes none of it', async () => {
    const before = await revision()
    await makeDevice()
    await store().claimJob({ job: newId('job-'), holder: 'one', now: at(0), until: at(1) })
    expect(await revision()).toBe(before)
  })
}
