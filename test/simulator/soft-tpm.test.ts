import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { digest } from '../../src/base/digest.ts'
import { toHex } from '../../src/base/encoding.ts'
import { parseTpmsAttest } from '../../src/evidence/tpm/attest.ts'
import { verifyCertification } from '../../src/evidence/tpm/certify.ts'
import { parsePlatformStatement } from '../../src/evidence/tpm/platform-statement.ts'
import { parseTpmPublic } from '../../src/evidence/tpm/public-area.ts'
import { verifyQuote } from '../../src/evidence/tpm/quote.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { SoftTpm } from '../../src/simulator/soft-tpm.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const keys = primeSharingKeys()
const rsa = await keys()
const requestKey = await keys()
const ecc = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const nonce = Buffer.from('the verifier chose this')

function startTpm(attestationKey: KeyObject = rsa): SoftTpm {
  return new SoftTpm({ attestationKey, resetCount: 7, restartCount: 2, startupLocality: 3 })
}

function jwkOf(key: KeyObject): JsonWebKey {
  return createPublicKey(key).export({ format: 'jwk' }) as JsonWebKey
}

describe.each([
  ['RSA', rsa],
  ['ECC', ecc],
])('a software TPM with an %s attestation key', (_name, key) => {
  test('makes quotes that verify', async () => {
    const tpm = startTpm(key)
    const pcrs = [{ algorithm: 'sha256', values: tpm.readPcrs('sha256') }] as const
    const quoted = tpm.quote({ nonce, bank: 'sha256' })
    const verified = expectOk(
      await verifyQuote({ ...quoted, key: jwkOf(key), pcrs, qualifyingData: nonce }),
    )
    expect(verified.attest.clockInfo).toMatchObject({ resetCount: 7, restartCount: 2, safe: true })
    expect(verified.pcrs[0]?.values.size).toBe(24)
  })

  test('describes it as a restricted signing key that cannot leave the TPM', () => {
    const area = expectOk(parseTpmPublic(startTpm(key).attestationKeyPublic))
    expect(area.jwk).toEqual(jwkOf(key))
    expect(area.attributes).toMatchObject({
      raw: 0x0005_0072,
      restricted: true,
      sign: true,
      decrypt: false,
    })
  })

  test('certifies another key', async () => {
    const {
      public: publicArea,
      certification,
      signature,
    } = startTpm(key).certify({
      key: requestKey,
      nonce,
    })
    const certified = expectOk(
      await verifyCertification({
        certification,
        signature,
        publicArea,
        key: jwkOf(key),
        qualifyingData: nonce,
      }),
    )
    expect(certified.publicArea.jwk).toEqual(jwkOf(requestKey))
    expect(certified.publicArea.attributes.restricted).toBe(false)
  })
})

test('a quote over other PCR values is refused', async () => {
  const tpm = startTpm()
  const quoted = tpm.quote({ nonce, bank: 'sha256', indexes: [7, 0] })
  const values = tpm.readPcrs('sha256', [0, 7])
  values.set(7, new Uint8Array(32).fill(9))
  const pcrs = [{ algorithm: 'sha256', values }] as const
  const result = await verifyQuote({ ...quoted, key: jwkOf(rsa), pcrs, qualifyingData: nonce })
  expectRefusal(result, 'quote_digest_mismatch')
})

test('PCRs start as the platform specification says and take what is extended', () => {
  const tpm = startTpm()
  const before = tpm.readPcrs('sha256', [0, 1, 16, 17, 22, 23])
  expect(toHex(before.get(0) ?? nonce)).toBe(`${'00'.repeat(31)}03`)
  expect(before.get(1)).toEqual(new Uint8Array(32))
  expect(before.get(17)).toEqual(new Uint8Array(32).fill(0xff))
  expect(before.get(22)).toEqual(new Uint8Array(32).fill(0xff))
  expect(before.get(23)).toEqual(new Uint8Array(32))

  const digests = { sha1: digest('sha1', nonce), sha256: digest('sha256', nonce) }
  tpm.extend(1, digests)
  for (const [bank, bytes] of [
    ['sha1', 20],
    ['sha256', 32],
  ] as const) {
    const extended = digest(bank, new Uint8Array(bytes), digests[bank])
    expect(tpm.readPcrs(bank).get(1)).toEqual(extended)
  }
})

test('a platform claim holds a quote over all PCRs that verifies', async () => {
  const tpm = startTpm()
  for (const bank of ['sha1', 'sha256'] as const) {
    const statement = expectOk(parsePlatformStatement(tpm.claimPlatform(nonce, bank)))
    expect(statement.pcrs).toEqual({ algorithm: bank, values: tpm.readPcrs(bank) })
    const { quote: attest, signature, pcrs } = statement
    expectOk(
      await verifyQuote({
        attest,
        signature,
        key: jwkOf(rsa),
        pcrs: [pcrs],
        qualifyingData: nonce,
      }),
    )
  }
})

test('the qualified signer is a Name and the same for all statements of one key', () => {
  const tpm = startTpm()
  const quote = expectOk(parseTpmsAttest(tpm.quote({ nonce, bank: 'sha256' }).attest))
  const certify = expectOk(parseTpmsAttest(tpm.certify({ key: requestKey, nonce }).certification))
  expect(quote.qualifiedSigner).toHaveLength(34)
  expect(quote.qualifiedSigner).toEqual(certify.qualifiedSigner)
  expect(quote.clockInfo.clock).toBeLessThan(certify.clockInfo.clock)
})
