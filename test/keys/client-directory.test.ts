import { expect, test } from 'vitest'
import { createClientDirectory } from '../../src/keys/client-directory.ts'
import { hashClientSecret } from '../../src/keys/client-secret.ts'
import type { Store } from '../../src/store/store.ts'
import type { StoredClient } from '../../src/store/system/clients.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { START, testClock } from '../support/service.ts'

const NEVER_ROTATED = {
  secretChangedAt: null,
  secretExpiresAt: null,
  secretUsedAt: null,
  previousSecretHash: null,
  previousSecretUntil: null,
  previousSecretUsedAt: null,
  keys: null,
  generation: 1,
  revokedTokens: {},
}

function start() {
  const clock = testClock()
  const reads: string[] = []
  const clients = new Map<string, StoredClient>()
  const add = (clientId: string, change: Partial<StoredClient> = {}) => {
    const secretHash = hashClientSecret('right')
    const about = { name: clientId, scopes: [], createdAt: START, disabledAt: null }
    clients.set(clientId, { clientId, secretHash, ...about, ...NEVER_ROTATED, ...change })
  }
  const store: Pick<Store, 'findClient'> = {
    findClient(clientId) {
      reads.push(clientId)
      return Promise.resolve(clients.get(clientId) ?? null)
    },
  }
  add('known')
  return { clock, reads, add, directory: createClientDirectory(store as Store, clock.now) }
}

test('a client is read once and then known for a moment', async () => {
  const { directory, reads, clock } = start()
  const credentials = { id: 'known', secret: 'right' }
  expect(expectOk(await directory.verify(credentials)).clientId).toBe('known')
  clock.advance(4.999)
  expect(expectOk(await directory.verify(credentials)).clientId).toBe('known')
  expect(reads).toHaveLength(1)
  clock.advance(0.001)
  await directory.verify(credentials)
  expect(reads).toHaveLength(2)
})

test('a secret that was made since is known a second later, and one that is wrong costs one read a second', async () => {
  const { directory, reads, clock, add } = start()
  expectOk(await directory.verify({ id: 'known', secret: 'right' }))
  add('known', { secretHash: hashClientSecret('new') })
  clock.advance(1)
  expectOk(await directory.verify({ id: 'known', secret: 'new' }))
  for (let i = 0; i < 5; i++) {
    expectRefusal(await directory.verify({ id: 'known', secret: 'wrong' }), 'client_secret_wrong')
  }
  expect(reads).toHaveLength(2)
})

test('a clock that goes back makes no client known for longer', async () => {
  const { directory, reads, clock } = start()
  await directory.verify({ id: 'known', secret: 'right' })
  clock.advance(-6)
  await directory.verify({ id: 'known', secret: 'right' })
  expect(reads).toHaveLength(2)
})

test('a wrong secret is refused, whether the client was known or not', async () => {
  const { directory, reads } = start()
  expectRefusal(await directory.verify({ id: 'known', secret: 'wrong' }), 'client_secret_wrong')
  expectRefusal(await directory.verify({ id: 'known', secret: 'wrong' }), 'client_secret_wrong')
  expectRefusal(await directory.verify({ id: 'known', secret: '' }), 'client_secret_wrong')
  expect(reads).toHaveLength(1)
  expectOk(await directory.verify({ id: 'known', secret: 'right' }))
})

test('a client that there is not is looked for each time, since it may be made meanwhile', async () => {
  const { directory, reads, add } = start()
  expectRefusal(await directory.verify({ id: 'new', secret: 'right' }), 'client_unknown')
  add('new')
  expectOk(await directory.verify({ id: 'new', secret: 'right' }))
  expect(reads).toEqual(['new', 'new'])
})

test('the empty secret opens nothing, not even what there is not', async () => {
  const { directory } = start()
  expectRefusal(await directory.verify({ id: 'nobody', secret: '' }), 'client_unknown')
})

test('a disabled client is refused at once when it is read, and in seconds when it was known', async () => {
  const { directory, add, clock } = start()
  const credentials = { id: 'known', secret: 'right' }
  await directory.verify(credentials)
  add('known', { disabledAt: START })
  clock.advance(5)
  expectRefusal(await directory.verify(credentials), 'client_disabled')
  expectRefusal(await directory.verify(credentials), 'client_disabled')
})

test('any number of clients is served, of which only so many are remembered', async () => {
  const { directory, add, reads } = start()
  for (let i = 0; i < 1_100; i++) {
    add(`client-${i}`)
    const client = expectOk(await directory.verify({ id: `client-${i}`, secret: 'right' }))
    expect(client.clientId).toBe(`client-${i}`)
  }
  await directory.verify({ id: 'client-0', secret: 'right' })
  expect(reads.filter((id) => id === 'client-0')).toHaveLength(2)
  await directory.verify({ id: 'client-1099', secret: 'right' })
  expect(reads.filter((id) => id === 'client-1099')).toHaveLength(1)
})

test('a secret counts until it ends, and from that moment on no more', async () => {
  const { directory, clock, add } = start()
  add('ends', { secretExpiresAt: new Date(START.getTime() + 10_000) })
  const credentials = { id: 'ends', secret: 'right' }
  clock.advance(9.999)
  expectOk(await directory.verify(credentials))
  clock.advance(0.001)
  expectRefusal(await directory.verify(credentials), 'client_secret_expired')
  // Who does not have it is not told that it ended.
  expectRefusal(await directory.verify({ id: 'ends', secret: 'wrong' }), 'client_secret_wrong')
})
