import { describe, expect, test } from 'vitest'
import type { ClientKeys } from '../../../src/oauth/client-keys.ts'
import { at, newId, type StoreUnderTest } from '../fixtures.ts'

const KEYS: ClientKeys = {
  kind: 'set',
  jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }] },
}

export function oauthContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const by = { by: 'test', now: at(0) }

  const create = async (how: { secretHash: string } | { keys: ClientKeys }) => {
    const clientId = newId('cli_')
    await store().createClient({ clientId, name: 'n', scopes: ['admin.read'], ...how, ...by })
    return clientId
  }
  const found = async (clientId: string) => {
    const client = await store().findClient(clientId)
    if (client === null) throw new TypeError('the client is gone')
    return client
  }

  describe('a proof of a caller', () => {
    test('is used up once, by one of however many at once', async () => {
      const proof = { proofId: newId('proof-'), expiresAt: at(60) }
      const won = await Promise.all(Array.from({ length: 32 }, () => store().spendProof(proof)))
      expect(won.filter((one) => one)).toHaveLength(1)
      expect(await store().spendProof(proof)).toBe(false)
      expect(await store().spendProof({ ...proof, proofId: newId('proof-') })).toBe(true)
    })
  })

  describe('keys of a client', () => {
    test('are replaced, and its tokens end with them where that is asked for', async () => {
      const clientId = await create({ keys: KEYS })
      const { generation } = await found(clientId)
      const other: ClientKeys = { kind: 'url', url: 'https://client.example/keys' }
      const set = { clientId, keys: other, endTokens: false, ...by }
      expect(await store().setClientKeys(set)).toBe('applied')
      expect(await found(clientId)).toMatchObject({ keys: other, generation })
      expect(await store().setClientKeys({ ...set, endTokens: true })).toBe('applied')
      expect((await found(clientId)).generation).toBe(generation + 1)
    })

    test('are none of a client with a secret, of one that is disabled or of none', async () => {
      const clientId = await create({ secretHash: 'hash' })
      const set = { clientId, keys: KEYS, endTokens: false, ...by }
      expect(await store().setClientKeys(set)).toBe('client_has_secret')
      await store().disableClient({ clientId, ...by })
      expect(await store().setClientKeys(set)).toBe('client_disabled')
      const nobody = { ...set, clientId: newId('cli_') }
      expect(await store().setClientKeys(nobody)).toBe('client_unknown')
    })
  })

  describe('an access token', () => {
    const tokenOf = (clientId: string, changes = {}) => {
      return {
        clientId,
        tokenId: newId('tok_'),
        generation: 1,
        expiresAt: at(600),
        ...by,
        ...changes,
      }
    }

    test('ends once, and only in the generation that it is of', async () => {
      const clientId = await create({ secretHash: 'hash' })
      const token = tokenOf(clientId)
      expect(await store().revokeAccessToken(token)).toBe('applied')
      expect(await store().revokeAccessToken(token)).toBe('unchanged')
      expect(await store().revokeAccessToken(tokenOf(clientId, { generation: 7 }))).toBe(
        'unchanged',
      )
      expect(await store().revokeAccessToken(tokenOf(newId('cli_')))).toBe('client_unknown')
      expect(Object.keys((await found(clientId)).revokedTokens)).toEqual([token.tokenId])
    })

    test('is remembered until it would have ended anyway', async () => {
      const clientId = await create({ secretHash: 'hash' })
      await store().revokeAccessToken(tokenOf(clientId))
      const later = tokenOf(clientId, { expiresAt: at(2000), now: at(601) })
      await store().revokeAccessToken(later)
      expect(Object.keys((await found(clientId)).revokedTokens)).toEqual([later.tokenId])
    })

    test('that is one of too many ends all of its client', async () => {
      const clientId = await create({ secretHash: 'hash' })
      const before = await found(clientId)
      for (let tokens = 0; tokens < 300; tokens++) {
        await store().revokeAccessToken(tokenOf(clientId))
        if ((await found(clientId)).generation !== before.generation) break
      }
      expect(await found(clientId)).toMatchObject({
        ...{ generation: before.generation + 1, revokedTokens: {} },
      })
    })
  })
}
