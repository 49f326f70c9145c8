import { exportJWK, generateKeyPair } from 'jose'
import { expect, test } from 'vitest'
import { createPublishedKeySets } from '../../src/keysets/key-sets.ts'
import type { Json } from '../support/json.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { testClock } from '../support/service.ts'

/** Keys are made by jose. What is published is the test's; that it is fetched is for `fetch-by-node.test.ts`. */
const URL = 'https://client.example/jwks'
const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
const PRIVATE = { ...(await exportJWK(privateKey)), kid: 'a', alg: 'ES256' }
const PUBLIC = { ...(await exportJWK(publicKey)), kid: 'a', alg: 'ES256' }

function open() {
  const clock = testClock()
  const place: { published: Json } = { published: { keys: [PUBLIC] } }
  const sets = createPublishedKeySets({ fetchJson: async () => place.published, clock: clock.now })
  const kids = async () => expectOk(await sets.keysAt(URL, 'a')).map(({ kid }) => kid)
  return { clock, place, sets, kids }
}

test.each([
  ['has taken every key back', { keys: [] }],
  ['has keys of other uses alone', { keys: [{ ...PUBLIC, use: 'enc' }] }],
  ['has published its private key', { keys: [PRIVATE] }],
])('ATTACK: a key counts no more whose owner %s', async (_, published) => {
  const { clock, place, kids } = open()
  expect(await kids()).toEqual(['a'])
  place.published = published
  clock.advance(601)
  expect(await kids()).toEqual([])
  // And another one does as soon as there is one.
  place.published = { keys: [PUBLIC] }
  clock.advance(31)
  expect(await kids()).toEqual(['a'])
})

test.each([['nothing'], [{ error: 'server_error' }], [{ keys: 'none' }], [undefined]])(
  'a key stays known for a day where there is %j in the place of a set',
  async (published) => {
    const { clock, place, sets, kids } = open()
    expect(await kids()).toEqual(['a'])
    place.published = published
    for (const hours of [1, 22]) {
      clock.advance(hours * 3600)
      expect(await kids()).toEqual(['a'])
    }
    clock.advance(2 * 3600)
    expectRefusal(await sets.keysAt(URL, 'a'), 'jwks_unavailable')
  },
)
