import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { createClientUses } from '../../../src/keys/client-uses.ts'
import { noteClientUses } from '../../../src/operations/clients/note-uses.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import { at } from '../../store/fixtures.ts'
import { describePostgres } from '../../support/postgres.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const useOf = (name: string) => ({ clientId: `cli_${name}`, secretHash: `hash ${name}`, at: at(1) })

/** PostgreSQL itself refuses them, while another session has the table. */
describePostgres('uses of secrets that the database cannot take for a while', () => {
  test('are written down the next time, each of them', async () => {
    const database = await openTestDatabase()
    onTestFinished(database.close)
    const [row] = await database.query('select current_database() as name')
    const url = Object.assign(new URL(inject('postgres')?.url ?? ''), { pathname: `/${row?.name}` })
    const store = openPostgresStore({ url: url.toString(), poolSize: 5 })
    onTestFinished(() => store.close())
    const jobs = store.forUse('jobs')
    const names = ['one', 'two', 'three']
    const clientUses = createClientUses()
    for (const name of names) {
      const client = {
        ...useOf(name),
        name,
        scopes: ['admin.read'],
        by: 'test',
        now: at(0),
      } as const
      await store.createClient(client)
      clientUses.note(useOf(name))
    }
    const usesKept = async () => (await store.listClients()).map(({ secretUsedAt }) => secretUsedAt)

    const holder = new pg.Client({ connectionString: url.toString() })
    await holder.connect()
    await holder.query('begin; lock table client in exclusive mode')
    await expect(noteClientUses({ store: jobs, clientUses })).rejects.toMatchObject({
      fault: 'lock',
    })
    expect(await usesKept()).toEqual([null, null, null])
    await holder.query('rollback')
    await holder.end()
    await noteClientUses({ store: jobs, clientUses })
    expect(await usesKept()).toEqual([at(1), at(1), at(1)])
    expect(clientUses.take()).toEqual([])
  })
})

test('uses that cannot be written down are kept up to a number', () => {
  const clientUses = createClientUses()
  const noteMany = (of: string) => {
    for (let index = 0; index < 2500; index += 1) clientUses.note(useOf(`${of} ${index}`))
  }
  noteMany('first')
  const taken = clientUses.take()
  noteMany('second')
  clientUses.giveBack(taken)
  clientUses.giveBack(taken)
  expect(clientUses.take()).toEqual(taken)
})
