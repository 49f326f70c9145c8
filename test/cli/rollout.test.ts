import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND } from '../../src/base/command.ts'
import { verb } from '../../src/cli/framework/command.ts'
import { COMMAND_LINE } from '../../src/cli/framework/open-database.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { command as policyCommand } from '../../src/cli/policy/policy.ts'
import { command } from '../../src/cli/rollout/rollout.ts'
import { showRollouts } from '../../src/cli/rollout/show.ts'
import { isOpen } from '../../src/rollout/rollout.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { policyWith } from '../operations/release/documents.ts'
import { healthOf } from '../rollout/in-force-fixture.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import type { Json } from '../support/json.ts'
import {
  enforceFleetDocuments,
  FLEET_VALUES,
  hashOfDocument,
  recordFleet,
} from '../support/recorded-fleet.ts'
import { type Called, callCommand } from './call-command.ts'

/** An administrator of a fleet that is large enough for rollouts, beside a running service. */
const DEVICES = 110
let folder: string
let data: string
let store: Store
let deviceIds: readonly string[]

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-rollout-'))
  data = join(folder, 'data')
  await makeDataDirectory(data)
  store = await openEmbeddedStore(data)
  deviceIds = await recordFleet(store, { devices: DEVICES, now: new Date() })
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})
beforeEach(async () => {
  for (const { rolloutId, state } of await store.listRollouts(100)) {
    if (isOpen(state)) await rollout('revert', rolloutId, '--reason', 'clean up')
  }
  await enforceFleetDocuments(store, new Date())
})

const rollout = (...args: readonly string[]): Promise<Called> =>
  callCommand(command, [...args, '--data', data])
const policy = (...args: readonly string[]): Promise<Called> =>
  callCommand(policyCommand, [...args, '--data', data])
/** The last line: a preview that was made is one before it. */
const lastJson = ({ stdout }: Called): Json => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
const rolloutJson = async (...args: readonly string[]) => lastJson(await rollout(...args, '--json'))
const inForce = async () => (await store.activeDocument('policy'))?.hash

let documents = 0
function newPolicy(require = 'attestation.enclaveSvn >= 5'): Json {
  return { ...policyWith(require).body, description: `number ${++documents}` }
}
function save(document: unknown): string {
  const file = join(folder, `document-${++documents}.json`)
  writeFileSync(file, JSON.stringify(document))
  return file
}

async function start(...args: readonly string[]): Promise<Json> {
  const started = await rolloutJson('start', save(newPolicy()), '--reason', 'a change', ...args)
  expect(started).toMatchObject({ outcome: 'rollout_started' })
  return await rolloutJson('show', started.rollout_id)
}

describe('rollout start', () => {
  test('previews, begins and says what to do next; again it is under way', async () => {
    const before = await inForce()
    const file = save(newPolicy())
    const { code, stdout } = await rollout('start', file, '--reason', 'a change')
    expect(code).toBe(0)
    expect(stdout).toMatch(/Of 110 devices 110 can be compared/)
    const [, id = ''] = /Rollout (rol_\w+) has begun/.exec(stdout) ?? []
    expect(stdout).toContain(`${COMMAND} rollout show ${id}`)
    expect(await store.rollout(id)).toMatchObject({
      state: 'running',
      pass: 'audit',
      stage: 0,
      from: before,
      author: COMMAND_LINE,
      reason: 'a change',
    })
    expect(await inForce()).toBe(before)
    const again = await rollout('start', file, '--reason', 'a change')
    expect(again.stdout).toContain(`Rollout ${id} of this very document is under way already`)
    const other = rollout('start', save(newPolicy()), '--reason', 'x')
    await expect(other).rejects.toThrow(`${COMMAND} rollout show ${id}`)
  })

  test('takes the plan as it is said', async () => {
    const { plan } = await start(
      ...['--stages', '2,50,100', '--cohort', 'canary', '--cohort', 'it', '--bake', '10m'],
      ...['--minimum-sample', '7', '--budget', '3', '--budget-share', '0.5', '--by-hand'],
      ...['--hours', '8-17', '--days', '1-3,5'],
    )
    expect(plan).toEqual({
      stages: [
        { percent: 2, labels: ['canary', 'it'] },
        { percent: 50, labels: [] },
        { percent: 100, labels: [] },
      ],
      bake_seconds: 600,
      minimum_sample: 7,
      budget: { devices: 3, share: 0.5 },
      promotion: 'by_hand',
      hours: { from: 8, to: 17, days: [1, 2, 3, 5] },
    })
  })

  test('stops at devices that would be lost, until somebody says how many', async () => {
    const file = save(newPolicy('attestation.enclaveSvn > 1000'))
    const refused = await rollout('start', file, '--reason', 'x')
    expect(refused.code).toBe(3)
    expect(refused.stdout).toContain(`--accept-denials ${DEVICES}`)
    const args = ['start', file, '--reason', 'x', '--accept-denials', String(DEVICES)]
    const { rollout_id } = await rolloutJson(...args)
    expect(await rolloutJson('show', rollout_id)).toMatchObject({
      plan: { budget: { devices: DEVICES, share: 1 } },
    })
  })

  test('takes a version, and refuses what lint refuses', async () => {
    const kept = newPolicy()
    await policy('import', save(kept))
    const hash = hashOfDocument('policy', kept)
    const started = await rolloutJson('start', hash.slice(0, 12), '--reason', 'x')
    expect(started).toMatchObject({ hash, outcome: 'rollout_started', newly_denied: 0 })
    const { code, stdout } = await rollout('start', save(newPolicy('false')), '--reason', 'x')
    expect(code).toBe(3)
    expect(stdout).toContain('policy_clause_denies_all')
  })

  test('of reference values waits for the end of one of a policy', async () => {
    const { rollout_id: id } = await start()
    const file = save({ ...FLEET_VALUES, name: 'renamed' })
    const values = ['start', file, '--reason', 'x', '--kind', 'reference-values']
    await expect(rollout(...values)).rejects.toThrow(`rollout revert ${id}`)
    await rollout('revert', id, '--reason', 'make room')
    expect(await rolloutJson(...values)).toMatchObject({ outcome: 'rollout_started' })
  })
})

describe('rollout show', () => {
  test('draws both passes and marks where it is, and what it waits for', async () => {
    const { rollout_id: id, since } = await start('--cohort', 'canary')
    const { stdout } = await rollout('show', id)
    expect(stdout).toContain('  audit    ▶ 1%+canary  ○ 5%  ○ 20%  ○ 50%  ○ 100%\n')
    expect(stdout).toContain('  enforce  ○ 1%+canary  ○ 5%  ○ 20%  ○ 50%  ○ 100%  ○ in force\n')
    expect(stdout).toContain(`In audit stage 1 of 5 since ${since}`)
    expect(stdout).toContain('It waits for the first check of this stage.')
    await rollout('promote', id, '--reason', 'go')
    expect((await rollout('show', id)).stdout).toContain('● 1%+canary  ▶ 5%')
  })

  test('says in words why it stays, and until when', async () => {
    const { rollout_id: id } = await start('--by-hand')
    const waits = async (seconds: number, health: object = {}) => {
      const current = await store.rollout(id)
      if (current === null) throw new TypeError('a rollout that was started is there')
      const { revision, since } = current
      await store.recordRolloutHealth({ rolloutId: id, revision, health: healthOf(health) })
      const now = new Date(since.getTime() + seconds * 1000)
      const run = () => showRollouts(store, { id, kind: undefined, json: false, now })
      return (await callCommand(verb({ json: { none: 'text' }, run }), [])).stdout
    }
    expect(await waits(60)).toMatch(/It has to stay healthy here until 20\S+Z\./)
    expect(await waits(3601)).toContain(`It waits for you: ${COMMAND} rollout promote rol_`)
    const few = await waits(3601, { compared: 5, devices: 90 })
    expect(few).toContain('until more devices can be compared: 5 of at least 45.')
    const causes = [{ cause: 'added', devices: 4 }]
    const lossy = await waits(60, { newlyDenied: 4, causes, examples: ['dev_a', 'dev_b'] })
    expect(lossy).toContain('1,000 of 1,000 devices of the stage were compared: 4 newly denied.')
    expect(lossy).toMatch(/because of +devices\n.*\nadded +4\nfor example dev_a, dev_b/)
    await rollout('pause', id, '--reason', 'lunch')
    expect((await rollout('show', id)).stdout).toContain(`It is paused: ${COMMAND} rollout resume`)
  })

  test('a list of them, and one that is not there', async () => {
    const { rollout_id: id } = await start()
    const { stdout } = await rollout('list')
    expect(stdout).toMatch(new RegExp(`^${id} +policy +running +audit 1/5 `, 'm'))
    expect(await rolloutJson('list', '--limit', '1')).toMatchObject([{ rollout_id: id }])
    await expect(rollout('show', 'rol_none')).rejects.toThrow(`${COMMAND} rollout list`)
  })
})

describe('rollout pause, resume, promote and revert', () => {
  test('do what they say, once', async () => {
    const { rollout_id: id } = await start()
    const steer = async (verb: string) => (await rollout(verb, id, '--reason', 'because')).stdout
    expect(await steer('pause')).toBe(`${id} is paused: audit stage 1 of 5.\n`)
    expect(await steer('pause')).toContain('already: nothing was changed')
    expect(await steer('resume')).toBe(`${id} is running: audit stage 1 of 5.\n`)
    expect(await steer('promote')).toBe(`${id} is running: audit stage 2 of 5.\n`)
    expect(await steer('revert')).toContain(`${id} is reverted in audit stage 2 of 5: `)
    await expect(steer('promote')).rejects.toThrow('is reverted: that is not possible any more')
    expect((await rollout('show', id)).stdout).toContain('● 1%  ■ 5%')
    await expect(rollout('pause', 'rol_none', '--reason', 'x')).rejects.toThrow('no such rollout')
  })

  test('revert of one that is done brings the document from before it back', async () => {
    const before = await inForce()
    const { rollout_id: id, to } = await start('--stages', '100')
    await rollout('promote', id, '--reason', 'go')
    const done = await rollout('promote', id, '--reason', 'go')
    expect(done.stdout).toBe(`${to.slice(0, 12)} is in force for every device.\n`)
    expect(await inForce()).toBe(to)
    expect((await rollout('show', id)).stdout).toContain('enforce  ● 100%  ● in force')
    const back = await rollout('revert', id, '--reason', 'oh')
    expect(back.stdout).toContain('nobody who is allowed now would lose access')
    const last = back.stdout.trimEnd().split('\n').at(-1)
    expect(last).toBe(`${before?.slice(0, 12)} is in force for every device.`)
    expect(await inForce()).toBe(before)
    expect((await rollout('revert', id, '--reason', 'oh')).stdout).toContain('already')
  })
})

describe('rollout pin, allow, overrides and end', () => {
  test('make exceptions with an end, list them, and end them before', async () => {
    const [deviceId = ''] = deviceIds
    const hash = (await inForce()) ?? ''
    const pinned = await rollout(
      ...['pin', '--device', deviceId, '--version', hash.slice(0, 12)],
      ...['--for', '7d', '--reason', 'canary'],
    )
    expect(pinned.stdout).toMatch(
      new RegExp(`^device ${deviceId} decides by policy ${hash.slice(0, 12)} until 20`),
    )
    const allowed = await rolloutJson('allow', '--label', 'vip', '--for', '4h', '--reason', 'trip')
    expect(allowed).toMatchObject({ action: 'allow', target: { kind: 'label', name: 'vip' } })
    const listed: Json[] = await rolloutJson('overrides')
    expect(listed.map(({ action }) => action)).toEqual(['allow', 'pin'])
    expect((await rollout('overrides')).stdout).toMatch(/label vip +allow +20/)
    for (const { override_id } of listed) {
      const ended = await rollout('end', override_id, '--reason', 'over')
      expect(ended.stdout).toMatch(
        new RegExp(
          `^${override_id} has ended.\nOf [01] devices? that it is for, none is newly denied.\n$`,
        ),
      )
      expect((await rollout('end', override_id, '--reason', 'over')).stdout).toContain('already')
    }
    expect((await rollout('overrides')).stdout).toBe('There is no override.\n')
  })

  test('say how many devices they would deny, or deny', async () => {
    const nobody = policyWith('attestation.enclaveSvn > 1000')
    const names = { author: 'test', reason: 'kept', now: new Date() }
    await store.proposeDocument({ ...nobody, body: nobody.body as Json, ...names })
    for (const deviceId of deviceIds.slice(0, 2)) {
      const changes = { labels: ['lab'] }
      await store.setDeviceAttributes({ deviceId, changes, by: 'test', now: new Date() })
    }
    const args = ['--label', 'lab', '--for', '1h', '--reason', 'x'] as const
    const pin = ['pin', ...args, '--version', nobody.hash.slice(0, 12)] as const
    expect((await rollout(...pin, '--dry-run')).stdout).toBe(
      'Nothing was changed (--dry-run).\nOf 2 devices that it is for, 2 would be newly denied.\n',
    )
    expect((await rollout('overrides')).stdout).toBe('There is no override.\n')
    const { override_id: allowance } = await rolloutJson('allow', ...args)
    const { override_id: pinned, newly_denied } = await rolloutJson(...pin)
    expect(newly_denied).toEqual({ devices: 0, looked_at: 2, complete: true })
    const ending = ['end', allowance, '--reason', 'x'] as const
    expect((await rollout(...ending, '--dry-run')).stdout).toContain('2 would be newly denied.')
    expect((await rollout(...ending)).stdout).toBe(
      `${allowance} has ended.\nOf 2 devices that it is for, 2 are newly denied.\n`,
    )
    await rollout('end', pinned, '--reason', 'x')
  })

  test('what cannot be is said', async () => {
    const reason = ['--reason', 'x']
    const allow = (...args: readonly string[]) => rollout('allow', ...args, ...reason)
    await expect(allow('--device', 'dev_x', '--for', '1h')).rejects.toThrow('devices list')
    await expect(allow('--label', 'x', '--for', '91d')).rejects.toThrow('at most 90d')
    await expect(allow('--label', 'x', '--for', '0s')).rejects.toThrow('more than nothing')
    const pin = rollout('pin', '--label', 'x', '--version', 'abcdef0123', '--for', '1h', ...reason)
    await expect(pin).rejects.toThrow(`${COMMAND} policy list`)
    await expect(rollout('end', 'ovr_none', ...reason)).rejects.toThrow('no such override')
  })
})

describe('policy in a large fleet', () => {
  test('apply and activate start a rollout and say which', async () => {
    const before = await inForce()
    const document = newPolicy()
    const { code, stdout } = await policy('apply', save(document), '--yes')
    expect(code).toBe(0)
    expect(stdout).toMatch(/Rollout rol_\w+ has begun/)
    const activate = ['activate', hashOfDocument('policy', document), '--reason', 'again']
    expect(lastJson(await policy(...activate, '--json'))).toMatchObject({
      outcome: 'rollout_open',
      rollout_id: expect.stringMatching(/^rol_/),
    })
    expect(await inForce()).toBe(before)
  })

  test('of a folder the second document waits for the end of the first', async () => {
    const dir = mkdtempSync(join(folder, 'both-'))
    writeFileSync(join(dir, 'policy.json'), JSON.stringify(newPolicy()))
    const values = { ...FLEET_VALUES, name: 'both' }
    writeFileSync(join(dir, 'reference-values.json'), JSON.stringify(values))
    const { stdout } = await policy('apply', '--dir', dir, '--yes')
    expect(stdout).toContain('policy.json waits for the end of it: apply again then.')
    expect(await rolloutJson('show')).toMatchObject([{ kind: 'reference-values' }])
  })

  test('--at-once goes past the rings and not past the preview', async () => {
    const document = newPolicy()
    const args = ['apply', save(document), '--yes', '--at-once']
    expect((await policy(...args)).code).toBe(0)
    expect(await inForce()).toBe(hashOfDocument('policy', document))
    const denies = save(newPolicy('attestation.enclaveSvn > 1000'))
    expect((await policy('apply', denies, '--yes', '--at-once')).code).toBe(3)
    expect(await inForce()).toBe(hashOfDocument('policy', document))
  })
})

test.each([
  [['stop']],
  [['list', 'x']],
  [['list', '--limit', '0']],
  [['pause', '--reason', 'x']],
  [['pause', 'rol_x']],
  [['show', 'rol_x', '--reason', 'x']],
  [['start', '--reason', 'x']],
  [['start', 'abcdef01']],
  [['start', 'abcdef01', '--reason', 'x', '--stages', '5,1,100']],
  [['start', 'abcdef01', '--reason', 'x', '--stages', '1,5']],
  [['start', 'abcdef01', '--reason', 'x', '--stages', 'one']],
  [['start', 'abcdef01', '--reason', 'x', '--bake', '1y']],
  [['start', 'abcdef01', '--reason', 'x', '--hours', '17-8']],
  [['start', 'abcdef01', '--reason', 'x', '--days', '1-9']],
  [['start', 'abcdef01', '--reason', 'x', '--days', 'Monday']],
  [['start', 'abcdef01', '--reason', 'x', '--budget-share', '2']],
  [['pin', '--label', 'x', '--for', '1h', '--reason', 'x']],
  [['allow', '--for', '1h', '--reason', 'x']],
  [['allow', '--label', 'x', '--device', 'y', '--for', '1h', '--reason', 'x']],
  [['allow', '--label', 'x', '--reason', 'x']],
  [['allow', '--label', 'x', '--for', '1h']],
  [['allow', '--label', 'x', '--for', '1h', '--reason', 'x', '--version', 'abcdef01']],
  [['end', '--reason', 'x']],
  [['end', 'ovr_x']],
])('%j is wrong usage', async (args) => {
  await expect(callCommand(command, args)).rejects.toThrow(UsageError)
})
