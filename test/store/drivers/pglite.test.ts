import { PGlite } from '@electric-sql/pglite'
import { describe } from 'vitest'
import { createStore } from '../../../src/store/create-store.ts'
import { migrateEmbedded } from '../../../src/store/system/migrate.ts'
import { storeContract } from '../contract.ts'

describe('store on PGlite', () => {
  storeContract(async () => {
    const client = await PGlite.create()
    const db = await migrateEmbedded(client)
    const close = () => client.close()
    return {
      store: createStore({ db, place: { kind: 'memory' }, close }),
      query: async (text) => (await client.query<Record<string, unknown>>(text)).rows,
      close,
    }
  })
})
