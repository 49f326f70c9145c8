import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { Json } from '../support/json.ts'
import { type Ended, folderForTest, runCli, serveInTest } from './cli-process.ts'

/*
 * A person's hour with the product, through the command line alone: every step is a process, as npm's script
 * starts it, beside a running service. Each step goes on from the one before. The parts have their own
 * tests; this one holds that they lead from one to the next.
 */

vi.setConfig({ testTimeout: 600_000 })

const DAY_MS = 86_400_000
/** Every fourth device is unhealthy, in another way each. */
const FLEET = { devices: 12, every: 4 }

test('an hour from the installation to the upgrade', async () => {
  const folder = folderForTest()
  const env = { DATA_DIR: join(folder, 'data'), CONTROL_INTERVAL_SECONDS: '5', PORT: '0' }
  /** Runs a command that has to end like this. */
  const run = async (args: readonly string[], code = 0): Promise<Ended> => {
    const ended = await runCli(args, env)
    expect(ended, `${args.join(' ')}\n${ended.stdout}${ended.stderr}`).toMatchObject({ code })
    return ended
  }
  const text = async (...args: readonly string[]) => (await run(args)).stdout
  /** Its one JSON document; a preview that it made is a line before that. */
  const json = async (...args: readonly string[]): Promise<Json> =>
    JSON.parse((await text(...args, '--json')).trimEnd().split('\n').at(-1) ?? '')
  const save = (name: string, document: unknown) => {
    const file = join(folder, name)
    writeFileSync(file, JSON.stringify(document))
    return file
  }

  // Install: the checkout is there; the service makes what it needs.
  expect(await text('--version')).toMatch(/^countersign \d/)
  const service = await serveInTest([], env)

  // A fleet.
  const load = ['--devices', String(FLEET.devices), '--unhealthy-every', String(FLEET.every)]
  await text('simulate', '--url', service.url, ...load)
  const devices: Json[] = await json('devices', 'list')
  expect(devices).toHaveLength(FLEET.devices)
  const denied = devices.filter(({ verdict }) => verdict === 'untrusted')
  const trusted = devices.filter(({ verdict }) => verdict === 'trusted')
  expect(denied.length).toBeGreaterThan(0)

  // Why is this one denied?
  const [one] = denied
  const shown = await text('devices', 'show', one.device_id)
  const why = /^ {2}(\w+): /m.exec(shown.slice(shown.indexOf('\nWhy\n')))?.[1] ?? ''
  expect(why).toMatch(/^[a-z_]+$/)

  // And which others, by clause?
  const others: Json[] = await json('devices', 'list', '--clause', why)
  expect(others.map(({ device_id }) => device_id)).toContain(one.device_id)
  expect(others.length).toBeLessThan(FLEET.devices)

  // A label, and those that have it.
  const [pilot] = trusted
  await text('devices', 'label', pilot.device_id, '--add', 'pilot')
  const labelled: Json[] = await json('devices', 'list', '--label', 'pilot')
  expect(labelled.map(({ device_id }) => device_id)).toEqual([pilot.device_id])

  // A clause from a date, with time for repair. First with a mistake, which lint finds.
  const policies = join(folder, 'policies')
  mkdirSync(policies)
  await text('policy', 'export', '--dir', policies)
  const file = join(policies, 'policy.json')
  const before = JSON.parse(readFileSync(file, 'utf8'))
  const from = new Date(Date.now() + 2 * DAY_MS).toISOString()
  const clause = {
    id: 'agent_seven',
    require: 'attestation.enclaveSvn >= 7',
    severity: 'enforce',
    enforce_from: from,
    grace_seconds: 3600,
    texts: { en: { title: 'The agent is old', repair: 'Update it.' } },
  }
  const withClause = (change: object) => {
    const added = { ...clause, ...change }
    return JSON.stringify({ ...before, clauses: [...before.clauses, added] })
  }
  writeFileSync(file, withClause({ require: 'attestation.enclaveSvm >= 7' }))
  const found = await run(['policy', 'lint', file], 3)
  expect(found.stdout).toContain('enclaveSvm')
  writeFileSync(file, withClause({}))
  await text('policy', 'lint', file)

  // Its tests, beside it.
  save('policies/policy.test.json', {
    reference_values: JSON.parse(readFileSync(join(policies, 'reference-values.json'), 'utf8')),
    cases: [{ name: 'a device without evidence of anything', claims: {}, decision: false }],
  })
  await text('policy', 'test', file)

  // The preview tells whom it will deny, by which clause and from when; so much is accepted by its number.
  const preview = await run(['policy', 'preview', file], 3)
  expect(preview.stdout).toContain('agent_seven')
  expect(preview.stdout).toContain(from.slice(0, 10))
  const healthy = String(FLEET.devices - denied.length)
  await run(['policy', 'apply', file, '--reason', 'agent 7', '--yes'], 3)
  const release = ['--reason', 'agent 7', '--yes', '--accept-denials', healthy]
  const applied = await json('policy', 'apply', file, ...release)
  expect(applied.documents[0].outcome).toBe('activated')
  // Nobody is denied by it today.
  expect(await json('devices', 'list', '--verdict', 'trusted')).toHaveLength(trusted.length)

  // Back to the version before the clause.
  await text('policy', 'rollback', '--reason', 'not yet')
  await text('policy', 'export', '--dir', policies)
  expect(JSON.parse(readFileSync(file, 'utf8')).clauses).toEqual(before.clauses)

  // A rollout of a bad document halts by itself.
  const bad = save(
    'bad.json',
    JSON.parse(
      withClause({
        enforce_from: undefined,
        grace_seconds: undefined,
        require: 'attestation.enclaveSvn >= 1000',
      }),
    ),
  )
  const rollout = await json(
    ...['rollout', 'start', bad, '--reason', 'bad', '--accept-denials', '1000'],
    ...['--stages', '100', '--bake', '1s', '--budget', '1', '--minimum-sample', '1'],
  )
  await expect
    .poll(async () => (await json('rollout', 'show', rollout.rollout_id)).state, {
      ...{ timeout: 120_000, interval: 2000 },
    })
    .toBe('halted')
  await service.logged('rollout_halted')

  // It halted before it decided for anybody: the first version is in force still, and none was before it.
  const refused = await run(['policy', 'rollback', '--reason', 'it halted'], 1)
  expect(refused.stderr).toContain('there is no version before')

  // Who did all this?
  const audit: Json[] = await json('audit', 'list')
  const actions = audit.map(({ action }) => action)
  for (const action of ['device.attributes-set', 'document.activated', 'rollout.halted']) {
    expect(actions).toContain(action)
  }
  const mine = audit.filter(({ action }) => action === 'document.activated')
  for (const { actor } of mine) expect(actor).toMatch(/^(?:cli:[^@]+@.+|service)$/)

  // A backup while the service runs, and a data directory of it.
  const backup = join(folder, 'backup.tar.gz')
  expect(await json('backup', backup)).toMatchObject({ is_live: true, has_secret: true })
  const restored = join(folder, 'restored')
  await text('restore', backup, '--data', restored)
  expect((await service.end('SIGTERM')).code).toBe(0)

  // The upgrade: what it begins with is restored, the start migrates, and everything is there.
  await text('migrate', '--data', restored)
  const next = await serveInTest(['--data', restored], env)
  expect(next.lines().map(({ level }) => level)).not.toContain('error')
  expect(await json('devices', 'list', '--data', restored)).toHaveLength(FLEET.devices)
  expect(existsSync(join(restored, 'secret.key'))).toBe(true)
})
