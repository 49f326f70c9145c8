import { describe, expect, test } from 'vitest'
import { DEFAULT_PLAN, type Rollout, type RolloutHealth } from '../../../src/rollout/rollout.ts'
import type { RolloutStepToTake, RolloutToStart } from '../../../src/store/rules/rollouts.ts'
import { namedHash } from '../../support/document-hash.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { besideOf } from '../../support/recorded-fleet.ts'
import { at, newId, type StoreUnderTest } from '../fixtures.ts'

/** Rollouts, and what steers decisions. */
export function controlContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const kind = 'reference-values' as const
  const names = { author: 'cli_admin', reason: 'ticket 17' }

  const revision = async () => (await store().inForce()).controlRevision
  /** What is written about an object by its id: one audit row and one event for each change. */
  const written = async (id: string) => {
    const read = (table: string, column: string, order: string) =>
      subject().query(`select * from ${table} where ${column}::text like '%${id}%'
        and device_id = 'service' order by ${order}`)
    const audit = await read('audit', 'detail', 'at, audit_id')
    const outbox = await read('outbox', 'payload', 'created_at, event_id')
    return {
      actions: audit.map(({ action }) => action),
      events: outbox.map(({ payload }) => Object(payload).action),
      types: [...new Set(outbox.map(({ type }) => type))],
      last: audit.at(-1),
    }
  }
  /** A new active document, which ends what is open, and one more that can follow it. */
  const makeDocuments = async () => {
    const [from, to] = [namedHash(newId('values-')), namedHash(newId('values-'))]
    const body = { enclaves: [] }
    await putInForce(store(), { kind, hash: from, body, ...names, now: at(0) })
    await store().proposeDocument({ kind, hash: to, body, ...names, now: at(0) })
    return { from, to, beside: await besideOf(store(), kind) }
  }
  const startOf = ({
    from,
    to,
    beside,
  }: Pick<RolloutToStart, 'from' | 'to' | 'beside'>): RolloutToStart => ({
    rolloutId: newId('rol_'),
    kind,
    from,
    to,
    beside,
    plan: DEFAULT_PLAN,
    note: 'begins',
    ...names,
    now: at(10),
  })
  const readRollout = async (rolloutId: string): Promise<Rollout> => {
    const rollout = await store().rollout(rolloutId)
    if (rollout === null) throw new Error('there is no such rollout')
    return rollout
  }
  const start = async (): Promise<Rollout> => {
    const input = startOf(await makeDocuments())
    expect(await store().startRollout(input)).toBe('applied')
    return readRollout(input.rolloutId)
  }
  const stepOf = (
    { rolloutId, revision, pass, stage }: Rollout,
    changes: Partial<RolloutStepToTake> = {},
  ): RolloutStepToTake => ({
    ...{ rolloutId, revision, pass, stage },
    ...{ action: 'entered', state: 'running', note: 'a step', health: null },
    ...{ by: 'service', now: at(20) },
    ...changes,
  })
  const healthOf = (newlyDenied: number): RolloutHealth => {
    const found = { causes: [{ cause: 'a clause', devices: 1 }], examples: ['dev_a'] }
    return { at: at(15).toISOString(), compared: 100, devices: 200, newlyDenied, ...found }
  }

  describe('a rollout', () => {
    test('begins in the first stage of its audit, with audit and event', async () => {
      const input = startOf(await makeDocuments())
      const before = await revision()
      expect(await store().startRollout(input)).toBe('applied')
      expect(await store().rollout(input.rolloutId)).toEqual({
        rolloutId: input.rolloutId,
        kind,
        from: input.from,
        to: input.to,
        beside: (await store().activeDocument('policy'))?.hash ?? null,
        state: 'running',
        pass: 'audit',
        stage: 0,
        plan: DEFAULT_PLAN,
        since: at(10),
        enforcedAt: {},
        despite: null,
        health: null,
        note: 'begins',
        author: 'cli_admin',
        reason: 'ticket 17',
        createdAt: at(10),
        updatedAt: at(10),
        revision: 1,
      })
      expect(await revision()).toBeGreaterThan(before)
      expect((await store().activeDocument(kind))?.hash).toBe(input.from)
      const { actions, events, types, last } = await written(input.rolloutId)
      expect(actions).toEqual(['rollout.started'])
      expect(events).toEqual(['rollout.started'])
      expect(types).toEqual(['rollout-changed'])
      expect(last).toMatchObject({
        actor: 'cli_admin',
        detail: { from: input.from, to: input.to, reason: 'ticket 17' },
      })
    })

    test('is not begun where it cannot be, and then nothing is written', async () => {
      const documents = await makeDocuments()
      const open = startOf(documents)
      const wrong = [
        ['document_unknown', { ...startOf(documents), to: namedHash(newId('values-')) }],
        ['superseded', { ...startOf(documents), from: namedHash(newId('values-')) }],
        ['superseded', { ...startOf(documents), from: namedHash('') }],
        ['unchanged', { ...startOf(documents), to: documents.from }],
        ['unchanged', { ...startOf(documents), to: documents.from, from: namedHash('other') }],
      ] as const
      const before = await revision()
      for (const [answer, input] of wrong) {
        expect(await store().startRollout(input)).toBe(answer)
        expect(await store().rollout(input.rolloutId)).toBeNull()
        expect((await written(input.rolloutId)).actions).toEqual([])
      }
      expect(await revision()).toBe(before)
      expect(await store().startRollout(open)).toBe('applied')
      const second = startOf(documents)
      expect(await store().startRollout(second)).toBe('another_open')
      expect(await store().rollout(second.rolloutId)).toBeNull()
      expect((await written(second.rolloutId)).events).toEqual([])
    })

    test('is one at a time, whatever its kind, and remembers what is in force beside it', async () => {
      const rollout = await start()
      const beside = (await store().activeDocument('policy'))?.hash
      expect(rollout.beside).toBe(beside)
      const hash = namedHash(newId('policy-'))
      const policy = { kind: 'policy' as const, hash, body: {}, ...names, now: at(0) }
      await store().proposeDocument(policy)
      const other = {
        ...startOf(rollout),
        kind: 'policy' as const,
        from: beside ?? namedHash(''),
        to: hash,
        beside: rollout.from,
      }
      expect(await store().startRollout(other)).toBe('another_open')
    })

    test('is not begun beside another document of the other kind than it was meant for', async () => {
      const input = { ...startOf(await makeDocuments()), beside: namedHash(newId('policy-')) }
      expect(await store().startRollout(input)).toBe('superseded')
    })

    test('to a document of the other kind is not begun', async () => {
      const documents = await makeDocuments()
      const hash = namedHash(newId('policy-'))
      const policy = { kind: 'policy' as const, hash, body: {}, ...names, now: at(0) }
      await store().proposeDocument(policy)
      const input = { ...startOf(documents), to: hash }
      expect(await store().startRollout(input)).toBe('document_unknown')
    })

    test('of many that begin at once one does', async () => {
      const documents = await makeDocuments()
      const inputs = Array.from({ length: 8 }, () => startOf(documents))
      const answers = await Promise.all(inputs.map((input) => store().startRollout(input)))
      expect(answers.toSorted()).toEqual(
        ['another_open', 'applied'].flatMap((answer, index) => {
          return Array.from({ length: index === 0 ? 7 : 1 }, () => answer)
        }),
      )
      const { rollouts } = await store().control()
      const mine = rollouts.filter((one) => one.kind === kind)
      expect(mine.map(({ rolloutId }) => rolloutId)).toEqual([
        inputs[answers.indexOf('applied')]?.rolloutId,
      ])
    })

    /** One after the other, as a list does that is read page by page. */
    const walkRollouts = async () => {
      const ids: string[] = []
      let [next] = await store().listRollouts(1)
      while (next !== undefined) {
        ids.push(next.rolloutId)
        const position = { at: next.createdAt, id: next.rolloutId }
        const [following] = await store().listRollouts(1, position)
        next = following
      }
      return ids
    }

    test('can begin again after the one before has ended', async () => {
      const rollout = await start()
      const end = stepOf(rollout, { action: 'reverted', state: 'reverted' })
      expect(await store().stepRollout(end)).toBe('applied')
      const again = startOf(rollout)
      expect(await store().startRollout(again)).toBe('applied')
      const listed = await store().listRollouts(1000)
      const ids = listed.map(({ rolloutId }) => rolloutId)
      expect(ids).toContain(rollout.rolloutId)
      expect(ids).toContain(again.rolloutId)
      expect(await store().listRollouts(1)).toHaveLength(1)
      expect(await walkRollouts()).toEqual(ids)
      expect(await store().rollout('rol_nobody')).toBeNull()
    })
  })

  describe('a step', () => {
    test('into another stage begins its time and forgets what was found before', async () => {
      const rollout = await start()
      const health = healthOf(1)
      const { rolloutId } = rollout
      expect(await store().recordRolloutHealth({ rolloutId, revision: 1, health })).toBe('applied')
      const before = await revision()
      const step = stepOf(rollout, { stage: 1, health })
      expect(await store().stepRollout(step)).toBe('applied')
      expect(await readRollout(rolloutId)).toEqual({
        ...rollout,
        stage: 1,
        since: at(20),
        updatedAt: at(20),
        note: 'a step',
        revision: 2,
      })
      expect(await revision()).toBeGreaterThan(before)
      const { actions, events, last } = await written(rolloutId)
      expect(actions).toEqual(['rollout.started', 'rollout.entered'])
      expect(events).toEqual(['rollout.started', 'rollout.entered'])
      expect(last).toMatchObject({ detail: { stage: 1, health } })
    })

    test('that stays in the stage keeps its time and what was found', async () => {
      const rollout = await start()
      const { rolloutId } = rollout
      const health = healthOf(2)
      await store().recordRolloutHealth({ rolloutId, revision: 1, health })
      const pause = stepOf(rollout, { action: 'paused', state: 'paused', by: 'cli_admin' })
      expect(await store().stepRollout(pause)).toBe('applied')
      const paused = await readRollout(rolloutId)
      expect(paused).toMatchObject({ state: 'paused', since: at(10), health, revision: 2 })
      const halt = stepOf(paused, { action: 'halted', state: 'halted', health: healthOf(50) })
      expect(await store().stepRollout(halt)).toBe('applied')
      expect(await readRollout(rolloutId)).toMatchObject({
        state: 'halted',
        since: at(10),
        health: { newlyDenied: 50 },
      })
      expect((await store().activeDocument(kind))?.hash).toBe(rollout.from)
    })

    test('of eight that are decided on one revision is taken once', async () => {
      const rollout = await start()
      const steps = Array.from({ length: 8 }, (_, index) =>
        stepOf(rollout, { stage: 1, by: `process ${index}` }),
      )
      const answers = await Promise.all(steps.map((step) => store().stepRollout(step)))
      expect(answers.toSorted()).toEqual(['applied', ...Array(7).fill('superseded')])
      expect(await readRollout(rollout.rolloutId)).toMatchObject({ stage: 1, revision: 2 })
      const { actions, events, last } = await written(rollout.rolloutId)
      expect(actions).toEqual(['rollout.started', 'rollout.entered'])
      expect(events).toHaveLength(2)
      expect(last?.actor).toBe(steps[answers.indexOf('applied')]?.by)
    })

    test('of a revision that is no more, or of none, writes nothing', async () => {
      const rollout = await start()
      await store().stepRollout(stepOf(rollout, { stage: 1 }))
      const before = await readRollout(rollout.rolloutId)
      const wrote = await revision()
      expect(await store().stepRollout(stepOf(rollout, { stage: 2 }))).toBe('superseded')
      const early = stepOf({ ...before, revision: 3 }, { stage: 2 })
      expect(await store().stepRollout(early)).toBe('superseded')
      const nobody = stepOf({ ...before, rolloutId: newId('rol_') })
      expect(await store().stepRollout(nobody)).toBe('rollout_unknown')
      expect(await readRollout(rollout.rolloutId)).toEqual(before)
      expect(await revision()).toBe(wrote)
    })

    test('to the end moves the pointer, and says so', async () => {
      const rollout = await start()
      const before = await revision()
      const done = stepOf(rollout, {
        action: 'done',
        state: 'done',
        pass: 'enforce',
        stage: DEFAULT_PLAN.stages.length - 1,
      })
      expect(await store().stepRollout(done)).toBe('applied')
      expect(await store().activeDocument(kind)).toMatchObject({
        hash: rollout.to,
        activatedAt: at(20),
        activatedBy: 'service',
      })
      expect((await store().inForce()).referenceValuesHash).toBe(rollout.to)
      expect(await revision()).toBeGreaterThan(before)
      const { actions, events } = await written(rollout.rolloutId)
      expect(actions).toEqual(['rollout.started', 'rollout.done'])
      expect(events).toEqual(['rollout.started', 'rollout.done'])
      const { rollouts } = await store().control()
      expect(rollouts.map(({ rolloutId }) => rolloutId)).not.toContain(rollout.rolloutId)
    })

    test.each(['halted', 'reverted', 'done'] as const)('after it is %s is none', async (state) => {
      const rollout = await start()
      await store().stepRollout(stepOf(rollout, { action: state, state }))
      const ended = await readRollout(rollout.rolloutId)
      for (const next of ['running', 'done', 'halted'] as const) {
        const step = stepOf(ended, { action: 'promoted', state: next })
        expect(await store().stepRollout(step)).toBe('superseded')
      }
      expect(await readRollout(rollout.rolloutId)).toEqual(ended)
    })
  })

  describe('an activation', () => {
    test.each(['policy', 'reference-values'] as const)(
      'of a %s ends the rollout that was made against what was',
      async (ofKind) => {
        const rollout = await start()
        const before = await revision()
        const hash = namedHash(newId('other-'))
        const other = { kind: ofKind, hash, body: {}, ...names, now: at(31) }
        expect(await putInForce(store(), other)).toBe('applied')
        expect(await revision()).toBeGreaterThan(before)
        expect(await readRollout(rollout.rolloutId)).toMatchObject({
          state: 'reverted',
          revision: 2,
          updatedAt: at(31),
        })
        expect(await store().stepRollout(stepOf(rollout, { stage: 1 }))).toBe('superseded')
      },
    )

    test('that changes nothing ends none', async () => {
      const rollout = await start()
      const before = await revision()
      const same = { kind, hash: rollout.from, body: {}, ...names, now: at(30) }
      expect(await putInForce(store(), same)).toBe('unchanged')
      const late = { ...same, hash: namedHash(newId('values-')), expected: namedHash('what was') }
      expect(await putInForce(store(), late)).toBe('superseded')
      expect((await readRollout(rollout.rolloutId)).state).toBe('running')
      expect(await revision()).toBe(before)
    })

    test('and the last step of a rollout never wait for each other, and one of them counts', async () => {
      for (let round = 0; round < 5; round++) {
        const rollout = await start()
        const other = { kind, hash: namedHash(newId('values-')), body: {}, ...names, now: at(30) }
        const done = stepOf(rollout, { action: 'done', state: 'done' })
        const [activated, stepped] = await Promise.all([
          putInForce(store(), { ...other, expected: rollout.from }),
          store().stepRollout(done),
        ])
        expect([activated, stepped].toSorted()).toEqual(['applied', 'superseded'])
        const { hash } = (await store().activeDocument(kind)) ?? {}
        expect(hash).toBe(activated === 'applied' ? other.hash : rollout.to)
        const { state } = await readRollout(rollout.rolloutId)
        expect(state).toBe(activated === 'applied' ? 'reverted' : 'done')
      }
    })
  })

  describe('what is found of a rollout', () => {
    test('is kept for its revision only, and changes no decision', async () => {
      const rollout = await start()
      const { rolloutId } = rollout
      const before = await revision()
      const health = healthOf(3)
      const record = (of: number) =>
        store().recordRolloutHealth({ rolloutId, revision: of, health })
      expect(await record(1)).toBe('applied')
      expect(await record(2)).toBe('superseded')
      expect(await readRollout(rolloutId)).toEqual({ ...rollout, health })
      expect(await revision()).toBe(before)
      await store().stepRollout(stepOf(rollout, { action: 'halted', state: 'halted' }))
      expect(await record(2)).toBe('superseded')
    })

    const observationOf = ({ rolloutId, revision }: Rollout, reporter: string) => ({
      rolloutId,
      revision,
      reporter,
      decisions: 10,
      newlyDenied: 2,
      examples: ['dev_a', 'dev_b'],
      causes: { 'a clause': 2 },
      at: at(40),
    })
    const observed = async (rolloutId: string, of = 1) => {
      const rows = await store().rolloutObservations(rolloutId, of)
      return rows.map(({ reporter, decisions, newlyDenied }) => [reporter, decisions, newlyDenied])
    }

    test('by processes is one row of each, the last it told of', async () => {
      const rollout = await start()
      const first = observationOf(rollout, 'one')
      expect(await store().observeRollout(first)).toBe('applied')
      const { rolloutId: _, revision: __, ...told } = first
      expect(await store().rolloutObservations(rollout.rolloutId, 1)).toEqual([told])
      expect(await store().observeRollout(first)).toBe('applied')
      expect(await store().observeRollout(observationOf(rollout, 'two'))).toBe('applied')
      expect(await store().observeRollout({ ...first, decisions: 15, newlyDenied: 3 })).toBe(
        'applied',
      )
      expect(await observed(rollout.rolloutId)).toEqual([
        ['one', 15, 3],
        ['two', 10, 2],
      ])
    })

    test('by a process does not go back where an older report comes later', async () => {
      const rollout = await start()
      const newer = { ...observationOf(rollout, 'one'), decisions: 20, newlyDenied: 9 }
      await store().observeRollout(newer)
      await store().observeRollout(observationOf(rollout, 'one'))
      expect(await observed(rollout.rolloutId)).toEqual([['one', 20, 9]])
    })

    test('belongs to a stage, and goes along with each step that stays in it', async () => {
      const rollout = await start()
      const { rolloutId } = rollout
      const told = observationOf(rollout, 'one')
      await store().observeRollout(told)
      await store().stepRollout(stepOf(rollout, { action: 'paused', state: 'paused' }))
      expect(await store().observeRollout({ ...told, decisions: 11 })).toBe('superseded')
      expect(await observed(rolloutId, 2)).toEqual([['one', 10, 2]])
      const paused = await readRollout(rolloutId)
      const resume = { revision: paused.revision, action: 'resumed', now: at(70) } as const
      await store().stepRollout(stepOf(paused, resume))
      expect(await observed(rolloutId, 3)).toEqual([['one', 10, 2]])
      expect(await readRollout(rolloutId)).toMatchObject({ state: 'running', since: at(70) })
    })

    test('belongs to a revision, and is not taken for another', async () => {
      const rollout = await start()
      await store().observeRollout(observationOf(rollout, 'one'))
      await store().stepRollout(stepOf(rollout, { stage: 1 }))
      expect(await store().observeRollout(observationOf(rollout, 'late'))).toBe('superseded')
      expect(await observed(rollout.rolloutId, 2)).toEqual([])
      const next = await readRollout(rollout.rolloutId)
      expect(await store().observeRollout(observationOf(next, 'one'))).toBe('applied')
      expect(await observed(rollout.rolloutId, 2)).toHaveLength(1)
      const nobody = { ...observationOf(next, 'one'), rolloutId: newId('rol_') }
      expect(await store().observeRollout(nobody)).toBe('superseded')
    })
  })
}
