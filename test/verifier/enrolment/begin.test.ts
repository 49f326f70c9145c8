import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { EK_KINDS, endorsementKeyOf } from '../../../src/evidence/tpm/endorsement-key.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { encodeTpmPublic } from '../../../src/simulator/tpm-encoding.ts'
import { readAkPublic } from '../../../src/verifier/enrolment/attestation-key-public.ts'
import { readEkCertificate } from '../../../src/verifier/enrolment/ek-certificate.ts'
import { issueCertificate } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const akPublic = encodeTpmPublic(privateKey, true)

/** The layout of a TPMT_PUBLIC is checked against swtpm in test/evidence/tpm. */
describe('the public area of an attestation key', () => {
  const changed = (at: number, value: number) => {
    const bytes = Uint8Array.from(akPublic)
    bytes[at] = (bytes[at] ?? 0) ^ value
    return bytes
  }

  test('is taken with its size in front or without', async () => {
    const sized = Buffer.concat([
      Uint8Array.of(akPublic.length >> 8, akPublic.length & 0xff),
      akPublic,
    ])
    const { name } = expectOk(await readAkPublic(akPublic))
    expect(expectOk(await readAkPublic(sized)).name).toEqual(name)
  })

  test.each([
    ['fixedTPM', 7, 0x02],
    ['fixedParent', 7, 0x10],
    ['sensitiveDataOrigin', 7, 0x20],
    ['restricted', 5, 0x01],
    ['decrypt', 5, 0x02],
    ['sign', 5, 0x04],
    ['x509sign', 5, 0x08],
  ])('is refused with %s the other way', async (attribute, at, bit) => {
    const failure = expectRefusal(await readAkPublic(changed(at, bit)), 'ak_attributes_refused')
    expect(failure).toMatchObject({ detail: attribute })
  })

  test('is refused where SHA-1 names it, or it signs with SHA-1 or with no scheme of its own', async () => {
    const withHash = (at: number, id: number) => {
      const bytes = Uint8Array.from(akPublic)
      bytes[at] = id
      return bytes
    }
    const named = await readAkPublic(withHash(3, 0x04))
    expect(expectRefusal(named, 'ak_algorithm_refused')).toMatchObject({ detail: 'nameAlg' })
    const signs = await readAkPublic(withHash(15, 0x04))
    expect(expectRefusal(signs, 'ak_algorithm_refused')).toMatchObject({ detail: 'scheme' })
    const open = Buffer.concat([
      akPublic.subarray(0, 12),
      Uint8Array.of(0, 0x10),
      akPublic.subarray(16),
    ])
    expect(expectRefusal(await readAkPublic(open), 'ak_algorithm_refused')).toMatchObject({
      detail: 'scheme',
    })
  })

  test.each([
    ['a SubjectPublicKeyInfo in DER', publicKey.export({ type: 'spki', format: 'der' })],
    ['PEM', Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }))],
    ['JSON', Buffer.from(JSON.stringify(publicKey.export({ format: 'jwk' })))],
  ])('is told for what it is where it is %s', async (form, bytes) => {
    const read = await readAkPublic(bytes)
    expect(read).toMatchObject({
      failure: { expected: `TPMT_PUBLIC or TPM2B_PUBLIC of an RSA or ECC key: this is ${form}` },
    })
  })

  test('is refused cut anywhere, or with more behind it', async () => {
    for (let length = 0; length < akPublic.length; length += 5) {
      expect((await readAkPublic(akPublic.subarray(0, length))).ok).toBe(false)
    }
    const longer = Buffer.concat([akPublic, Uint8Array.of(0)])
    expectRefusal(await readAkPublic(longer), 'trailing_bytes')
  })
})

describe('the certificate of an endorsement key', async () => {
  const authority = await createAkAuthority(new Date())
  const read = (certificate: Uint8Array, publicArea?: Uint8Array) =>
    readEkCertificate({ certificate, publicArea, accepted: EK_KINDS })

  test('names its purpose, or the model of its TPM', async () => {
    expectOk(await read(await authority.endorse(publicKey)))
    const attests = await authority.issue(publicKey)
    expectRefusal(await read(attests), 'ek_purpose_missing')
    const { der: bare } = await issueCertificate({ subject: 'server', keyUsage: ['keyAgreement'] })
    expectRefusal(await read(bare), 'ek_purpose_missing')
  })

  test('is of a key for which there is a default template', async () => {
    const kinds = [
      generateKeyPairSync('rsa', { modulusLength: 4096 }),
      generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 0x10003 }),
    ]
    for (const { publicKey: key } of kinds) {
      expectRefusal(await read(await authority.endorse(key)), 'ek_key_unsupported')
    }
    expectRefusal(endorsementKeyOf({ kty: 'EC', crv: 'P-521' }), 'ek_key_unsupported')
    expectRefusal(endorsementKeyOf({ kty: 'OKP' }), 'ek_key_unsupported')
  })

  test('is of a kind that is accepted', async () => {
    const certificate = await authority.endorse(publicKey)
    const input = { certificate, publicArea: undefined, accepted: ['ecc-p256'] as const }
    expectRefusal(await readEkCertificate(input), 'ek_type_not_accepted')
  })

  test('is not believed about another public area, however long', async () => {
    const certificate = await authority.endorse(publicKey)
    for (const area of [akPublic, new Uint8Array(), new Uint8Array(10_000)]) {
      expectRefusal(await read(certificate, area), 'ek_public_mismatch')
    }
  })
})
