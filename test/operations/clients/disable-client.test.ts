import { afterAll, expect, test } from 'vitest'
import { disableClient } from '../../../src/operations/clients/disable-client.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { START } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const { store } = database
afterAll(() => database.close())

test('a client is disabled once, and one that nobody made is not found', async () => {
  const change = { clientId: 'cli_idp', by: 'alice', now: START }
  expectRefusal(await disableClient(store, change), 'client_not_found')
  await store.createClient({
    clientId: change.clientId,
    name: 'idp',
    secretHash: 'a'.repeat(64),
    scopes: ['access.evaluate'],
    by: 'alice',
    now: START,
  })
  expect(expectOk(await disableClient(store, change))).toEqual({ changed: true })
  expect(expectOk(await disableClient(store, change))).toEqual({ changed: false })
})
