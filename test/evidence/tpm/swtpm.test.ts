import { afterAll, beforeAll, expect, test } from 'vitest'
import { digest, type HashAlgorithm } from '../../../src/base/digest.ts'
import { verifyCertification } from '../../../src/evidence/tpm/certify.ts'
import type { PcrBank } from '../../../src/evidence/tpm/pcr.ts'
import { parseTpmPublic } from '../../../src/evidence/tpm/public-area.ts'
import { verifyQuote } from '../../../src/evidence/tpm/quote.ts'
import { parseTpmtSignature } from '../../../src/evidence/tpm/signature.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  type AkKind,
  describeSwtpm,
  type Swtpm,
  type SwtpmAk,
  startSwtpm,
} from '../../support/swtpm.ts'

const NONCE = Buffer.from('a fresh nonce of our own')
const OTHER_NONCE = Buffer.from('a stale nonce of our own')
const BANKS = ['sha1', 'sha256'] as const
const INDEXES = [0, 2, 4, 7, 11, 23]

describeSwtpm('a software TPM that nobody here wrote', () => {
  let tpm: Swtpm
  let pcrs: readonly PcrBank[]
  const aks = new Map<AkKind, SwtpmAk>()

  const akOf = (kind: AkKind): SwtpmAk => {
    const ak = aks.get(kind)
    if (ak === undefined) throw new TypeError(`no AK ${kind}`)
    return ak
  }

  beforeAll(async () => {
    tpm = await startSwtpm()
    for (const kind of ['rsa', 'rsapss', 'ecc', 'ecc384'] as const) {
      aks.set(kind, await tpm.createAk(kind))
    }
    for (const [pcr, event] of [
      [0, 'firmware'],
      [7, 'secure boot'],
      [7, 'separator'],
      [11, 'bitlocker'],
    ] as const) {
      await tpm.extend(pcr, digestsOf(event))
    }
    pcrs = await Promise.all(BANKS.map((bank) => tpm.readPcrs(bank, INDEXES)))
  })

  afterAll(async () => {
    await tpm?.stop()
  })

  const quoteWith = async (kind: AkKind) => {
    const ak = akOf(kind)
    const quote = await tpm.quote({ ak, nonce: NONCE, banks: BANKS, indexes: INDEXES })
    const { jwk: key } = expectOk(parseTpmPublic(ak.publicArea))
    return { ...quote, key, qualifyingData: NONCE, pcrs }
  }

  test('has the PCR values that the extends lead to', async () => {
    const sha256 = await tpm.readPcrs('sha256')
    const zero = new Uint8Array(32)
    const first = digest('sha256', zero, digest('sha256', Buffer.from('secure boot')))
    const second = digest('sha256', first, digest('sha256', Buffer.from('separator')))
    expect(sha256.values.size).toBe(24)
    expect(Buffer.from(sha256.values.get(7) ?? zero)).toEqual(second)
    expect(pcrs[1]?.values.get(7)).toEqual(sha256.values.get(7))
    expect(sha256.values.get(17)).toEqual(new Uint8Array(32).fill(0xff))
    expect(sha256.values.get(23)).toEqual(zero)
  })

  test('has an endorsement key that may only decrypt', async () => {
    const { publicArea } = await tpm.createEk()
    const ek = expectOk(parseTpmPublic(publicArea))
    expect(ek).toMatchObject({
      kind: 'rsa',
      scheme: null,
      attributes: { restricted: true, decrypt: true, sign: false, adminWithPolicy: true },
    })
    expect(ek.authPolicy).toHaveLength(32)
  })

  test.each([
    ['rsa', 'rsassa', 'sha256'],
    ['rsapss', 'rsapss', 'sha256'],
    ['ecc', 'ecdsa', 'sha256'],
    ['ecc384', 'ecdsa', 'sha384'],
  ] as const)('quotes with an AK of kind %s', async (kind, algorithm, hash) => {
    const ak = expectOk(parseTpmPublic(akOf(kind).publicArea))
    expect(ak).toMatchObject({ scheme: { algorithm, hash }, attributes: { restricted: true } })
    const quote = await quoteWith(kind)
    expect(expectOk(parseTpmtSignature(quote.signature))).toMatchObject({ scheme: algorithm, hash })
    const verified = expectOk(await verifyQuote(quote))
    expect(verified.pcrs.map((bank) => [bank.algorithm, [...bank.values.keys()]])).toEqual(
      BANKS.map((bank) => [bank, INDEXES]),
    )
  })

  test.each(['rsa', 'ecc'] as const)('is not believed for another nonce (%s)', async (kind) => {
    const quote = { ...(await quoteWith(kind)), qualifyingData: OTHER_NONCE }
    expectRefusal(await verifyQuote(quote), 'quote_nonce_mismatch')
  })

  test.each([
    ['rsa', 'rsapss'],
    ['ecc', 'rsa'],
  ] as const)('is not believed for another key (%s)', async (kind, other) => {
    const key = expectOk(parseTpmPublic(akOf(other).publicArea)).jwk
    const quote = { ...(await quoteWith(kind)), key }
    expectRefusal(await verifyQuote(quote), 'quote_signature_invalid')
  })

  test.each(['rsa', 'ecc'] as const)('is not believed for other PCR values (%s)', async (kind) => {
    const quote = await quoteWith(kind)
    const before = pcrs.map((bank) => ({
      ...bank,
      values: new Map(bank.values).set(7, new Uint8Array(bank.algorithm === 'sha1' ? 20 : 32)),
    }))
    expectRefusal(await verifyQuote({ ...quote, pcrs: before }), 'quote_digest_mismatch')
  })

  test.each(['rsa', 'ecc'] as const)('certifies a key that it made (%s)', async (kind) => {
    const ak = akOf(kind)
    const key = await tpm.createSigningKey({ kind })
    const { attest, signature } = await tpm.certify({ ak, key, nonce: NONCE })
    const input = {
      certification: attest,
      signature,
      key: expectOk(parseTpmPublic(ak.publicArea)).jwk,
      publicArea: key.publicArea,
      qualifyingData: NONCE,
    }
    expect(expectOk(await verifyCertification(input)).publicArea.kind).toBe(kind)
    const stale = { ...input, qualifyingData: OTHER_NONCE }
    expectRefusal(await verifyCertification(stale), 'certify_nonce_mismatch')
    const another = { ...input, publicArea: ak.publicArea }
    expectRefusal(await verifyCertification(another), 'certify_name_mismatch')
    const quoted = await verifyQuote({ ...(await quoteWith(kind)), attest, signature })
    expectRefusal(quoted, 'quote_type_wrong')
  })

  test('certifies a key that may be moved away, which is not believed', async () => {
    const ak = akOf('ecc')
    const attributes = 'sensitivedataorigin|userwithauth|sign'
    const key = await tpm.createSigningKey({ kind: 'ecc', attributes })
    const { attest, signature } = await tpm.certify({ ak, key, nonce: NONCE })
    const refused = await verifyCertification({
      certification: attest,
      signature,
      key: expectOk(parseTpmPublic(ak.publicArea)).jwk,
      publicArea: key.publicArea,
      qualifyingData: NONCE,
    })
    expect(expectRefusal(refused, 'certify_attributes_missing')).toMatchObject({
      missing: ['fixedTPM', 'fixedParent'],
    })
  })
})

function digestsOf(event: string): ReadonlyMap<HashAlgorithm, Uint8Array> {
  return new Map(BANKS.map((bank) => [bank, digest(bank, Buffer.from(event))]))
}
