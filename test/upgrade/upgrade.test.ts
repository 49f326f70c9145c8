import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { AttestationAgent } from '../../src/simulator/agent.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice } from '../../src/simulator/virtual-device.ts'
import { migratePostgres } from '../../src/store/system/migrate.ts'
import { folderForTest, runCli, serveInTest } from '../cli/cli-process.ts'
import type { Json } from '../support/json.ts'
import { describePostgres, FORGETFUL, type Postgres, startPostgres } from '../support/postgres.ts'
import { expectOk } from '../support/refusal.ts'
import { describeTar, tar } from '../support/tar.ts'
import { FIXTURE, restoreBefore } from './restore-before.ts'

/*
 * From a version before this one. What the upgrades begin with was made by the code of that commit and by
 * none of this (test/upgrade/make-fixture.sh): a service with a fleet, a quarantine, labels, an allowance,
 * an applied policy and an open rollout, on the embedded database and on PostgreSQL.
 */

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 })
const PUBLIC_URL = 'http://countersign.test'
/** The fleet is as old as the fixture: nothing of it is to be cleaned up by its age. */
const KEPT = { PUBLIC_URL, HISTORY_DAYS: '3650', DEVICE_IDLE_DAYS: '0', SIGNING_KEY_DAYS: '0' }

/**
 * Functions that processes of the version before cannot call any more, and what fails there until they are
 * replaced. `docs/upgrade.md` says so too. Nothing that devices or identity providers ask for may stand here.
 */
const LOST: Readonly<Record<string, string>> = {
  enrol_device: '`POST /v1/devices`',
}

type Facts = Readonly<
  Record<
    | 'secretKey'
    | 'clientId'
    | 'clientSecret'
    | 'labelled'
    | 'quarantined'
    | 'allowed'
    | 'rolloutId',
    string
  >
> & { readonly devices: number }

const factsOf = (name: string): Facts =>
  JSON.parse(readFileSync(join(FIXTURE, `${name}.json`), 'utf8'))

/** What there was is there, and the service goes on with it. */
async function expectToGoOn(facts: Facts, env: Readonly<Record<string, string>>): Promise<void> {
  const service = await serveInTest(['--port', '0'], env)
  const credentials = `${facts.clientId}:${facts.clientSecret}`
  const headers = {
    authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
    'content-type': 'application/json',
  }
  const get = async (path: string): Promise<Json> => {
    const answer = await fetch(`${service.url}${path}`, { headers })
    expect(answer.status, path).toBe(200)
    return answer.json()
  }
  const decide = async (deviceId: string): Promise<Json> => {
    const body = JSON.stringify({
      subject: { type: 'device', id: deviceId },
      action: { name: 'signin' },
      resource: { type: 'application', id: 'payroll' },
    })
    const answer = await fetch(`${service.url}/access/v1/evaluation`, {
      ...{ method: 'POST', headers, body },
    })
    return answer.json()
  }

  const devices: Json[] = JSON.parse((await runCli(['devices', 'list', '--json'], env)).stdout)
  expect(devices).toHaveLength(facts.devices)
  expect(await get(`/v1/devices/${facts.labelled}`)).toMatchObject({
    owner: 'Ada',
    labels: ['lab', 'pilot'],
  })
  const { attestations } = await get(`/v1/devices/${facts.labelled}/attestations`)
  expect(attestations[0]).toMatchObject({ outcome: 'accepted', verdict: 'trusted' })
  expect(await decide(facts.quarantined)).toMatchObject({
    decision: false,
    context: { verdict: 'quarantined' },
  })
  expect((await get('/v1/policy')).document.description).toBe('applied before the upgrade')
  expect(await get(`/v1/rollouts/${facts.rolloutId}`)).toMatchObject({ reason: 'second change' })

  // New devices come, under the keys that were sealed before.
  await expectAttested(service.url, decide)
  // What this version has beyond the last one works on what the last one wrote.
  const rotated = await runCli(['clients', 'rotate', facts.clientId, '--json'], env)
  expect(rotated).toMatchObject({ code: 0, stderr: '' })
  expect((await service.end('SIGTERM')).code).toBe(0)
}

async function expectAttested(
  url: string,
  decide: (deviceId: string) => Promise<Json>,
): Promise<void> {
  const reach = (request: Request) =>
    fetch(new Request(request.url.replace(PUBLIC_URL, url), request))
  const device = await startVirtualDevice({ name: 'newcomer', keys: primeSharingKeys() })
  const agent = new AttestationAgent({ device, baseUrl: PUBLIC_URL, fetch: reach })
  expect(expectOk(await agent.attest()).verdict).toBe('trusted')
  expect(await decide(device.deviceId)).toMatchObject({ decision: true })
}

describeTar('a data directory', () => {
  test('goes on with its next start', async () => {
    const facts = factsOf('data')
    const folder = folderForTest()
    const archive = join(folder, 'data.tar')
    writeFileSync(archive, brotliDecompressSync(readFileSync(join(FIXTURE, 'data.tar.br'))))
    tar('-xf', archive, '-C', folder)
    const env = { DATA_DIR: folder, SECRET_KEY: facts.secretKey, ...KEPT }
    // The way back: made by this version, of what the last one wrote, before anything is migrated.
    const backup = join(folder, 'before.tar.gz')
    expect(await runCli(['backup', backup], env)).toMatchObject({ code: 0 })
    await expectToGoOn(facts, env)

    const back = { ...env, DATA_DIR: join(folder, 'back') }
    expect(await runCli(['restore', backup], back)).toMatchObject({ code: 0 })
    await expectToGoOn(facts, back)
  })
})

describePostgres('a PostgreSQL database', () => {
  let server: Postgres
  beforeAll(async () => {
    server = await startPostgres({ settings: FORGETFUL })
  })
  afterAll(() => server?.stop())

  const restore = (name: string) => restoreBefore(server, name)

  test('is refused until it is migrated, and then goes on', async () => {
    const facts = factsOf('postgres')
    const env = {
      DATABASE_URL: await restore('upgraded'),
      SECRET_KEY: facts.secretKey,
      ...KEPT,
    }
    const early = await runCli(['serve', '--port', '0'], env)
    expect(early.code).toBe(1)
    expect(early.stderr).toContain('migrate" first')
    const migrated = await runCli(['migrate'], env)
    expect(migrated).toMatchObject({ code: 0 })
    expect(migrated.stderr).toMatch(/^Building index 1 of \d+ \(audit_at\); everybody reads/)
    await expectToGoOn(facts, env)
  })

  /**
   * Processes of the version before run on while those of this one take over, so what they call and write
   * has to be there still. Witness: PostgreSQL's catalog, before and after.
   */
  test('has after it all that processes of the version before call and write', async () => {
    const url = await restore('catalog')
    const before = await readCatalog(url)
    expect(before.functions.size).toBeGreaterThan(40)
    await migratePostgres(url)
    const after = await readCatalog(url)

    const page = readFileSync('docs/upgrade.md', 'utf8')
    for (const what of Object.values(LOST)) expect(page).toContain(what)
    for (const [name, { parameters, result }] of before.functions) {
      if (Object.hasOwn(LOST, name)) continue
      const now = after.functions.get(name)
      // Columns of a table are named by whoever reads them, so more may be there.
      expect(now?.result, name).toEqual(expect.arrayContaining([...result]))
      // They name what they hand over, so it may stand elsewhere, and more may be taken.
      expect(now?.parameters, name).toEqual(expect.arrayContaining([...parameters]))
      const added = now?.parameters.filter((one) => !parameters.includes(one)) ?? []
      expect(now?.defaults, `${name} takes ${added}`).toBeGreaterThanOrEqual(added.length)
    }
    for (const [name, type] of before.columns) {
      expect(after.columns.get(name)?.type, name).toBe(type.type)
    }
    const demanded = [...after.columns].filter(
      ([name, { isOptional, table }]) =>
        !before.columns.has(name) && before.tables.has(table) && !isOptional,
    )
    expect(demanded.map(([name]) => name)).toEqual([])
  })
})

type Catalog = {
  /** By name; each parameter as `name type`. */
  readonly functions: ReadonlyMap<
    string,
    {
      readonly parameters: readonly string[]
      /** Its type, or the columns of its table, each as `name type`. */
      readonly result: readonly string[]
      readonly defaults: number
    }
  >
  /** By `table.column`. */
  readonly columns: ReadonlyMap<
    string,
    { readonly table: string; readonly type: string; readonly isOptional: boolean }
  >
  readonly tables: ReadonlySet<string>
}

async function readCatalog(url: string): Promise<Catalog> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const functions = await client.query<{
      name: string
      parameters: string
      result: string
      defaults: number
    }>(`select proname as name, pg_get_function_identity_arguments(oid) as parameters,
      pg_get_function_result(oid) as result, pronargdefaults as defaults
      from pg_proc where pronamespace = 'public'::regnamespace`)
    const columns = await client.query<{
      table: string
      name: string
      type: string
      optional: boolean
    }>(`select table_name as table, column_name as name, udt_name as type,
      is_nullable = 'YES' or column_default is not null as optional
      from information_schema.columns where table_schema = 'public'
        and table_name !~ '_p?[0-9]{6,}' and table_name !~ '_default$'`)
    return {
      functions: new Map(
        functions.rows.map(({ name, parameters, result, defaults }) => [
          name,
          {
            parameters: parameters.split(', ').filter(Boolean),
            result: result.replace(/^TABLE\((.*)\)$/, '$1').split(', '),
            defaults,
          },
        ]),
      ),
      columns: new Map(
        columns.rows.map(({ table, name, type, optional }) => [
          `${table}.${name}`,
          { table, type, isOptional: optional },
        ]),
      ),
      tables: new Set(columns.rows.map(({ table }) => table)),
    }
  } finally {
    await client.end()
  }
}
