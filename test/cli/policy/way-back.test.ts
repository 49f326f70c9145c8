import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND } from '../../../src/base/command.ts'
import { command } from '../../../src/cli/policy/policy.ts'
import { command as rolloutCommand } from '../../../src/cli/rollout/rollout.ts'
import { isOpen } from '../../../src/rollout/rollout.ts'
import { openEmbeddedStore } from '../../../src/store/drivers/embedded.ts'
import type { Store } from '../../../src/store/store.ts'
import { policyWith } from '../../operations/release/documents.ts'
import { makeDataDirectory } from '../../support/data-directory.ts'
import type { Json } from '../../support/json.ts'
import { enforceFleetDocuments, recordFleet } from '../../support/recorded-fleet.ts'
import { type Called, callCommand } from '../call-command.ts'

const DEVICES = 110
let folder: string
let data: string
let store: Store
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-way-back-'))
  data = join(folder, 'data')
  await makeDataDirectory(data)
  store = await openEmbeddedStore(data)
  await recordFleet(store, { devices: DEVICES, now: new Date() })
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})
beforeEach(async () => {
  for (const { rolloutId, state } of await store.listRollouts(100)) {
    if (!isOpen(state)) continue
    await rollout('revert', rolloutId, '--reason', 'clean up', '--accept-all-denials')
  }
  await enforceFleetDocuments(store, new Date())
})

const policy = (...args: readonly string[]): Promise<Called> =>
  callCommand(command, [...args, '--data', data])
const rollout = (...args: readonly string[]): Promise<Called> =>
  callCommand(rolloutCommand, [...args, '--data', data])
const inForce = async () => (await store.activeDocument('policy'))?.hash
const goBack = (...args: readonly string[]) =>
  policy('rollback', '--reason', 'it was wrong', ...args)

let documents = 0
function save(require = 'attestation.enclaveSvn >= 5'): { file: string; hash: string } {
  const { body } = policyWith(require)
  const description = `number ${++documents}`
  const file = join(folder, `policy-${documents}.json`)
  writeFileSync(file, JSON.stringify({ ...body, description }))
  return { file, hash: '' }
}
const apply = (file: string, ...args: readonly string[]) =>
  policy('apply', file, '--yes', '--reason', 'x', ...args)
const ALL = ['--accept-denials', String(DEVICES)]
const STRICT = 'attestation.enclaveSvn > 1000'

describe('policy rollback', () => {
  test('goes back at once, and says what decides then', async () => {
    const before = await inForce()
    await apply(save(STRICT).file, '--at-once', ...ALL)
    expect(await inForce()).not.toBe(before)
    const { code, stdout } = await goBack()
    expect(code).toBe(0)
    expect(stdout).toContain(
      `The version before is in force again: ${before?.slice(0, 12)} decides for every device`,
    )
    expect(await inForce()).toBe(before)
    await expect(goBack()).rejects.toThrow(`${COMMAND} policy list shows all`)
  })

  test('ends a rollout that is on its way, and says where it was', async () => {
    const before = await inForce()
    await apply(save().file)
    const [open] = await store.listRollouts(1)
    const { code, stdout } = await goBack()
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${open?.rolloutId} is reverted in audit stage 1 of 5: ${before?.slice(0, 12)} decides for every device from the next request on.\n`,
    })
  })

  test('stops where devices would lose access, and says how many', async () => {
    await apply(save(STRICT).file, '--at-once', ...ALL)
    await apply(save().file, '--at-once')
    const now = await inForce()
    const { code, stdout } = await goBack()
    expect(code).toBe(3)
    expect(stdout).toContain(
      'Nothing was changed: 110 devices would be denied that are allowed now.',
    )
    expect(stdout).toContain('--accept-denials 110')
    expect(await inForce()).toBe(now)
    const lines = (await goBack('--json')).stdout.trimEnd().split('\n')
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ newly_denied: DEVICES })
  })
})

describe('the end of a rollout that decides', () => {
  const enforce = async () => {
    const [open] = await store.listRollouts(1)
    if (open === undefined) throw new Error('no rollout began')
    const { rolloutId, revision, from } = open
    const to = { action: 'promoted', state: 'running', pass: 'enforce', stage: 4 } as const
    const step = { rolloutId, revision, ...to, note: '', health: null, by: 'test' }
    expect(await store.stepRollout({ ...step, now: new Date() })).toBe('applied')
    return { rolloutId, from }
  }

  test('says whom it would deny, and pauses the rollout until that is accepted', async () => {
    await apply(save(STRICT).file, '--at-once', ...ALL)
    await apply(save().file)
    const { rolloutId, from } = await enforce()
    const first = await goBack()
    expect(first.stdout).toContain(`What is compared is the end of ${rolloutId}`)
    for (const refused of [first, await rollout('revert', rolloutId, '--reason', 'x')]) {
      expect(refused.code).toBe(3)
      expect(refused.stdout).toContain(
        `${rolloutId} is paused and goes no further, and did not end: 110 devices would be denied that are allowed now.`,
      )
      expect(refused.stdout).toContain(`policy preview ${from.slice(0, 12)}`)
    }
    expect(await store.rollout(rolloutId)).toMatchObject({ state: 'paused' })
    const { code, stdout } = await goBack(...ALL)
    expect(code).toBe(0)
    expect(stdout).toContain(`${rolloutId} is reverted in enforce stage 5 of 5`)
    expect(stdout).toContain('110 devices lose their access by it.')
  })

  test('counts nobody where somebody says so', async () => {
    await apply(save(STRICT).file, '--at-once', ...ALL)
    await apply(save().file)
    await enforce()
    const { code, stdout } = await goBack('--accept-all-denials')
    expect({ code, lines: stdout.trimEnd().split('\n').length }).toEqual({ code: 0, lines: 1 })
  })

  test('is no reason to go further back, unless what it fell back to is named', async () => {
    const good = await inForce()
    await apply(save().file, '--at-once')
    await apply(save('attestation.enclaveSvn >= 4').file)
    const { rolloutId, from } = await enforce()
    expect((await goBack()).stdout).toContain(`${rolloutId} is reverted`)
    await expect(goBack()).rejects.toThrow(`--expected ${from}`)
    expect((await goBack('--expected', from)).code).toBe(0)
    expect(await inForce()).toBe(good)
  })
})

describe('a rollout that begins', () => {
  test('says how long it will take', async () => {
    const { stdout } = await apply(save().file)
    expect(stdout).toMatch(
      /It takes 10h at least, until 20\S+Z: each of its 2 passes of 5 stages stays healthy for 1h first\./,
    )
    const [open] = await store.listRollouts(1)
    const { stdout: shown } = await rollout('show', open?.rolloutId ?? '')
    expect(shown).toMatch(/It is done at 20\S+Z at the earliest\./)
  })

  test('or what it waits for', async () => {
    const { file } = save()
    const { stdout } = await rollout('start', file, '--reason', 'x', '--by-hand', '--bake', '30m')
    expect(stdout).toContain(
      'Each of its 2 passes of 5 stages waits for a promotion, and has to be healthy for 30m first.',
    )
  })
})

test('rollouts are listed and shown of one kind', async () => {
  await apply(save().file)
  const [open] = await store.listRollouts(1)
  const id = open?.rolloutId ?? ''
  const listed = async (kind: string): Promise<Json> =>
    JSON.parse((await rollout('list', '--kind', kind, '--json')).stdout)
  expect((await listed('policy')).map((one: Json) => one.rollout_id)).toContain(id)
  expect(await listed('reference-values')).toEqual([])
  expect((await rollout('show', '--kind', 'policy')).stdout).toContain(id)
  expect((await rollout('show', '--kind', 'reference-values')).stdout).toBe(
    'There was no rollout yet.\n',
  )
  const other = rollout('show', id, '--kind', 'reference-values')
  await expect(other).rejects.toThrow(`${id} is a rollout of policy: leave --kind out`)
})

describe('a document whose rollout has halted', () => {
  async function halt(file: string): Promise<string> {
    await apply(file, ...ALL)
    const [open] = await store.listRollouts(1)
    if (open === undefined) throw new TypeError('a rollout that was started is listed')
    const { rolloutId, revision, pass, stage } = open
    const step = { rolloutId, revision, pass, stage, action: 'halted', state: 'halted' } as const
    const note = 'halted in audit stage 1 of 5: too many'
    await store.stepRollout({ ...step, note, health: null, by: 'service', now: new Date() })
    return rolloutId
  }

  test.each([
    ['apply', []],
    ['apply --at-once', ['--at-once']],
  ])('is refused by %s, which says by what it is not', async (_, args) => {
    const { file } = save(STRICT)
    const before = await inForce()
    const halted = await halt(file)
    const { code, stdout } = await apply(file, ...args, ...ALL)
    expect(code).toBe(3)
    expect(stdout).toContain(
      `Not in force: the last rollout of this very document, ${halted}, halted in audit stage 1 of 5: too many`,
    )
    expect(stdout).toContain(`say so: --despite ${halted}`)
    expect(await inForce()).toBe(before)
  })

  test('is refused by activate and rollout start alike', async () => {
    const { file } = save(STRICT)
    const halted = await halt(file)
    const hash = (await store.rollout(halted))?.to ?? ''
    for (const called of [
      await policy('activate', hash, '--reason', 'x', '--at-once', ...ALL),
      await rollout('start', file, '--reason', 'x', ...ALL),
    ]) {
      expect(called.code).toBe(3)
      expect(called.stdout).toContain(`--despite ${halted}`)
    }
  })

  test('is listed and shown with the reason, and with who released it all the same', async () => {
    const { file } = save(STRICT)
    const halted = await halt(file)
    const hash = (await store.rollout(halted))?.to ?? ''
    const short = hash.slice(0, 12)
    const told = `${halted} halted in audit stage 1 of 5: too many`
    expect((await policy('list')).stdout).toContain(`Halted:\n${short}: ${told}\n`)
    expect((await policy('show', short)).stdout).toMatch(new RegExp(`^halted +${told}$`, 'm'))
    const args = ['--despite', halted, '--at-once', ...ALL]
    const applied = await policy('apply', file, '--yes', '--reason', 'it is meant', ...args)
    expect(applied.code).toBe(0)
    expect(await inForce()).toBe(hash)
    const despite = /; released all the same by cli:\S+ at 20\S+Z: it is meant$/m
    expect((await policy('list')).stdout).toMatch(despite)
    expect((await policy('show')).stdout).toMatch(despite)
    const listed: Json = JSON.parse((await policy('list', '--json')).stdout)
    const { halted: shown } = listed.find((one: Json) => one.hash === hash)
    expect(shown).toMatchObject({ rollout_id: halted, despite: { reason: 'it is meant' } })
    expect((await rollout('show', halted)).stdout).toMatch(/^despite +released all the same/m)
  })
})

describe('a version', () => {
  test('is named by its first digits, four or more', async () => {
    const hash = (await inForce()) ?? ''
    expect((await policy('show', hash.slice(0, 4))).stdout).toContain(hash)
    await expect(policy('show', 'abc')).rejects.toThrow(
      `'abc' has 3 digits, and the hash of a version 4 to 64: ${COMMAND} policy list shows them`,
    )
    await expect(policy('show', 'f')).rejects.toThrow(`'f' has 1 digit,`)
    await expect(policy('show', 'xyz1')).rejects.toThrow(`'xyz1' is not the hash of a version`)
    const unknown = hash.startsWith('0000') ? '1111' : '0000'
    await expect(policy('show', unknown)).rejects.toThrow(`there is no policy ${unknown}`)
  })
})
