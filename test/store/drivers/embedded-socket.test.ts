import { connect } from 'node:net'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type EmbeddedSocket,
  listenForPostgres,
} from '../../../src/store/drivers/embedded-socket.ts'
import { openHyperdriveStore } from '../../../src/store/drivers/hyperdrive.ts'
import { migrateEmbedded } from '../../../src/store/system/migrate.ts'
import { namedHash } from '../../support/document-hash.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { newDeviceId } from '../fixtures.ts'

const PASSWORD = 'pass word/%'

describe('embedded database behind a PostgreSQL socket', () => {
  let db: PGlite
  let socket: EmbeddedSocket

  beforeAll(async () => {
    db = await PGlite.create()
    await migrateEmbedded(db)
    await db.exec('create table note (id serial primary key, text text not null)')
    socket = await listenForPostgres(db, { password: PASSWORD })
  })
  afterAll(async () => {
    await socket?.close()
    await db?.close()
  })

  const withClient = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: socket.url })
    client.on('error', () => {})
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.end()
    }
  }
  const namedQuery = (value: number) => ({
    name: 'same name',
    text: 'select $1::int as value',
    values: [value],
  })

  test('answers simple, parametrised and prepared statements', async () => {
    await withClient(async (client) => {
      expect((await client.query('select 1 as one; select 2 as two')) as unknown).toHaveLength(2)
      const { rows } = await client.query('select $1::text || $2::text as text', ['a', 'ü'])
      expect(rows).toEqual([{ text: 'aü' }])
      for (const value of [1, 2]) {
        expect((await client.query(namedQuery(value))).rows).toEqual([{ value }])
      }
    })
  })

  test('a statement that fails leaves the connection to the next one', async () => {
    await withClient(async (client) => {
      await expect(client.query('select 1 / $1::int', [0])).rejects.toMatchObject({ code: '22012' })
      await expect(client.query('selec')).rejects.toMatchObject({ code: '42601' })
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    })
  })

  test('messages and answers of many packets arrive whole', async () => {
    const text = 'ü'.repeat(1_500_000)
    await withClient(async (client) => {
      const { rows } = await client.query('select $1::text as text', [text])
      expect(rows[0]?.text === text).toBe(true)
    })
  })

  test('many connections take turns, each with statements of its own', async () => {
    const values = Array.from({ length: 100 }, (_, index) => index)
    const answers = await Promise.all(
      values.map((value) =>
        withClient(async (client) => {
          await client.query(namedQuery(value))
          return (await client.query(namedQuery(value))).rows[0]?.value
        }),
      ),
    )
    expect(answers).toEqual(values)
  })

  test('what a connection leaves open does not reach the next one', async () => {
    await withClient(async (client) => {
      await client.query("set application_name = 'left behind'")
      await client.query('create temp table left_behind (id int)')
      await client.query('begin')
      await client.query("insert into note (text) values ('not committed')")
    })
    await withClient(async (client) => {
      const { rows } = await client.query(
        `select current_setting('application_name') as name, to_regclass('left_behind') as temp,
          (select count(*)::int from note) as notes, (select count(*)::int from pg_prepared_statements
            where name <> '') as prepared`,
      )
      expect(rows).toEqual([{ name: '', temp: null, notes: 0, prepared: 0 }])
    })
  })

  test('a connection that is cut in the middle of a message holds nobody up', async () => {
    const client = new pg.Client({ connectionString: socket.url })
    client.on('error', () => {})
    await client.connect()
    await client.query('begin')
    const { stream } = (client as unknown as { connection: { stream: import('node:net').Socket } })
      .connection
    stream.write(Buffer.from('P\x00\x00\xff\xffhalf of a message', 'latin1'))
    stream.destroySoon()
    await withClient(async (next) => {
      await next.query("insert into note (text) values ('after the cut')")
    })
    expect((await db.query('select text from note')).rows).toEqual([{ text: 'after the cut' }])
  })

  test('the process of the database uses it in between', async () => {
    const own = Promise.all([1, 2, 3].map((value) => db.query('select $1::int as value', [value])))
    const others = [4, 5].map((value) => withClient((client) => client.query(namedQuery(value))))
    expect((await own).map(({ rows }) => rows)).toEqual([1, 2, 3].map((value) => [{ value }]))
    expect((await Promise.all(others)).map(({ rows }) => rows)).toEqual([
      [{ value: 4 }],
      [{ value: 5 }],
    ])
  })

  test('the store works over it, with times and documents as elsewhere', async () => {
    const database = openHyperdriveStore(socket.url)
    const now = new Date('2026-03-01T12:00:00.123Z')
    const document = {
      kind: 'policy',
      hash: namedHash('h'),
      body: { a: ['ü'] },
      author: 'a',
      reason: 'r',
      now,
    }
    const stored = await database.withConnection(
      async () => {
        await putInForce(database.store, { ...document, kind: 'policy' })
        await database.store.trustRecord(newDeviceId())
        return database.store.activeDocument('policy')
      },
      () => {},
    )
    expect(stored).toMatchObject({ hash: 'h', body: { a: ['ü'] } })
  })

  test('a connection that says nothing does not keep the others waiting for ever', async () => {
    const hasty = await listenForPostgres(db, { password: PASSWORD, idleMs: 100 })
    const silent = new pg.Client({ connectionString: hasty.url })
    const lost = new Promise((resolve) => silent.on('error', resolve))
    await silent.connect()
    const { rows } = await db.query('select 1 as one')
    expect(rows).toEqual([{ one: 1 }])
    await lost
    await hasty.close()
  })

  test('a wrong password is refused', async () => {
    const url = Object.assign(new URL(socket.url), { password: 'guessed' }).toString()
    const client = new pg.Client({ connectionString: url })
    await expect(client.connect()).rejects.toMatchObject({ code: '28P01' })
  })

  test.each([
    ['an overlong start', [0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0]],
    ['a start that is too short', [0, 0, 0, 0, 0, 3, 0, 0]],
    ['another protocol', [...Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
    ['a request to cancel', [0, 0, 0, 16, 4, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 0, 0, 0, 1]],
  ])('%s ends the connection', async (_name, bytes) => {
    const { port, hostname } = new URL(socket.url)
    const raw = connect(Number(port), hostname)
    raw.end(Buffer.from(bytes))
    const answered: Buffer[] = []
    for await (const chunk of raw) answered.push(chunk)
    expect(Buffer.concat(answered)).toHaveLength(0)
  })
})
