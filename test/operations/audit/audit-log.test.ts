import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { forRequest } from '../../../src/base/audited-request.ts'
import { at, newDeviceId } from '../../store/fixtures.ts'
import { openEmbeddedDatabase } from '../../support/embedded-database.ts'
import { describePostgres } from '../../support/postgres.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { exportLines, growLog, verifyDatabase, verifyLines } from './audit-fixture.ts'

/**
 * The log from the rows that changes write to what an auditor verifies. That what is verified here is what
 * others verify too `go-witness.test.ts` shows.
 */
function auditLogTests(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase
  let service: TestService
  const store = () => service.services.store
  const change = async (reason = 'stolen') => {
    const deviceId = newDeviceId()
    const now = service.clock.now()
    const attributes = { owner: 'alice' }
    const key = { keyKind: 'aik', deviceKeyHash: deviceId, ring: 1 } as const
    await store().enrolDevice({ deviceId, ...key, attributes, by: 'cli:alice@host', now })
    await store().quarantineDevice({ deviceId, by: 'cli:alice@host', reason, now })
    return deviceId
  }
  const leaves = async () => (await store().auditLog()).size

  beforeAll(async () => {
    database = await open()
    service = await createTestService({ database })
  })
  afterAll(() => database?.close())

  test('each entry gets one place, whoever gives it at once, and a checkpoint is signed', async () => {
    for (let n = 0; n < 40; n += 1) await change()
    const entries = Number((await database.query('select count(*) as n from audit'))[0]?.n)
    await Promise.all(Array.from({ length: 4 }, () => growLog(service.services)))
    expect(await leaves()).toBeGreaterThanOrEqual(entries)
    const verified = expectOk(await verifyDatabase(service.services))
    // The first key of the log was made meanwhile, and is an entry that waits or has its place.
    expect(verified.proven).toBe(await leaves())
    expect(verified).toMatchObject({ expired: 0, late: 0, isPinned: false })
    expect(verified.signatures).toHaveLength(1)
    expect(verified.origin).toBe('localhost:8080/audit')
  })

  test('grows by what is new, and continues each checkpoint of before', async () => {
    await growLog(service.services)
    const earlier: string[] = []
    for (let n = 0; n < 5; n += 1) {
      earlier.push((await store().auditLog()).checkpoint ?? '')
      for (let row = 0; row < 60; row += 1) await change()
      await growLog(service.services)
    }
    const verified = expectOk(await verifyDatabase(service.services, { earlier }))
    expect(verified.continues).toHaveLength(5)
    expect(verified.proven).toBe(await leaves())
    expect(verified.waiting).toBe(0)
  })

  test('what was written since waits, and nothing is said of it', async () => {
    await growLog(service.services)
    await change()
    expect(expectOk(await verifyDatabase(service.services)).waiting).toBe(2)
    await growLog(service.services)
    expect(expectOk(await verifyDatabase(service.services)).waiting).toBe(0)
  })

  test('a process that is told of another one with a batch writes nothing', async () => {
    await change()
    const { size, origin } = await store().auditLog()
    const entries = await store().waitingAuditEntries(10)
    expect(entries.length).toBeGreaterThan(0)
    const append = { origin: origin ?? '', entries, tiles: [], checkpoint: 'x', now: at(1) }
    expect(await store().appendAuditLog({ ...append, size: size - 1 })).toBe('superseded')
    expect(await store().appendAuditLog({ ...append, size, origin: 'another' })).toBe('superseded')
    expect(await store().waitingAuditEntries(10)).toEqual(entries)
    // Nor does one that would change hashes that are there.
    const hashes = new Uint8Array(32 * (size % 256)).fill(7)
    const tiles = [{ level: 0, tile: Math.floor(size / 256), hashes }]
    await expect(store().appendAuditLog({ ...append, size, tiles })).rejects.toThrow()
    expect(await store().waitingAuditEntries(10)).toEqual(entries)
    await growLog(service.services)
    expectOk(await verifyDatabase(service.services))
  })

  test('a key that was rotated or retired signs no more, and checkpoints of before count while it does', async () => {
    await growLog(service.services)
    const [first] = (await store().auditLog()).checkpoint?.split('\n').slice(-2) ?? []
    const kid = (await store().listSigningKeys()).find(({ use }) => use === 'audit-log')?.kid ?? ''
    expect(kid).not.toBe('')
    const { keyRing, sealing, config, clock } = service.services
    const { retireKey } = await import('../../../src/operations/keys/retire-key.ts')
    const making = { issuer: config.publicUrl, sealingKeys: sealing.signingKey }
    const before = (await store().auditLog()).checkpoint ?? ''
    const dependencies = { ...making, store: store(), clock }
    expectOk(await retireKey(dependencies, { kid, by: 'x', reason: 'stolen' }))
    await keyRing.reread()
    await growLog(service.services)
    const verified = await verifyDatabase(service.services)
    expectOk(verified)
    expect((await store().auditLog()).checkpoint).not.toContain(first ?? 'nothing')
    expectRefusal(
      await verifyDatabase(service.services, { earlier: [before] }),
      'audit_checkpoint_unsigned',
    )
  })

  describe('finds what somebody does past the service, and says the first row that differs:', () => {
    /** Rows that nothing but the owner of the tables can touch, in order. */
    const rows = async () =>
      database.query(
        `select l.position::int as position, l.audit_id from audit_leaf l order by l.position`,
      )
    const attacked = async (attack: readonly string[], mend: readonly string[]) => {
      for (const statement of attack) await database.query(statement)
      const found = await verifyDatabase(service.services)
      for (const statement of mend) await database.query(statement)
      expectOk(await verifyDatabase(service.services))
      return found
    }
    const idAt = async (position: number) => String((await rows())[position]?.audit_id)

    test('a changed row', async () => {
      const id = await idAt(7)
      const where = `where audit_id = '${id}'`
      await database.query(`create table kept as select * from audit ${where}`)
      const mend = [
        `update audit a set detail = k.detail, actor = k.actor, request = k.request from kept k
         where a.audit_id = k.audit_id`,
      ]
      for (const change of [
        `detail = detail || '{"reason":"lost"}'`,
        `actor = 'cli:bob@host'`,
        `request = '{"id":"x"}'`,
      ]) {
        const found = await attacked([`update audit set ${change} ${where}`], mend)
        expect(expectRefusal(found, 'audit_row_changed')).toMatchObject({
          index: 7,
          entry: { audit_id: id },
        })
      }
      await database.query('drop table kept')
    })

    test('a removed row, and one whose leaf was removed with it', async () => {
      const id = await idAt(9)
      await database.query(`create table kept as select * from audit where audit_id = '${id}'`)
      await database.query(`create table leaf as select * from audit_leaf where position = 9`)
      const remove = `delete from audit where audit_id = '${id}'`
      const back = ['insert into audit select * from kept', 'delete from audit_pending']
      const found = await attacked([remove], back)
      expect(expectRefusal(found, 'audit_row_removed')).toMatchObject({ index: 9 })
      const silent = await attacked(
        [remove, 'delete from audit_leaf where position = 9'],
        [...back, 'insert into audit_leaf select * from leaf'],
      )
      // As if it were past its retention, of which no entry says anything.
      expect(expectRefusal(silent, 'audit_row_removed')).toMatchObject({ index: 9 })
      await database.query('drop table kept, leaf')
    })

    test('a row that waited and was removed before it had its leaf', async () => {
      await growLog(service.services)
      const deviceId = await change()
      const where = `where device_id = '${deviceId}' and action = 'device.quarantined'`
      await database.query(`create table kept as select * from audit ${where}`)
      await database.query(`delete from audit ${where}`)
      await growLog(service.services)
      expectRefusal(await verifyDatabase(service.services), 'audit_row_removed')
      expect(service.logs.join()).toContain('audit_entries_lost')
      await database.query('delete from audit_pending')
      await database.query('insert into audit select * from kept')
      await database.query('drop table kept')
      await growLog(service.services)
      expectOk(await verifyDatabase(service.services))
    })

    test('an inserted row', async () => {
      const insert = `insert into audit (device_id, audit_id, at, actor, action, detail)
        select 'service', '01900000-0000-7000-8000-000000000001', at, 'cli:bob@host', 'client.created', '{}'
        from audit_leaf where position = 3`
      const found = await attacked(
        ['alter table audit disable trigger audit_awaits_leaf', insert],
        [
          'alter table audit enable trigger audit_awaits_leaf',
          `delete from audit where audit_id = '01900000-0000-7000-8000-000000000001'`,
        ],
      )
      expect(expectRefusal(found, 'audit_row_inserted')).toMatchObject({
        entry: { actor: 'cli:bob@host' },
      })
    })

    test('rows whose places were changed', async () => {
      const swap = [
        `update audit_leaf set position = -1 where position = 4`,
        `update audit_leaf set position = 4 where position = 6`,
        `update audit_leaf set position = 6 where position = -1`,
      ]
      const found = await attacked(swap, swap)
      expect(expectRefusal(found, 'audit_rows_reordered')).toMatchObject({ index: 4 })
    })

    test('rows that said what each other says', async () => {
      const firstOf = async (action: string) => {
        const [row] = await database.query(
          `select l.position::int as position, a.audit_id from audit a join audit_leaf l using (audit_id)
           where a.action = '${action}' order by 1 limit 1`,
        )
        return { position: Number(row?.position), id: String(row?.audit_id) }
      }
      const pair = [await firstOf('device.enrolled'), await firstOf('device.quarantined')]
      const [a, b] = pair.map(({ id }) => id)
      const swap = [
        `update audit set detail = x.detail, action = x.action from audit x
         where audit.audit_id in ('${a}', '${b}') and x.audit_id in ('${a}', '${b}')
           and x.audit_id <> audit.audit_id`,
      ]
      const found = await attacked(swap, swap)
      const index = Math.min(...pair.map(({ position }) => position))
      expect(expectRefusal(found, 'audit_row_changed')).toMatchObject({ index })
    })

    test('hashes that were made anew to fit a changed row: the log has two histories', async () => {
      await database.query('create table kept as select * from audit_tile')
      const found = await attacked(
        [
          `update audit_tile set hashes = overlay(hashes placing '\\x00'::bytea from 65)
           where level = 0 and tile = 0`,
        ],
        [
          `update audit_tile t set hashes = k.hashes from kept k
           where t.level = k.level and t.tile = k.tile`,
        ],
      )
      expectRefusal(found, 'audit_log_forked')
      await database.query('drop table kept')
    })

    test('a log that was begun anew, though its own keys signed it', async () => {
      const { checkpoint } = await store().auditLog()
      await change()
      await growLog(service.services)
      // Whoever has the keys of the service makes another tree over fewer, or other, rows.
      const { signCheckpoint } = await import('../../../src/operations/audit/grow-audit-log.ts')
      const { formatNoteKey } = await import('../../../src/audit/note.ts')
      const { noteKeyOf } = await import('../../../src/operations/audit/audit-keys.ts')
      const key = await service.services.auditKey()
      const origin = 'localhost:8080/audit'
      const keys = [noteKeyOf(key, origin)]
      const lines = await exportLines(service.services)
      const { growTree, leafHash } = await import('../../../src/audit/merkle.ts')
      const { toBase64 } = await import('../../../src/base/encoding.ts')
      const tree = growTree()
      const leaf = leafHash(Buffer.from('another history'))
      const size = await leaves()
      for (let n = 0; n < size; n += 1) tree.append(leaf)
      const other = await signCheckpoint({ origin, size, root: tree.root() }, key)
      expectRefusal(await verifyLines(lines, { keys, earlier: [other] }), 'audit_log_forked')
      const longer = await signCheckpoint({ origin, size: size + 1, root: tree.root() }, key)
      expectRefusal(await verifyLines(lines, { keys, earlier: [longer] }), 'audit_log_truncated')
      expectOk(await verifyLines(lines, { keys, earlier: [checkpoint ?? ''] }))
      const hashes = Buffer.concat(Array.from({ length: Math.min(size, 256) }, () => leaf))
      const forged = [
        JSON.stringify({
          ...JSON.parse(lines[0] ?? ''),
          checkpoint: other,
          keys: keys.map(formatNoteKey),
        }),
        JSON.stringify({ tile: 0, hashes: toBase64(hashes) }),
        ...lines.slice(2),
      ]
      expectRefusal(
        await verifyLines(forged, { keys, earlier: [checkpoint ?? ''] }),
        'audit_log_forked',
      )
    })
  })

  test('an entry says from where it came and by which request, and one of a job does not', async () => {
    const request = { id: 'req-1', method: 'POST', path: '/v1/devices/x/quarantine' }
    const ids = await forRequest(request, () =>
      Promise.all([change('a'), new Promise((go) => setTimeout(go, 5)).then(() => change('b'))]),
    )
    ids.push(await change('c'))
    const found = await database.query(
      `select detail ->> 'reason' as reason, request from audit
       where action = 'device.quarantined' and device_id in (${ids.map((id) => `'${id}'`).join()})
       order by 1`,
    )
    expect(found).toEqual([
      { reason: 'a', request },
      { reason: 'b', request },
      { reason: 'c', request: null },
    ])
    const note = { by: 'person:1', action: 'person.signed-in', detail: { role: 'owner' } }
    await forRequest(request, () => store().noteAudit({ ...note, now: service.clock.now() }))
    await growLog(service.services)
    const [entry] = (
      await store().auditEntries({
        action: 'person.signed-in',
        since: at(0),
        until: new Date('2027-01-01'),
        limit: 2,
      })
    ).entries
    expect(entry).toMatchObject({ actor: 'person:1', deviceId: 'service', request })
    expectOk(await verifyDatabase(service.services))
  })
}

describe('the audit log on the embedded database', () => auditLogTests(openEmbeddedDatabase))

describePostgres('the audit log on PostgreSQL', () => auditLogTests(openTestDatabase))

describePostgres('entries of the audit log that are committed late', () => {
  test('get later places, whatever time they say, and none is left out', async () => {
    const database = await openTestDatabase()
    const service = await createTestService({ database })
    const [row] = await database.query('select current_database() as name')
    const url = new URL(inject('postgres')?.url ?? '')
    url.pathname = `/${row?.name}`
    const other = new pg.Client(url.href)
    await other.connect()
    const { store } = service.services
    const note = (action: string) => {
      const now = service.clock.now()
      return store.noteAudit({ by: 'test', action, detail: {}, now })
    }
    try {
      // One that began first and says the earliest time, and is committed last.
      await other.query('begin')
      await other.query(`insert into audit (device_id, audit_id, at, actor, action, detail) values
        ('service', gen_random_uuid(), '2020-01-01', 'test', 'a.late', '{}')`)
      await note('a.first')
      await growLog(service.services)
      await note('a.second')
      await growLog(service.services)
      const { size } = await store.auditLog()
      await other.query('commit')
      await Promise.all([growLog(service.services), growLog(service.services)])
      const places = await database.query(
        `select a.action from audit a join audit_leaf l using (audit_id)
         where a.action like 'a.%' order by l.position`,
      )
      expect(places.map(({ action }) => action)).toEqual(['a.first', 'a.second', 'a.late'])
      expect((await store.auditLog()).size).toBe(size + 1)
      expect(expectOk(await verifyDatabase(service.services))).toMatchObject({
        late: 1,
        waiting: 0,
      })
      // One that is rolled back leaves nothing behind.
      await other.query('begin')
      await other.query(`insert into audit (device_id, audit_id, at, actor, action, detail) values
        ('service', gen_random_uuid(), now(), 'test', 'a.never', '{}')`)
      await other.query('rollback')
      await growLog(service.services)
      expect((await store.auditLog()).size).toBe(size + 1)
    } finally {
      await other.end()
      await database.close()
    }
  })
})
