import { X509Certificate } from 'node:crypto'
import {
  compactVerify,
  createLocalJWKSet,
  importJWK,
  importSPKI,
  importX509,
  jwtVerify,
  SignJWT,
} from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digest } from '../../src/base/digest.ts'
import { fromBase64, toBase64, toBase64Url } from '../../src/base/encoding.ts'
import { createLog } from '../../src/base/log.ts'
import { type KeyRing, MasterSecretMismatchError, openKeyRing } from '../../src/keys/key-ring.ts'
import { KEY_MAX_AGE_MS, KEY_REREAD_MS } from '../../src/keys/key-times.ts'
import { type MasterSecret, parseMasterSecret } from '../../src/keys/master-secret.ts'
import { derivePurposeKeys } from '../../src/keys/sealing.ts'
import { createSigningKey } from '../../src/keys/signing-key-material.ts'
import { FIRST_KEY_USES } from '../../src/keys/signing-keys.ts'
import { loadStoredSecret } from '../../src/keys/stored-secret.ts'
import type { SigningKeyUse } from '../../src/store/schema/system-schema.ts'
import type { Store } from '../../src/store/store.ts'
import { StoreError } from '../../src/store/store-error.ts'
import { describeOpenssl, openssl } from '../support/openssl.ts'
import { type TestClock, testClock } from '../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts'

/** Witnesses: jose and Node's X.509 of what the keys sign and how they are published. */
const issuer = 'https://verifier.example:8443/base'
const secretOf = (byte: number) =>
  parseMasterSecret(toBase64(new Uint8Array(32).fill(byte))) as MasterSecret
const [OLD, NEW] = [secretOf(1), secretOf(2)]

let database: TestDatabase
let clock: TestClock
let logs: string[]

beforeEach(async () => {
  database = await openTestDatabase()
  clock = testClock()
  logs = []
})
afterEach(() => database?.close())

type Secrets = readonly [MasterSecret, ...MasterSecret[]]

function open(secrets: Secrets = [OLD], store: Store = database.store): Promise<KeyRing> {
  const log = createLog({ level: 'debug', write: (line) => logs.push(line), clock: clock.now })
  return openKeyRing({ store, secrets, issuer, log, clock: clock.now })
}

/** The same store, which counts how often the keys are read, and fails when it is told to. */
function watched() {
  const seen = { reads: 0, isDown: false }
  const store: { -readonly [K in keyof Store]: Store[K] } = {
    ...database.store,
    listSigningKeys() {
      seen.reads += 1
      return seen.isDown
        ? Promise.reject(new StoreError('the database is down'))
        : database.store.listSigningKeys()
    },
  }
  return { seen, store }
}

async function announce(use: SigningKeyUse, secrets: Secrets = [OLD]): Promise<string> {
  const now = clock.now()
  const signsFrom = new Date(now.getTime() + 600_000)
  const sealingKeys = derivePurposeKeys(secrets, 'signing keys')
  const key = await createSigningKey({ use, issuer, sealingKeys, signsFrom, now })
  const generation = 1 + (await rowsOf(use)).length
  const previousAcceptedUntil = new Date(now.getTime() + 3_600_000)
  const change = { key, generation, previousAcceptedUntil, by: 'test', now }
  expect(await database.store.publishSigningKey(change)).toBe('applied')
  return key.kid
}

async function rowsOf(use: SigningKeyUse) {
  return (await database.store.listSigningKeys()).filter((key) => key.use === use)
}

async function retire(kid: string, use: SigningKeyUse): Promise<void> {
  const now = clock.now()
  const sealingKeys = derivePurposeKeys([OLD], 'signing keys')
  const replacement = await createSigningKey({ use, issuer, sealingKeys, signsFrom: now, now })
  await database.store.retireSigningKey({ kid, replacement, by: 'test', reason: 'leaked', now })
}

describe('the first start', () => {
  test('makes one key of each use and keeps no private half in the open', async () => {
    await open()
    const rows = await database.store.listSigningKeys()
    expect(rows.map(({ use, generation }) => [use, generation]).sort()).toEqual(
      [...FIRST_KEY_USES].sort().map((use) => [use, 1]),
    )
    for (const row of rows) {
      const sealed = Buffer.from(row.sealedPrivateKey ?? '', 'base64')
      // The object identifiers of RSA and EC keys stand at the beginning of an open PKCS #8.
      expect(sealed.includes(Buffer.from('06092a864886f70d010101', 'hex'))).toBe(false)
      expect(sealed.includes(Buffer.from('06072a8648ce3d0201', 'hex'))).toBe(false)
      expect(row.publicJwk).not.toHaveProperty('d')
    }
  })

  test('later starts, and many at once, end with the same keys', async () => {
    const rings = await Promise.all([open(), open(), open()])
    const later = await open()
    expect(await database.store.listSigningKeys()).toHaveLength(FIRST_KEY_USES.length)
    const sets = [...rings, later].map((ring) =>
      JSON.stringify(FIRST_KEY_USES.map((use) => ring.latest().publishedKeySet(use, clock.now()))),
    )
    expect(new Set(sets).size).toBe(1)
  })
})

describe('the attestation key', () => {
  test('is published as Azure Attestation does: a certificate and nothing else', async () => {
    const { keys: published } = (await open()).latest().publishedKeySet('attestation', clock.now())
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
    const now = clock.now().getTime()
    expect(certificate.validFromDate.getTime()).toBeLessThan(now)
    expect(certificate.validToDate.getTime()).toBeGreaterThan(now + 3000 * 86_400_000)
    expect(certificate.ca).toBe(false)
    expect(certificate.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/)
  })

  test('signs what verifies with its certificate', async () => {
    const key = (await open()).latest().signingKey('attestation', clock.now())
    expect(key.algorithm).toBe('RS256')
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: key.algorithm, kid: key.kid })
      .sign(key.privateKey.cryptoKey)
    const pem = `-----BEGIN CERTIFICATE-----\n${key.certificate}\n-----END CERTIFICATE-----`
    await expect(jwtVerify(token, await importX509(pem, 'RS256'))).resolves.toBeDefined()
  })
})

describeOpenssl('the certificates of attestation keys, as OpenSSL reads them', () => {
  test('each hold the key that signs under their kid, before and after a rotation', async () => {
    const ring = await open()
    await announce('attestation')
    await ring.reread()
    const times = [clock.now(), new Date(clock.now().getTime() + 700_000)]
    const signers = times.map((time) => ring.latest().signingKey('attestation', time))
    expect(new Set(signers.map(({ kid }) => kid)).size).toBe(2)
    const { keys: published } = ring.latest().publishedKeySet('attestation', clock.now())
    for (const { kid, privateKey } of signers) {
      const [x5c = ''] = published.find((key) => key.kid === kid)?.x5c ?? []
      const der = fromBase64(x5c) ?? new Uint8Array()
      const read = openssl(['x509', '-inform', 'DER', '-noout', '-subject', '-pubkey', '-in'], der)
      expect(read.toString()).toContain(issuer)
      const [spki = ''] = /-----BEGIN[\s\S]*-----END PUBLIC KEY-----/.exec(read.toString()) ?? []
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: 'RS256', kid })
        .sign(privateKey.cryptoKey)
      await expect(jwtVerify(token, await importSPKI(spki, 'RS256'))).resolves.toBeDefined()
    }
  })
})

test('the device token key is published as a plain JWK that verifies what it signs', async () => {
  const keys = (await open()).latest()
  const set = keys.publishedKeySet('device-token', clock.now())
  expect(set.keys).toMatchObject([{ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' }])
  expect(set.keys[0]).not.toHaveProperty('d')
  const { kid, algorithm, privateKey } = keys.signingKey('device-token', clock.now())
  expect(set.keys[0]?.kid).toBe(kid)
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: algorithm, kid })
    .sign(privateKey.cryptoKey)
  await expect(jwtVerify(token, createLocalJWKSet(set))).resolves.toBeDefined()
  await expect(crypto.subtle.exportKey('pkcs8', privateKey.cryptoKey)).rejects.toThrow()
})

test('the key for each use signs messages as JWS has its signatures', async () => {
  const keys = (await open()).latest()
  for (const use of FIRST_KEY_USES) {
    const { algorithm, privateKey, publicJwk } = keys.signingKey(use, clock.now())
    const signed = `${Buffer.from(JSON.stringify({ alg: algorithm })).toString('base64url')}.e30`
    const signature = await privateKey.sign(Buffer.from(signed))
    const jws = `${signed}.${Buffer.from(signature).toString('base64url')}`
    await expect(compactVerify(jws, await importJWK(publicJwk, algorithm))).resolves.toBeDefined()
  }
})

describe('a process that runs', () => {
  test('asks the database for its keys no more often than every few seconds', async () => {
    const { store, seen } = watched()
    const ring = await open([OLD], store)
    const atStart = seen.reads
    for (let request = 0; request < 100; request += 1) expect(ring.current()).toBe(ring.latest())
    clock.advance(KEY_REREAD_MS / 1000 - 1)
    await ring.current()
    expect(seen.reads).toBe(atStart)
    clock.advance(1)
    await ring.current()
    expect(seen.reads).toBe(atStart + 1)
  })

  test('publishes a key that another made, before that signs, and signs with it from then on', async () => {
    const ring = await open()
    const before = ring.latest().signingKey('device-token', clock.now()).kid
    const made = await announce('device-token')
    clock.advance(KEY_REREAD_MS / 1000)
    const keys = await ring.current()
    const published = keys.publishedKeySet('device-token', clock.now())
    expect(published.keys.map(({ kid }) => kid)).toEqual([before, made])
    expect(keys.signingKey('device-token', clock.now()).kid).toBe(before)
    clock.advance(600)
    expect((await ring.current()).signingKey('device-token', clock.now()).kid).toBe(made)
    expect(ring.latest().acceptedKey('device-token', before, clock.now())).toBeDefined()
    clock.advance(3600)
    expect((await ring.current()).acceptedKey('device-token', before, clock.now())).toBeUndefined()
    expect(ring.latest().publishedKeySet('device-token', clock.now()).keys).toHaveLength(1)
  })

  test('reads its keys again for a name that it does not know, once a second', async () => {
    const { store, seen } = watched()
    const ring = await open([OLD], store)
    const made = await announce('device-token')
    clock.advance(1)
    expect((await ring.keyOf('device-token', made))?.kid).toBe(made)
    const reads = seen.reads
    for (let guess = 0; guess < 50; guess += 1) {
      expect(await ring.keyOf('device-token', `guess ${guess}`)).toBeUndefined()
    }
    expect(seen.reads).toBe(reads)
    expect(await ring.keyOf('receipt', made)).toBeUndefined()
  })

  test('goes on while another request reads, for so long that it is not too late', async () => {
    const ring = await open()
    clock.advance(KEY_REREAD_MS / 1000)
    const reading = ring.current()
    expect(reading).toBeInstanceOf(Promise)
    expect(ring.current()).toBe(ring.latest())
    clock.advance((KEY_MAX_AGE_MS - KEY_REREAD_MS) / 1000)
    expect(ring.current()).toBeInstanceOf(Promise)
    await reading
  })

  test('whose database is down answers nothing by old keys, but what asks no database', async () => {
    const { store, seen } = watched()
    const ring = await open([OLD], store)
    const { kid } = ring.latest().signingKey('device-token', clock.now())
    seen.isDown = true
    clock.advance(KEY_MAX_AGE_MS / 1000)
    await expect(ring.current()).rejects.toBeInstanceOf(StoreError)
    await expect(ring.keyOf('device-token', kid)).rejects.toBeInstanceOf(StoreError)
    expect(ring.latest().acceptedKey('device-token', kid, clock.now())?.kid).toBe(kid)
  })

  test('asks a database that is down or hangs no oftener than it can bear, whoever asks', async () => {
    const { store, seen } = watched()
    const ring = await open([OLD], store)
    clock.advance(KEY_MAX_AGE_MS / 1000)
    const hanging = Promise.withResolvers<never>()
    const answer = store.listSigningKeys
    store.listSigningKeys = () => {
      seen.reads += 1
      return hanging.promise
    }
    seen.reads = 0
    const waiting = Array.from({ length: 200 }, async () => await ring.current())
    expect(seen.reads).toBe(64)
    hanging.reject(new StoreError('the database is down'))
    for (const one of waiting) await expect(one).rejects.toBeInstanceOf(StoreError)
    await expect(ring.current()).rejects.toBeInstanceOf(StoreError)
    expect(seen.reads).toBe(64)
    store.listSigningKeys = answer
    clock.advance(1)
    expect(await ring.current()).toBe(ring.latest())
  })

  test('is not led back by a read that began before a retirement and ends after it', async () => {
    const { store } = watched()
    const ring = await open([OLD], store)
    const { kid } = ring.latest().signingKey('device-token', clock.now())
    const before = await database.store.listSigningKeys()
    const late = Promise.withResolvers<typeof before>()
    const answer = store.listSigningKeys
    store.listSigningKeys = () => late.promise
    const early = ring.reread()
    store.listSigningKeys = answer
    await retire(kid, 'device-token')
    await ring.reread()
    late.resolve(before)
    await early
    expect(ring.latest().acceptedKey('device-token', kid, clock.now())).toBeUndefined()
  })

  test('accepts nothing of a key that was retired, when it has read again', async () => {
    const ring = await open()
    const { kid } = ring.latest().signingKey('device-token', clock.now())
    await retire(kid, 'device-token')
    clock.advance(KEY_REREAD_MS / 1000)
    expect(await ring.keyOf('device-token', kid)).toBeUndefined()
    expect(ring.latest().signingKey('device-token', clock.now()).kid).not.toBe(kid)
  })

  test('a row that is put back as it was before does not bring a retired key back', async () => {
    const ring = await open()
    const [row] = await rowsOf('device-token')
    const { kid = '', sealedPrivateKey = '' } = row ?? {}
    await retire(kid, 'device-token')
    await ring.reread()
    await database.query(
      `update signing_key set retired_at = null, sealed_private_key = '${sealedPrivateKey}' where kid = '${kid}'`,
    )
    await ring.reread()
    expect(await ring.keyOf('device-token', kid)).toBeUndefined()
    expect(ring.latest().rows('device-token')[0]?.retiredAt).not.toBeNull()
  })

  test('leaves out a key that another secret sealed, says so once, and goes on', async () => {
    const ring = await open()
    const before = ring.latest().signingKey('device-token', clock.now()).kid
    const foreign = await announce('device-token', [NEW])
    await ring.reread()
    await ring.reread()
    expect(await ring.keyOf('device-token', foreign)).toBeUndefined()
    expect(logs.filter((line) => line.includes('signing_key_not_opened'))).toHaveLength(1)
    clock.advance(601)
    expect((await ring.current()).signingKey('device-token', clock.now()).kid).toBe(before)
  })
})

describe('a wrong master secret', () => {
  test('stops the start with what to do, and replaces nothing', async () => {
    await open()
    const before = await database.store.listSigningKeys()
    await expect(open([NEW])).rejects.toBeInstanceOf(MasterSecretMismatchError)
    await expect(open([NEW, secretOf(3)])).rejects.toThrow(/sealed with another master secret/)
    expect(await database.store.listSigningKeys()).toEqual(before)
  })

  test('and so does a sealed key that was moved to another row', async () => {
    await open()
    const [[a], [b]] = [await rowsOf('device-token'), await rowsOf('receipt')]
    await database.query(
      `update signing_key set sealed_private_key = '${b?.sealedPrivateKey}' where kid = '${a?.kid}'`,
    )
    await expect(open()).rejects.toBeInstanceOf(MasterSecretMismatchError)
  })

  test('and so does a public half that somebody put in the place of ours', async () => {
    await open()
    const [row] = await rowsOf('device-token')
    const { publicKey } = await crypto.subtle.generateKey(
      { name: 'ECDSA', namedCurve: 'P-256' },
      true,
      ['sign', 'verify'],
    )
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
    await database.query(
      `update signing_key set public_jwk = '${JSON.stringify({ kty, crv, x, y })}' where kid = '${row?.kid}'`,
    )
    await expect(open()).rejects.toBeInstanceOf(MasterSecretMismatchError)
  })
})

describe('a master secret that follows another', () => {
  test('opens what the one before sealed, and seals it anew at the first start', async () => {
    const before = await open([OLD])
    const ringSecret = await loadRing([OLD])
    const after = await open([NEW, OLD])
    expect(await loadRing([NEW, OLD])).toEqual(ringSecret)
    for (const use of FIRST_KEY_USES) {
      const kids = [before, after].map((ring) => ring.latest().signingKey(use, clock.now()).kid)
      expect(kids[0]).toBe(kids[1])
    }
    // From here on the one before is of no use, and not needed.
    await expect(open([OLD])).rejects.toBeInstanceOf(MasterSecretMismatchError)
    await open([NEW])
    expect(await loadRing([NEW])).toEqual(ringSecret)
    const audits = await database.query(
      `select detail from audit where action = 'secrets.resealed'`,
    )
    expect(audits.map(({ detail }) => detail)).toEqual(
      expect.arrayContaining([
        { signingKeys: FIRST_KEY_USES.length, secrets: 0 },
        { signingKeys: 0, secrets: 1 },
      ]),
    )
  })

  test('can be taken back', async () => {
    await open([OLD])
    await loadRing([OLD])
    await open([NEW, OLD])
    await loadRing([NEW, OLD])
    await open([OLD, NEW])
    await loadRing([OLD, NEW])
    await open([OLD])
    await loadRing([OLD])
  })

  test('leaves processes that have only the one before with the keys that they have', async () => {
    const running = await open([OLD])
    const kids = FIRST_KEY_USES.map((use) => running.latest().signingKey(use, clock.now()).kid)
    await Promise.all([open([NEW, OLD]), open([NEW, OLD]), open([NEW, OLD])])
    await running.reread()
    expect(FIRST_KEY_USES.map((use) => running.latest().signingKey(use, clock.now()).kid)).toEqual(
      kids,
    )
    expect(logs.join()).not.toContain('signing_key_not_opened')
  })

  test('that is wrong together with the one before opens no ring either', async () => {
    await loadRing([OLD])
    await expect(loadRing([NEW])).rejects.toBeInstanceOf(MasterSecretMismatchError)
  })

  function loadRing(secrets: Secrets): Promise<Uint8Array> {
    return loadStoredSecret('rollout ring', { store: database.store, secrets, now: clock.now() })
  }
})
