import { connect, createServer, type Socket } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { POLL } from '../../../src/signals/stream.ts'
import { openStore } from '../../../src/store/drivers/open-store.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import { STATEMENT_LIMITS } from '../../../src/store/drivers/statement-limits.ts'
import { migratePostgres } from '../../../src/store/system/migrate.ts'
import { namedHash } from '../../support/document-hash.ts'
import {
  describePostgres,
  FORGETFUL,
  type Postgres,
  startPostgres,
} from '../../support/postgres.ts'
import { storeContract } from '../contract.ts'
import { linkOf } from '../devices/links-contract.ts'
import { at, attestationOf, newDeviceId, newId, refusalOf } from '../fixtures.ts'

const ENTITY = { kind: 'subject', type: 'user', id: 'alice' } as const

const SEEN = {
  ...{ rolloutId: 'rol_a', revision: 1, reporter: 'one', at: at(1) },
  ...{ decisions: 1, newlyDenied: 0, examples: [], causes: {} },
}

describePostgres('store on PostgreSQL', () => {
  let server: Postgres

  beforeAll(async () => {
    server = await startPostgres({
      settings: { ...FORGETFUL, log_min_duration_statement: '0', log_line_prefix: '[%d] ' },
    })
  })
  afterAll(() => server?.stop())

  const open = async (name: string) => {
    const url = await server.createMigrated(name)
    const pool = new pg.Pool({ connectionString: url, max: 2 })
    const store = openPostgresStore({ url, poolSize: 16 })
    return {
      store,
      url,
      query: async (text: string) => (await pool.query<Record<string, unknown>>(text)).rows,
      async close() {
        await pool.end()
        await store.close()
      },
    }
  }

  storeContract(() => open('contract'))

  test('a device that is merged while one of its names is linked loses neither, and nobody fails', async () => {
    const { store, url, close } = await open('crosswise')
    const [tpm, other, key, late] = [newDeviceId(), newDeviceId(), newDeviceId(), newDeviceId()]
    await store.linkDevice(linkOf(tpm, key))
    await store.quarantineDevice({ deviceId: tpm, by: 'x', reason: 'stolen', now: at(6) })
    const blocker = new pg.Client(url)
    await blocker.connect()
    const waiting = async () => {
      const text = 'select count(*)::int as n from pg_locks where not granted'
      return (await blocker.query<{ n: number }>(text)).rows[0]?.n ?? 0
    }
    // The row of `late` is somebody's, so that linking it stops after it has found its device.
    await blocker.query('begin')
    await blocker.query(`insert into device (device_id, key_kind, device_key_hash, enrolment, ring,
      created_at, updated_at) values ('${late}', 'aik', '${late}', 'admitted', 1, now(), now())`)
    const linked = store.linkDevice(linkOf(late, key))
    while ((await waiting()) < 1) await new Promise((resolve) => setTimeout(resolve, 5))
    let isMerged = false
    const merged = store.linkDevice(linkOf(other, tpm)).finally(() => {
      isMerged = true
    })
    while (!isMerged && (await waiting()) < 2)
      await new Promise((resolve) => setTimeout(resolve, 5))
    await blocker.query('rollback')
    await Promise.all([linked, merged])
    const found = await Promise.all([tpm, other, key, late].map((id) => store.trustRecord(id)))
    expect(new Set(found.map(({ record }) => record?.deviceId)).size).toBe(1)
    expect(found.map(({ record }) => record?.quarantine?.reason)).toEqual(Array(4).fill('stolen'))
    await blocker.end()
    await close()
  })

  test('a statement that is given up takes its connection with it', async () => {
    const url = new URL(await server.createMigrated('swallowed'))
    // What a firewall does that forgets a connection: nothing goes on, and nobody is told.
    const swallowed = new Set<Socket>()
    const open = new Set<Socket>()
    const proxy = createServer((inside) => {
      const outside = connect(Number(url.port), url.hostname)
      for (const [from, to] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        from.on('error', () => {})
        from.on('data', (data) => void (swallowed.has(inside) || to.write(data)))
        from.on('close', () => {
          open.delete(inside)
          to.destroy()
        })
      }
      open.add(inside)
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const through = new URL(url)
    const address = proxy.address()
    through.port = String(typeof address === 'object' ? address?.port : 0)
    const limits = { ...STATEMENT_LIMITS }
    limits.administration = { ...limits.administration, answerMs: 500 }
    // A fifth of them are for administration.
    const store = openPostgresStore({ url: through.href, poolSize: 15, limits })
    const pings = (count: number) =>
      Promise.allSettled(Array.from({ length: count }, () => store.ping()))
    const isFine = ({ status }: PromiseSettledResult<unknown>) => status === 'fulfilled'
    expect((await pings(6)).every(isFine)).toBe(true)
    expect(open.size).toBe(3)
    for (const socket of open) swallowed.add(socket)
    const during = await pings(3)
    expect(during.map(({ status }) => status)).toEqual(Array(3).fill('rejected'))
    // PostgreSQL answers on connections of their own: none of the pool's waits for the lost ones.
    for (let round = 0; round < 3; round++) expect((await pings(6)).every(isFine)).toBe(true)
    await store.close()
    for (const socket of open) socket.destroy()
    proxy.close()
  })

  test('no call waits for another in a circle', async () => {
    const { store, close } = await open('storm')
    const devices = [newDeviceId(), newDeviceId()]
    const nonces = Array.from({ length: 5 }, () => newId('nonce-'))
    const calls = Array.from({ length: 400 }, (_, index) => {
      const deviceId = devices[index % 2] ?? ''
      const change = { deviceId, by: 'admin', reason: '', now: at(index) }
      if (index % 17 === 0) return store.quarantineDevice(change)
      if (index % 19 === 0) return store.releaseDevice(change)
      if (index % 23 === 0) return store.recordRefusal(refusalOf(deviceId, { at: at(index) }))
      const nonceId = index % 3 === 0 ? newId('nonce-') : (nonces[index % 5] ?? '')
      return store.recordAttestation(
        attestationOf({ deviceId, nonceId, nonceExpiresAt: 300, at: index }),
      )
    })
    await Promise.all(calls)
    await close()
    expect(server.log()).not.toContain('deadlock detected')
  })

  test('each call is one round trip of a prepared statement', async () => {
    const { store, close } = await open('spied')
    const deviceId = newDeviceId()
    const now = at(1)
    const change = { deviceId, by: 'admin', reason: 'r', now }
    await store.recordAttestation(attestationOf({ deviceId }))
    const changes = { owner: deviceId }
    await store.setDeviceAttributes({ deviceId, changes, by: 'admin', now })
    const document = {
      kind: 'policy',
      hash: namedHash('h'),
      body: {},
      author: 'a',
      reason: 'r',
      now,
    } as const
    const calls: Record<string, () => Promise<unknown>> = {
      record_attestation: () => store.recordAttestation(attestationOf({ deviceId })),
      record_refusal: () => store.recordRefusal(refusalOf(deviceId, {})),
      trust_record: () => store.trustRecord(deviceId),
      trust_records: () => store.trustRecords([deviceId]),
      trust_record_with_entities: () => store.trustRecord(deviceId, [ENTITY]),
      trust_records_with_entities: () => store.trustRecords([deviceId], [ENTITY]),
      trust_records_by_owner: () =>
        store.findTrustRecords({ by: 'owner', texts: [deviceId], most: 2 }),
      quarantine_device: () => store.quarantineDevice(change),
      release_device: () => store.releaseDevice(change),
      admit_device: () => store.admitDevice(change),
      find_client: () => store.findClient('nobody'),
      issuer_certificates: () => store.issuerCertificates({ keyId: 'k', nameHash: 'n', now }),
      announce_verdicts: () => store.announceVerdicts({ changes: [], revision: 1, now }),
      activate_document: () =>
        store.activateDocument({ ...document, expected: document.hash, beside: document.hash }),
      active_document: () => store.activeDocument('policy'),
      observe_rollout: () => store.observeRollout(SEEN),
      claim_job: () => store.claimJob({ job: 'job', holder: 'one', now, until: at(60) }),
    }
    for (const [name, call] of Object.entries(calls)) {
      await call()
      const before = statementsIn('spied')
      await call()
      // The name after `execute` is that of the prepared statement; the second time it is neither
      // parsed nor planned again, and there is no BEGIN or COMMIT around it.
      const logged = statementsIn('spied').slice(before.length)
      expect(logged.map((line) => line.split(':')[0])).toEqual([`bind ${name}`, `execute ${name}`])
    }
    await close()
  })

  function statementsIn(database: string): string[] {
    const pattern = new RegExp(`^\\[${database}\\] LOG: {2}duration: .*? ms {2}(.*)$`, 'gm')
    return [...server.log().matchAll(pattern)].map((match) => match[1] ?? '')
  }

  test('a database that is not migrated is refused, with what to do', async () => {
    const url = await server.createDatabase('empty')
    const opening = openStore({ kind: 'postgres', url, poolSize: 2 })
    await expect(opening).rejects.toThrow(/lacks \d+ migration.*npm run -s countersign -- migrate/)
    await expect(opening).rejects.toMatchObject({ name: 'SchemaNotCurrentError' })
  })

  test('migrations by several processes at once happen once', async () => {
    const url = await server.createDatabase('migrated')
    const applied = await Promise.all(Array.from({ length: 4 }, () => migratePostgres(url)))
    expect(applied.filter((names) => names.length > 0)).toHaveLength(1)
    expect(await migratePostgres(url)).toEqual([])
    const store = await openStore({ kind: 'postgres', url, poolSize: 2 })
    await store.ping()
    await store.close()
  })

  test.each([
    ['more streams by making several at once', 'create_stream'],
    ['a stream that outlives it by making one while it is disabled', 'disable_client'],
  ])('a client does not get %s', async (_, meanwhile) => {
    const { store, url, query, close } = await open(`at_once_${meanwhile}`)
    const [by, now, clientId] = ['test', at(0), newId('cli_')]
    const stream = {
      ...{ streamId: newId('str_'), clientId, audience: 'a', delivery: { method: POLL } as const },
      ...{ eventsRequested: [], eventsDelivered: [], description: null, most: 1, by, now },
      subjectForm: 'device' as const,
    }
    const made = { clientId, name: 'receiver', secretHash: 'a'.repeat(64) }
    await store.createClient({ ...made, scopes: ['ssf.manage'], by, now })
    const other = new pg.Client(url)
    await other.connect()
    await other.query('begin')
    await other.query(
      meanwhile === 'disable_client'
        ? `select disable_client('${clientId}', now(), 'test', gen_random_uuid())`
        : `select create_stream('str_first', '${clientId}', 'a', null, null, '[]', '[]', null, 'device', 1,
            now(), 'test', gen_random_uuid())`,
    )
    const asked = store.createStream(stream)
    const waits = async () =>
      (await query(`select from pg_stat_activity where wait_event_type = 'Lock'`)).length
    await Promise.race([asked, expect.poll(waits, { timeout: 5000 }).toBe(1)])
    await other.query('commit')
    expect(await asked).toBe('too_many_streams')
    expect(await store.findStream(stream)).toBeNull()
    await other.end()
    await close()
  })

  test('a migration whose table somebody holds gives up soon, and comes again when it is free', async () => {
    const { url, close } = await open('held')
    const holder = new pg.Client(url)
    await holder.connect()
    await holder.query('begin; lock table drizzle.__drizzle_migrations in access exclusive mode')
    let blocked = 0
    const applied = await migratePostgres(url, ({ kind }) => {
      expect(kind).toBe('blocked')
      blocked += 1
      void holder.query('rollback')
    })
    expect({ applied, blocked }).toEqual({ applied: [], blocked: 1 })
    await holder.end()
    await close()
  })

  test('a database of a newer version is refused, and not migrated', async () => {
    const { url, query, close } = await open('newer')
    await query(
      `insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 99999999999999)`,
    )
    await close()
    const message = /does not know/
    await expect(openStore({ kind: 'postgres', url, poolSize: 2 })).rejects.toThrow(message)
    await expect(migratePostgres(url)).rejects.toThrow(message)
  })

  test('a broken connection fails its call and is replaced', async () => {
    const { store, query, close } = await open('broken')
    await store.ping()
    await query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'countersign' and datname = 'broken'`,
    )
    await expect.poll(() => store.ping().then(() => 'answers'), { timeout: 5000 }).toBe('answers')
    await close()
  })
})
