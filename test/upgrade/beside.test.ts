import { readdirSync } from 'node:fs'

/** The migration whose indexes are built last. */
function lastIndexes(): string | undefined {
  const names = readdirSync('drizzle').filter((name) => name.endsWith('_indexes.sql'))
  return names.sort().at(-1)?.replace('.sql', '')
}

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { parseMasterSecret } from '../../src/keys/master-secret.ts'
import { openPostgresStore } from '../../src/store/drivers/postgres.ts'
import { STATEMENT_LIMITS } from '../../src/store/drivers/statement-limits.ts'
import {
  checkPostgres,
  type MigrationStep,
  migratePostgres,
} from '../../src/store/system/migrate.ts'
import { startCli } from '../cli/cli-process.ts'
import { describePostgres, FORGETFUL, type Postgres, startPostgres } from '../support/postgres.ts'
import { expectOk } from '../support/refusal.ts'
import { createTestService, startDevice, type TestService, testClock } from '../support/service.ts'
import { FIXTURE, restoreBefore } from './restore-before.ts'

/*
 * `migrate` of a PostgreSQL database of the version before, beside those who work on it. How far a build of an
 * index is, what it waits for and whether an index is valid says PostgreSQL itself
 * (`pg_stat_progress_create_index`, `pg_index`). A transaction that is open keeps each build from ending for as
 * long as it likes, so nothing here depends on how long one takes.
 */

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 })
const FACTS = JSON.parse(readFileSync(resolve(FIXTURE, 'postgres.json'), 'utf8'))
const QUESTION = { action: { name: 'signin' }, resource: { type: 'application', id: 'payroll' } }

describePostgres('migrate, beside those who work on the database', () => {
  let server: Postgres
  beforeAll(async () => {
    server = await startPostgres({ settings: FORGETFUL })
  })
  afterAll(() => server?.stop())

  test('processes of the version before are refused nothing, from the first lock to the last index', async () => {
    const url = await restoreBefore(server, 'before')
    const work = await workAsBefore(url)
    // Whoever reads for long holds its tables up, and nobody behind it.
    const reader = await connect(url)
    await reader.query('begin; select from device, audit limit 1')
    const blocked = Promise.withResolvers<void>()
    const migrated = migratePostgres(url, ({ kind }) => {
      if (kind === 'blocked') blocked.resolve()
    })
    await blocked.promise
    await reader.query('rollback')
    const builds = await goThroughBuilds(url, migrated, () => work.another())
    expect(builds.size).toBeGreaterThan(20)
    expect(await migrated).toContain('0064_device_search_indexes')
    const { faults, reads, recordings } = await work.end()
    expect(faults).toEqual([])
    expect(Math.min(reads, recordings)).toBeGreaterThan(builds.size)
    expect(await indexesOf(url)).toEqual(await indexesOf(await newDatabase('as_new')))
  })

  test('this version answers questions, attestations and administrators while each index is built', async () => {
    const url = await restoreBefore(server, 'answers')
    const migrated = migratePostgres(url)
    let service: TestService | undefined
    const builds = await goThroughBuilds(url, migrated, async () => {
      service ??= await serviceOn(url)
      await expectToAnswer(service)
    })
    expect(builds.size).toBeGreaterThan(20)
    await migrated
  })

  test('killed at any index it goes on, and leaves none that is not valid', async () => {
    const url = await restoreBefore(server, 'killed')
    const killed = new Set<string>()
    const migrate = async () => {
      for (;;) {
        try {
          return await migratePostgres(url)
        } catch (error) {
          expect(error).toMatchObject({ code: '57P01' })
        }
      }
    }
    const builds = await goThroughBuilds(url, migrate(), async ({ name, pid, client }) => {
      if (killed.has(name)) return 'release'
      killed.add(name)
      await client.query('select pg_terminate_backend($1)', [pid])
      return 'hold'
    })
    expect(killed).toEqual(builds)
    expect(builds.size).toBeGreaterThan(20)
    expect(await indexesOf(url)).toEqual(await indexesOf(await newDatabase('as_new_again')))
  })

  test('another one waits for what a killed process left at work, and ends it', async () => {
    const url = await restoreBefore(server, 'orphaned')
    const client = await connect(url)
    const holder = await holdSnapshot(url)
    const child = startCli(['migrate'], { DATABASE_URL: url })
    await expect.poll(() => buildUnderWay(client), { timeout: 60_000 }).toBeDefined()
    child.kill('SIGKILL')
    await once(child, 'close')
    const steps: MigrationStep['kind'][] = []
    const waiting = Promise.withResolvers<void>()
    const applied = migratePostgres(url, ({ kind }) => {
      steps.push(kind)
      if (kind === 'waiting') waiting.resolve()
    })
    await waiting.promise
    expect(await buildUnderWay(client)).toBeDefined()
    await holder.query('rollback')
    expect((await applied)[0]).toBe('0064_device_search_indexes')
    expect(await indexesOf(url)).toEqual(await indexesOf(await newDatabase('as_new_too')))
  })

  // The witness is PostgreSQL: it says for how long the transaction is open, and what the build waits for.
  test('who holds indexes up with a transaction is named, and this version starts meanwhile', async () => {
    const url = await restoreBefore(server, 'held_up')
    await expect(checkPostgres(url)).rejects.toThrow(/migrate/)
    const holder = await holdSnapshot(url)
    const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid')
    const client = await connect(url)
    const isOld = async () => {
      const found = await client.query<{ is_old: boolean }>(
        `select clock_timestamp() - xact_start > interval '1 second' as is_old
         from pg_stat_activity where pid = $1`,
        [rows[0]?.pid],
      )
      return found.rows[0]?.is_old
    }
    await expect.poll(isOld, { timeout: 60_000 }).toBe(true)
    const named: MigrationStep[] = []
    const applied = migratePostgres(url, (step) => named.push(step))
    await expect.poll(() => buildUnderWay(client), { timeout: 60_000 }).toBeDefined()
    expect(named).toContainEqual(
      expect.objectContaining({ kind: 'old_transaction', pid: rows[0]?.pid }),
    )
    // One that began when the build was under way holds up the next step of it, or the next index.
    const later = await holdSnapshot(url)
    const { rows: ofLater } = await later.query<{ pid: number }>('select pg_backend_pid() as pid')
    const isNamed = () => named.some((one) => 'pid' in one && one.pid === ofLater[0]?.pid)
    await expect.poll(isNamed, { timeout: 60_000 }).toBe(true)
    await later.query('rollback')
    // What is missing is the indexes alone: functions of files behind theirs are there.
    expect(await checkPostgres(url)).toEqual({ pooled: false })
    await holder.query('rollback')
    expect((await applied).at(-1)).toBe(lastIndexes())
    expect(await indexesOf(url)).toEqual(await indexesOf(await newDatabase('as_new_held_up')))
  })

  async function newDatabase(name: string): Promise<string> {
    const url = await server.createDatabase(name)
    await migratePostgres(url)
    return url
  }
})

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

/** No index that begins to be built from now on is done before this transaction has ended. */
async function holdSnapshot(url: string): Promise<pg.Client> {
  const client = await connect(url)
  await client.query('begin isolation level repeatable read; select 1')
  return client
}

type Build = { readonly name: string; readonly pid: number }

/** An index of which everything is done but the wait for those who began before. */
async function buildUnderWay(client: pg.Client): Promise<Build | undefined> {
  const { rows } = await client.query<Build>(`
    select index_relid::regclass::text as name, pid from pg_stat_progress_create_index
    where phase = 'waiting for old snapshots'`)
  return rows[0]
}

/**
 * Calls `during` while a build is held up: `release` lets that one end, and `hold` says that it has come to an end
 * otherwise. Answers the names of the indexes.
 */
async function goThroughBuilds(
  url: string,
  migrated: Promise<unknown>,
  during: (build: Build & { readonly client: pg.Client }) => Promise<unknown>,
): Promise<ReadonlySet<string>> {
  const client = await connect(url)
  const names = new Set<string>()
  let isDone = false
  const done = migrated.finally(() => {
    isDone = true
  })
  done.catch(() => {})
  let holder = await holdSnapshot(url)
  let last: Build | undefined
  while (!isDone) {
    const build = await buildUnderWay(client)
    if (build === undefined || (build.name === last?.name && build.pid === last.pid)) {
      await new Promise((wake) => setTimeout(wake, 5))
      continue
    }
    last = build
    names.add(build.name)
    if ((await during({ ...build, client })) === 'hold') continue
    // The next one is held up before this one may end.
    const next = await holdSnapshot(url)
    await holder.query('rollback')
    holder = next
  }
  await holder.query('rollback')
  await done
  return names
}

/** Reads and recordings without a pause, by the statements and within the limits of the version before. */
async function workAsBefore(url: string) {
  const [reader, recorder] = [await connect(url), await connect(url)]
  for (const [client, use] of [
    [reader, 'decisions'],
    [recorder, 'recordings'],
  ] as const) {
    const { statementMs, lockMs } = STATEMENT_LIMITS[use]
    await client.query(`set statement_timeout = ${statementMs}; set lock_timeout = ${lockMs}`)
  }
  const { rows } = await reader.query<{ id: string }>('select device_id as id from device')
  const counts = { reads: 0, recordings: 0 }
  const faults: unknown[] = []
  let isOver = false
  const repeat = async (what: keyof typeof counts, once: (turn: number) => Promise<unknown>) => {
    while (!isOver) {
      await once(counts[what]).catch((error) => faults.push(error))
      counts[what] += 1
    }
  }
  const idAt = (turn: number) => rows[turn % rows.length]?.id ?? ''
  const loops = [
    repeat('reads', (turn) => reader.query(READ_BEFORE, [idAt(turn)])),
    repeat('recordings', (turn) => recorder.query(recordingBefore(idAt(turn), turn))),
  ]
  return {
    /** Resolves when both have answered again. */
    async another() {
      const { reads, recordings } = counts
      await expect
        .poll(() => counts.reads > reads + 1 && counts.recordings > recordings + 1, {
          timeout: 60_000,
        })
        .toBe(true)
    },
    async end() {
      isOver = true
      await Promise.all(loops)
      return { ...counts, faults }
    },
  }
}

const READ_BEFORE = {
  name: 'trust_record',
  text: `select device_id, claims, verdict, labels, quarantined_at, c.revision
    from control c left join device on device_id = $1`,
}

/** `record_attestation` with the parameters that it had. */
function recordingBefore(deviceId: string, turn: number): pg.QueryConfig {
  const now = new Date()
  const later = new Date(now.getTime() + 3_600_000)
  const values: Readonly<Record<string, unknown>> = {
    p_device_id: deviceId,
    p_key_kind: 'aik',
    p_device_key_hash: 'hash',
    p_ring: 7,
    p_enrolment_mode: 'open',
    p_nonce_id: `nonce-${turn}`,
    p_nonce_expires_at: later,
    p_attestation_id: `att_before_${turn}`,
    p_attested_at: now,
    p_valid_until: later,
    p_issuer: 'https://verifier.example',
    p_policy_hash: 'policy',
    p_confirmation_key: 'key',
    p_claims: '{}',
    p_verdict: 'trusted',
    p_reasons: '[]',
    p_failed_clauses: '[]',
    p_digests: '{}',
    p_trace: '{}',
    p_evaluated_policy_hash: null,
    p_reference_values_hash: null,
    p_event_id: crypto.randomUUID(),
    p_announced_verdict: turn % 2 === 0 ? 'trusted' : 'untrusted',
    p_vouched: false,
    p_linked_key: null,
  }
  const names = Object.keys(values)
  const parameters = names.map((name, at) => `${name} => $${at + 1}`).join()
  return {
    name: 'record_attestation',
    text: `select outcome, is_current from record_attestation(${parameters})`,
    values: names.map((name) => values[name]),
  }
}

/** The service of this version, on a database to which only indexes are missing. */
async function serviceOn(url: string): Promise<TestService> {
  const store = openPostgresStore({ url, poolSize: 10 })
  const client = await connect(url)
  const secret = parseMasterSecret(FACTS.secretKey)
  if (secret === undefined) throw new TypeError('the fixture has a secret')
  onTestFinished(() => store.close())
  return createTestService({
    database: {
      store,
      query: async (text) => (await client.query(text)).rows,
      serve: (answer) => answer(),
      close: () => store.close(),
    },
    clock: testClock(new Date()),
    secrets: [secret],
  })
}

async function expectToAnswer(service: TestService): Promise<void> {
  const device = await startDevice()
  expect(expectOk(await service.agentOf(device).attest()).verdict).toBe('trusted')
  const headers = await service.as('access.evaluate', 'admin.write', 'admin.read')
  const subject = { type: 'device', id: device.deviceId }
  const asked = await service.post('/access/v1/evaluation', { subject, ...QUESTION }, { headers })
  expect([asked.status, await asked.json()]).toMatchObject([200, { decision: true }])
  const path = `/v1/devices/${device.deviceId}/quarantine`
  const changed = await service.post(path, { reason: 'lost' }, { headers })
  expect(changed.status).toBeLessThan(300)
}

/** Every index but those that are of a partition alone: its definition, and whether it is valid. */
async function indexesOf(url: string): Promise<readonly unknown[]> {
  const client = await connect(url)
  const { rows } = await client.query(`
    select replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as definition,
      i.indisvalid as valid, i.indisready as ready
    from pg_index i join pg_class t on t.oid = i.indrelid
    where t.relnamespace = 'public'::regnamespace and not t.relispartition order by 1`)
  const parts = await client.query(`
    select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid where not i.indisvalid`)
  expect(parts.rows).toEqual([])
  return rows
}
