import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CompactSign, compactVerify, importJWK } from 'jose'
import { expect, test } from 'vitest'
import { toUtf8 } from '../../src/base/encoding.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import { toWebKey } from '../../src/simulator/web-key.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

test.each([
  ['RS256', rsa],
  ['PS256', rsa],
  ['ES256', ec],
] as const)('a key signs with %s and is imported once', async (alg, key: KeyObject) => {
  const webKey = await toWebKey(key, alg)
  expect(await toWebKey(key, alg)).toBe(webKey)
  const jws = await new CompactSign(toUtf8('message')).setProtectedHeader({ alg }).sign(webKey)
  const publicKey = await importJWK({ ...publicJwk(createPublicKey(key)), alg })
  await compactVerify(jws, publicKey, { algorithms: [alg] })
})
