import { beforeAll, describe, expect, test } from 'vitest'
import { verifyCertification } from '../../../src/evidence/tpm/certify.ts'
import { parseTpmPublic } from '../../../src/evidence/tpm/public-area.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  certifyAttest,
  ecdsaKey,
  type PaperKey,
  pcrBank,
  publicArea,
  quoteAttest,
  RESIDENT_KEY,
  rsaKey,
} from './paper-tpm.ts'

const NONCE = Buffer.from('our nonce')

let ak: PaperKey
let certified: PaperKey

beforeAll(async () => {
  ak = await rsaKey({ scheme: 'rsassa', hash: 'sha256' })
  certified = await rsaKey({ scheme: 'rsapss', hash: 'sha256' })
})

async function goodCertification(attributes = RESIDENT_KEY) {
  const area = publicArea(certified.jwk, attributes)
  const { name } = expectOk(parseTpmPublic(area))
  const certification = certifyAttest({ name, nonce: NONCE })
  const signature = await ak.sign(certification)
  return { certification, signature, key: ak.jwk, qualifyingData: NONCE, publicArea: area }
}

describe('verifyCertification accepts', () => {
  test('a key that was made in the TPM and cannot leave it', async () => {
    const verified = expectOk(await verifyCertification(await goodCertification()))
    expect(verified.publicArea.jwk).toEqual(certified.jwk)
    expect(verified.attest.attested.name).toEqual(verified.publicArea.name)
  })

  test('any nonce where the caller says so', async () => {
    const { qualifyingData: _, ...certification } = await goodCertification()
    expectOk(await verifyCertification({ ...certification, acceptAnyNonce: true }))
  })
})

describe('verifyCertification refuses', () => {
  test('a quote in place of a certification', async () => {
    const certification = quoteAttest({ nonce: NONCE, pcrs: [pcrBank('sha256', [0])] })
    const signature = await ak.sign(certification)
    const input = { ...(await goodCertification()), certification, signature }
    const refused = await verifyCertification(input)
    expect(expectRefusal(refused, 'certify_type_wrong')).toMatchObject({ kind: 'quote' })
  })

  test('another key', async () => {
    const input = { ...(await goodCertification()), key: certified.jwk }
    expectRefusal(await verifyCertification(input), 'certify_signature_invalid')
  })

  test('a key that cannot be used', async () => {
    const input = { ...(await goodCertification()), key: { kty: 'RSA' } }
    expectRefusal(await verifyCertification(input), 'tpm_key_malformed')
  })

  test('a flipped byte anywhere', async () => {
    const input = await goodCertification()
    for (const member of ['certification', 'signature', 'publicArea'] as const) {
      for (const position of input[member].keys()) {
        const flipped = input[member].map((byte, at) => (at === position ? byte ^ 0x40 : byte))
        expect((await verifyCertification({ ...input, [member]: flipped })).ok).toBe(false)
      }
    }
  })

  test('another nonce', async () => {
    const input = { ...(await goodCertification()), qualifyingData: Buffer.from('its nonce') }
    expectRefusal(await verifyCertification(input), 'certify_nonce_mismatch')
  })

  test('the public area of another key', async () => {
    const other = await ecdsaKey({ curve: 'P-256', hash: 'sha256' })
    const input = { ...(await goodCertification()), publicArea: publicArea(other.jwk) }
    expectRefusal(await verifyCertification(input), 'certify_name_mismatch')
  })

  test('the same key with attributes that were not certified', async () => {
    const imported = await goodCertification(0x0004_0040)
    const input = { ...imported, publicArea: publicArea(certified.jwk) }
    expectRefusal(await verifyCertification(input), 'certify_name_mismatch')
  })

  test.each([
    ['fixedTPM', 0x02],
    ['fixedParent', 0x10],
    ['sensitiveDataOrigin', 0x20],
  ])('a key without %s', async (name, bit) => {
    const refused = await verifyCertification(await goodCertification(RESIDENT_KEY - bit))
    const failure = expectRefusal(refused, 'certify_attributes_missing')
    expect(failure).toMatchObject({ missing: [name] })
  })

  test('a SHA-1 signature, unless it is accepted by name', async () => {
    const old = await rsaKey({ scheme: 'rsassa', hash: 'sha1' })
    const good = await goodCertification()
    const signature = await old.sign(good.certification)
    const input = { ...good, signature, key: old.jwk }
    const refused = await verifyCertification(input)
    expectRefusal(refused, 'certify_signature_algorithm_refused')
    expectOk(await verifyCertification({ ...input, acceptSha1Signature: true }))
  })

  test.each(['certification', 'signature', 'publicArea'] as const)('a cut %s', async (member) => {
    const input = await goodCertification()
    const cut = input[member].subarray(0, -1)
    expectRefusal(await verifyCertification({ ...input, [member]: cut }), 'truncated')
  })
})
