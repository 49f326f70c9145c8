import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRandomSource } from '../../../src/base/random.ts'
import { createClient } from '../../../src/operations/clients/create-client.ts'
import { rotateClient } from '../../../src/operations/clients/rotate-client.ts'
import { setClientKeys } from '../../../src/operations/clients/set-client-keys.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { START } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database?.close())

const keys = { kind: 'url', url: 'https://client.example/jwks' } as const
const random = createRandomSource()
const create = (given?: typeof keys) => {
  const about = { name: 'a', scopes: ['admin.read'] as const, by: 'test', now: START }
  return createClient({ store: database.store, random }, { ...about, keys: given })
}
const change = (clientId: string) =>
  setClientKeys(database.store, { clientId, keys, endTokens: true, by: 'test', now: START })

test('keys are changed of a client that has keys, and of no other', async () => {
  const { clientId, secret } = await create(keys)
  expect(secret).toBeUndefined()
  expectOk(await change(clientId))
  expect(await database.store.findClient(clientId)).toMatchObject({ keys, generation: 2 })
  const { store } = database
  const rotation = { clientId, overlapMs: 0, by: 'test', now: START }
  expectRefusal(await rotateClient({ store, random }, rotation), 'client_to_rotate_has_keys')
  expectRefusal(await change((await create()).clientId), 'client_to_rekey_has_secret')
  expectRefusal(await change('cli_nobody'), 'client_to_rekey_not_found')
  await store.disableClient({ clientId, by: 'test', now: START })
  expectRefusal(await change(clientId), 'client_to_rekey_disabled')
  const audit = await database.query(
    `select actor, detail->'keys' as keys, detail->'tokensEnded' as ended from audit
     where action = 'client.keys-changed'`,
  )
  expect(audit).toEqual([{ actor: 'test', keys, ended: true }])
})
