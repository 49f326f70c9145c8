import { expect, test } from 'vitest'
import { createTokenCache } from '../../src/azure/token-cache.ts'
import { testClock } from '../support/service.ts'

const SCOPE = 'https://attest.azure.net/.default'
const HOUR_MS = 3_600_000

/** A cache over a source that numbers its tokens. */
function openCache(options: { lifeMs?: number; refreshAfterMs?: number } = {}) {
  const clock = testClock()
  let count = 0
  let isAway = false
  const request = async () => {
    count += 1
    const number = count
    await Promise.resolve()
    if (isAway) throw new Error('away')
    const now = clock.now().getTime()
    return {
      token: `token-${number}`,
      expiresOnTimestamp: now + (options.lifeMs ?? HOUR_MS),
      ...(options.refreshAfterMs !== undefined && {
        refreshAfterTimestamp: now + options.refreshAfterMs,
      }),
    }
  }
  const cache = createTokenCache({ request, clock: clock.now })
  return {
    cache,
    clock,
    count: () => count,
    away: (away: boolean) => {
      isAway = away
    },
    token: async (claims?: string) =>
      (await cache.getToken(SCOPE, claims === undefined ? {} : { claims }))?.token,
  }
}

test('a token is asked for once while it is young', async () => {
  const { token, clock } = openCache()
  expect([await token(), await token()]).toEqual(['token-1', 'token-1'])
  clock.advance(54 * 60)
  expect(await token()).toBe('token-1')
})

test('a token is renewed before its end', async () => {
  const { token, clock } = openCache()
  await token()
  clock.advance(55 * 60)
  expect(await token()).toBe('token-2')
})

test('a token that Entra wants renewed earlier is renewed earlier', async () => {
  const { token, clock } = openCache({ refreshAfterMs: 600_000 })
  await token()
  clock.advance(600)
  expect(await token()).toBe('token-2')
})

test('a short-lived token is used for half of its life', async () => {
  const { token, clock } = openCache({ lifeMs: 200_000 })
  await token()
  clock.advance(99)
  expect(await token()).toBe('token-1')
  clock.advance(1)
  expect(await token()).toBe('token-2')
})

test('one request renews an old token, those beside it go on with the old one', async () => {
  const { token, clock, count } = openCache()
  await token()
  clock.advance(55 * 60)
  const tokens = await Promise.all([token(), token(), token()])
  expect(tokens).toEqual(['token-2', 'token-1', 'token-1'])
  expect(count()).toBe(2)
})

test('requests without a token do not wait for one another', async () => {
  const { token, count } = openCache()
  expect(await Promise.all([token(), token()])).toEqual(['token-1', 'token-2'])
  expect(count()).toBe(2)
})

test('an old token bridges an outage, with one try in thirty seconds, until it ends', async () => {
  const { token, clock, count, away } = openCache()
  await token()
  away(true)
  clock.advance(55 * 60)
  expect([await token(), await token()]).toEqual(['token-1', 'token-1'])
  expect(count()).toBe(2)
  clock.advance(30)
  expect(await token()).toBe('token-1')
  expect(count()).toBe(3)
  clock.advance(5 * 60 - 60)
  await expect(token()).rejects.toThrow('away')
})

test('claims that a provider asks for are asked of Entra and then kept', async () => {
  const { token } = openCache()
  await token()
  expect(await token('{"access_token":{}}')).toBe('token-2')
  expect(await token()).toBe('token-2')
})

test('a token that was not accepted is forgotten, unless it is fresh or another one', async () => {
  const { cache, token, clock } = openCache()
  await token()
  cache.forget('token-1')
  expect(await token()).toBe('token-1')
  clock.advance(30)
  cache.forget('token-0')
  expect(await token()).toBe('token-1')
  cache.forget('token-1')
  expect(await token()).toBe('token-2')
})

test('tokens of different scopes and tenants are kept apart', async () => {
  const { cache } = openCache()
  const tokenOf = async (scope: string, tenantId?: string) =>
    (await cache.getToken(scope, tenantId === undefined ? {} : { tenantId }))?.token
  expect(await tokenOf('a')).toBe('token-1')
  expect(await tokenOf('b')).toBe('token-2')
  expect(await tokenOf('a', 't')).toBe('token-3')
  expect(await tokenOf('a')).toBe('token-1')
})

test('no more scopes are kept than there are places', async () => {
  const { cache, count } = openCache()
  for (let scope = 0; scope < 40; scope += 1) await cache.getToken(`scope-${scope}`)
  await cache.getToken('scope-39')
  expect(count()).toBe(40)
  await cache.getToken('scope-0')
  expect(count()).toBe(41)
})
