import { type ChildProcess, spawn } from 'node:child_process'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Services } from '../../../src/compose/services.ts'
import { isOpen, type Rollout } from '../../../src/rollout/rollout.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import type { Json } from '../../../src/store/json.ts'
import type { Store } from '../../../src/store/store.ts'
import { describePostgres, FORGETFUL, startPostgres } from '../../support/postgres.ts'
import { programPath } from '../../support/programs.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { besideOf } from '../../support/recorded-fleet.ts'
import { bodyOf, policyWith } from './documents.ts'
import { type Fleet, openFleet, PLAN, pushToEnforce, runToEnd } from './fleet.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

/** Enough for every stage, since it is the statements that are counted here. */
const DEVICES = 2000
const MOST = DEVICES / 100
const GOOD = policyWith('attestation.enclaveSvn >= 5')
const BAD = policyWith('attestation.enclaveSvn > 1000')

/** Every step of the default plan, once and in its order. */
const STEPS = [
  'rollout.started audit 0',
  ...[1, 2, 3, 4].map((stage) => `rollout.entered audit ${stage}`),
  ...[0, 1, 2, 3, 4].map((stage) => `rollout.entered enforce ${stage}`),
  'rollout.done enforce 4',
]

async function stepsOf(query: Fleet['service']['query']): Promise<readonly string[]> {
  const rows = await query(`select action, coalesce(detail ->> 'pass', 'audit') as pass,
    coalesce(detail ->> 'stage', '0') as stage from audit where action like 'rollout.%'
    order by audit_id`)
  return rows.map(({ action, pass, stage }) => `${action} ${pass} ${stage}`)
}

/** What announces the steps left with them. */
async function eventsOf(query: Fleet['service']['query']): Promise<number> {
  const rows = await query(`select 1 from outbox where type = 'rollout-changed'`)
  return rows.length
}

/**
 * A store of a process that dies at its n-th statement: before it is sent, or after it was done and
 * before anybody hears of it. From then on nothing of the process happens any more.
 */
function mortal(store: Store, statements: number, moment: 'before' | 'after'): Store {
  let left = statements
  return new Proxy(store, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function') return member
      return async (...args: unknown[]) => {
        left -= 1
        if (left < 0 || (left === 0 && moment === 'before')) throw new Error('killed')
        const answer = await Reflect.apply(member, target, args)
        if (left === 0) throw new Error('killed')
        return answer
      }
    },
  })
}

/** Statements that a process makes before its first round. */
const START_UP = 30

describe('a rollout whose process dies between any two statements', () => {
  test('comes through every step once, and denies nobody', async () => {
    await withFleet(async (fleet) => {
      const rollout = await fleet.start(GOOD)
      const harmed = await runDying(fleet, rollout)
      expect(harmed.size).toBe(0)
      expect((await fleet.rollout(rollout.rolloutId)).state).toBe('done')
      expect(await stepsOf(fleet.service.query)).toEqual(STEPS)
      expect(await eventsOf(fleet.service.query)).toBe(STEPS.length)
    })
  })

  test('halts all the same, and denies no more than the first ring', async () => {
    await withFleet(async (fleet) => {
      const harmed = await runDying(fleet, await pushToEnforce(fleet, BAD))
      expect(harmed.size).toBeLessThanOrEqual(MOST)
      expect(await stepsOf(fleet.service.query)).toContain('rollout.halted enforce 0')
      expect((await fleet.askAll()).size).toBe(0)
    })
  })
})

/** One process after the other, each of which lives a statement longer than the one before. */
async function runDying(fleet: Fleet, rollout: Rollout): Promise<ReadonlySet<string>> {
  const harmed = new Set<string>()
  for (let life = 1; life < 200; life++) {
    if (!isOpen((await fleet.rollout(rollout.rolloutId)).state)) return harmed
    for (const id of await fleet.askAll()) harmed.add(id)
    const moment = life % 2 === 0 ? 'before' : 'after'
    const process = await fleet.startProcess()
    const services: Services = {
      ...process.services,
      store: mortal(process.services.store, (life % START_UP) + 1, moment),
    }
    await fleet.passInterval([services])
  }
  throw new Error('it never ends')
}

describe('a rollout that two processes drive at once', () => {
  test('takes each step once', async () => {
    await withFleet(async (fleet) => {
      const services = await startTwo(fleet)
      const outcome = await runToEnd(fleet, await fleet.start(GOOD), { services, asks: false })
      expect(outcome.state).toBe('done')
      expect(await stepsOf(fleet.service.query)).toEqual(STEPS)
      expect(await eventsOf(fleet.service.query)).toBe(STEPS.length)
    })
  })

  test('halts once', async () => {
    await withFleet(async (fleet) => {
      const services = await startTwo(fleet)
      const rollout = await pushToEnforce(fleet, BAD)
      const outcome = await runToEnd(fleet, rollout, { services })
      expect(outcome).toMatchObject({ state: 'halted', pass: 'enforce', stage: 0 })
      expect(outcome.wronglyDenied).toBeLessThanOrEqual(MOST)
      const halts = (await stepsOf(fleet.service.query)).filter((step) => step.includes('halted'))
      expect(halts).toEqual(['rollout.halted enforce 0'])
    })
  })
})

/** Without leases, which only spare work, so that each does everything. */
async function startTwo(fleet: Fleet): Promise<readonly Services[]> {
  const all = await Promise.all([fleet.startProcess(), fleet.startProcess()])
  return all.map(({ services }) => ({
    ...services,
    store: { ...services.store, claimJob: () => Promise.resolve('') },
  }))
}

describePostgres('two processes that are killed again and again', () => {
  test('bring a rollout to its end, each step once', async () => {
    const server = await startPostgres({ settings: FORGETFUL })
    onTestFinished(server.stop)
    const url = await server.createMigrated('rollout')
    const store = openPostgresStore({ url, poolSize: 2 })
    onTestFinished(() => store.close())
    const rolloutId = await startQuickRollout(store)

    const children = new Set<ChildProcess>()
    onTestFinished(() => {
      for (const child of children) child.kill('SIGKILL')
    })
    const script = programPath('test/operations/release/driving-process.ts')
    const start = () => {
      const child = spawn(process.execPath, [script, url], { stdio: 'ignore' })
      children.add(child)
      child.once('exit', () => children.delete(child))
    }
    let seen = 0
    for (;;) {
      while (children.size < 2) start()
      const { state, revision } = (await store.rollout(rolloutId)) ?? { state: 'gone', revision: 0 }
      if (state !== 'running') break
      if (revision > seen + 2) {
        // In the middle of whatever it does.
        seen = revision
        const [child] = children
        child?.kill('SIGKILL')
      }
      await new Promise((wake) => setTimeout(wake, 20))
    }
    expect((await store.rollout(rolloutId))?.state).toBe('done')
    const query: Fleet['service']['query'] = async (text) => {
      const { default: pg } = await import('pg')
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      try {
        return (await client.query<Record<string, unknown>>(text)).rows
      } finally {
        await client.end()
      }
    }
    expect(await stepsOf(query)).toEqual(STEPS)
    expect(await eventsOf(query)).toBe(STEPS.length)
  })
})

async function startQuickRollout(store: Store): Promise<string> {
  const now = new Date()
  const names = { author: 'test', reason: 'test', now }
  const values = bodyOf('reference-values', { enclaves: [] })
  const first = policyWith('true || attestation.secureBootEnabled')
  for (const document of [values, first]) {
    await putInForce(store, { ...document, body: document.body as Json, ...names })
  }
  await store.proposeDocument({ ...GOOD, body: GOOD.body as Json, ...names })
  const rolloutId = 'rol_quick'
  const answer = await store.startRollout({
    rolloutId,
    kind: 'policy',
    from: first.hash,
    to: GOOD.hash,
    beside: await besideOf(store, 'policy'),
    plan: { ...PLAN, bakeSeconds: 0 },
    note: '',
    ...names,
  })
  expect(answer).toBe('applied')
  return rolloutId
}

async function withFleet(run: (fleet: Fleet) => Promise<void>): Promise<void> {
  const fleet = await openFleet(DEVICES)
  try {
    await run(fleet)
  } finally {
    await fleet.close()
  }
}
