import { X509Certificate } from 'node:crypto'
import { compactVerify, createLocalJWKSet, importJWK, importX509, jwtVerify, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { digest } from '../../src/base/digest.ts'
import { fromBase64, toBase64, toBase64Url } from '../../src/base/encoding.ts'
import { type MasterSecret, parseMasterSecret } from '../../src/keys/master-secret.ts'
import {
  loadSigningKeys,
  MasterSecretMismatchError,
  SIGNING_KEY_USES,
} from '../../src/keys/signing-keys.ts'
import type {
  StoredSigningKey,
  StoredSigningKeys,
} from '../../src/store/system/stored-signing-keys.ts'

const issuer = 'https://verifier.example:8443/base'
const now = new Date('2026-03-01T12:00:00Z')
const later = (days: number) => new Date(now.getTime() + days * 86_400_000)
const secretOf = (byte: number) =>
  parseMasterSecret(toBase64(new Uint8Array(32).fill(byte))) as MasterSecret

/** The two rules of the table that matter here; the tables themselves have tests of their own. */
function memory(rows: StoredSigningKey[] = []): StoredSigningKeys & { rows: StoredSigningKey[] } {
  return {
    rows,
    async listSigningKeys() {
      return rows.toSorted((a, b) => a.use.localeCompare(b.use) || a.generation - b.generation)
    },
    async insertSigningKeyIfAbsent(key) {
      const taken = rows.some((row) => row.use === key.use && row.generation === key.generation)
      if (!taken) rows.push(key)
      return !taken
    },
  }
}

const load = (store: StoredSigningKeys, masterSecret = secretOf(1), at = now) =>
  loadSigningKeys({ store, masterSecret, issuer, now: at })

describe('the first start', () => {
  const store = memory()

  test('makes one key of each use and keeps no private half in the open', async () => {
    await load(store)
    expect(store.rows.map(({ use, generation }) => [use, generation]).sort()).toEqual([
      ['attestation', 1],
      ['device-token', 1],
      ['enrolment', 1],
      ['receipt', 1],
    ])
    for (const row of store.rows) {
      const sealed = Buffer.from(row.sealedPrivateKey, 'base64')
      // The object identifiers of RSA and EC keys stand at the beginning of an open PKCS #8.
      expect(sealed.includes(Buffer.from('06092a864886f70d010101', 'hex'))).toBe(false)
      expect(sealed.includes(Buffer.from('06072a8648ce3d0201', 'hex'))).toBe(false)
      expect(row.publicJwk).not.toHaveProperty('d')
    }
  })

  test('later starts use the same keys', async () => {
    const [first, second] = [await load(store), await load(store)]
    expect(second.publishedKeySet('attestation', now)).toEqual(
      first.publishedKeySet('attestation', now),
    )
    expect(store.rows).toHaveLength(SIGNING_KEY_USES.length)
  })

  test('several at once end with the same keys', async () => {
    const shared = memory()
    const loaded = await Promise.all([load(shared), load(shared), load(shared)])
    expect(shared.rows).toHaveLength(SIGNING_KEY_USES.length)
    const sets = loaded.map((keys) => JSON.stringify(keys.publishedKeySet('device-token', now)))
    expect(new Set(sets).size).toBe(1)
  })
})

describe('the attestation key', () => {
  test('is published as Azure Attestation does: a certificate and nothing else', async () => {
    const keys = await load(memory())
    const { keys: published } = keys.publishedKeySet('attestation', now)
    expect(published).toHaveLength(1)
    const [jwk] = published
    expect(Object.keys(jwk ?? {}).sort()).toEqual(['kid', 'kty', 'x5c'])
    const der = fromBase64(jwk?.x5c?.[0] ?? '') ?? new Uint8Array()
    expect(jwk?.kid).toBe(toBase64Url(digest('sha1', der)))

    const certificate = new X509Certificate(der)
    expect(certificate.subject).toBe(`CN=${issuer}`)
    expect(certificate.issuer).toBe(certificate.subject)
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048)
    expect(certificate.validFromDate.getTime()).toBeLessThan(now.getTime())
    expect(certificate.validToDate.getTime()).toBeGreaterThan(later(3000).getTime())
    expect(certificate.ca).toBe(false)
    expect(certificate.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/)
  })

  test('signs what verifies with its certificate', async () => {
    const keys = await load(memory())
    const { kid, algorithm, privateKey, certificate } = keys.signingKey('attestation', now)
    expect(algorithm).toBe('RS256')
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: algorithm, kid })
      .sign(privateKey.cryptoKey)
    const pem = `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----`
    await expect(jwtVerify(token, await importX509(pem, 'RS256'))).resolves.toBeDefined()
  })
})

test('the device token key is published as a plain JWK that verifies what it signs', async () => {
  const keys = await load(memory())
  const set = keys.publishedKeySet('device-token', now)
  expect(set.keys).toMatchObject([{ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' }])
  expect(set.keys[0]).not.toHaveProperty('d')
  const { kid, algorithm, privateKey } = keys.signingKey('device-token', now)
  expect(set.keys[0]?.kid).toBe(kid)
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: algorithm, kid })
    .sign(privateKey.cryptoKey)
  await expect(jwtVerify(token, createLocalJWKSet(set))).resolves.toBeDefined()
})

test.each(SIGNING_KEY_USES)(
  'the key for %s signs messages as JWS has its signatures',
  async (use) => {
    const { algorithm, privateKey, publicJwk } = (await load(memory())).signingKey(use, now)
    const signed = `${Buffer.from(JSON.stringify({ alg: algorithm })).toString('base64url')}.e30`
    const signature = await privateKey.sign(Buffer.from(signed))
    const jws = `${signed}.${Buffer.from(signature).toString('base64url')}`
    await expect(compactVerify(jws, await importJWK(publicJwk, algorithm))).resolves.toBeDefined()
  },
)

test('private keys cannot be taken out of the process', async () => {
  const { privateKey } = (await load(memory())).signingKey('device-token', now)
  await expect(crypto.subtle.exportKey('pkcs8', privateKey.cryptoKey)).rejects.toThrow()
})

describe('rotation', () => {
  test('the newest key signs, all that are not retired are published', async () => {
    const store = memory()
    const first = (await load(store)).signingKey('device-token', now).kid
    const other = memory()
    await load(other)
    const successor = other.rows.find((row) => row.use === 'device-token')
    if (successor === undefined) throw new Error('no key')
    store.rows.push({ ...successor, generation: 2 })
    const index = store.rows.findIndex((row) => row.kid === first)
    store.rows[index] = { ...store.rows[index], retiresAt: later(7) } as StoredSigningKey

    const keys = await load(store)
    expect(keys.signingKey('device-token', now).kid).toBe(successor.kid)
    const kids = (at: Date) => keys.publishedKeySet('device-token', at).keys.map((key) => key.kid)
    expect(kids(now)).toEqual([first, successor.kid])
    expect(kids(later(7))).toEqual([successor.kid])
  })

  test('a use whose keys are all retired gets a new one at the next start', async () => {
    const store = memory()
    await load(store)
    const retired = store.rows.map((row) => ({ ...row, retiresAt: later(1) }))
    const next = memory(retired)
    const keys = await load(next, secretOf(1), later(2))
    expect(next.rows.map(({ generation }) => generation).sort()).toEqual(
      [1, 2].flatMap((generation) => SIGNING_KEY_USES.map(() => generation)),
    )
    expect(keys.publishedKeySet('device-token', later(2)).keys).toHaveLength(1)
    expect(() => keys.signingKey('device-token', new Date('2020-01-01'))).not.toThrow()
  })
})

describe('a wrong master secret', () => {
  test('stops the start with what to do, and replaces nothing', async () => {
    const store = memory()
    await load(store)
    const before = [...store.rows]
    const start = load(store, secretOf(2))
    await expect(start).rejects.toBeInstanceOf(MasterSecretMismatchError)
    await expect(start).rejects.toThrow(/sealed with another master secret/)
    expect(store.rows).toEqual(before)
  })

  test('and so does a sealed key that was moved to another row', async () => {
    const store = memory()
    await load(store)
    const [a, b] = store.rows
    if (a === undefined || b === undefined) throw new Error('no keys')
    const swapped = memory([
      { ...a, sealedPrivateKey: b.sealedPrivateKey },
      { ...b, sealedPrivateKey: a.sealedPrivateKey },
    ])
    await expect(load(swapped)).rejects.toBeInstanceOf(MasterSecretMismatchError)
  })
})
