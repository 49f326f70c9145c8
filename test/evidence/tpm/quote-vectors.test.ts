import { expect, test } from 'vitest'
import { toHex } from '../../../src/base/encoding.ts'
import { hashAlgorithmOf } from '../../../src/evidence/tpm/algorithms.ts'
import { parseTpmsAttest } from '../../../src/evidence/tpm/attest.ts'
import { keepSelectedPcrs } from '../../../src/evidence/tpm/pcr.ts'
import { parseTpmPublic } from '../../../src/evidence/tpm/public-area.ts'
import { verifyQuote } from '../../../src/evidence/tpm/quote.ts'
import { parseTpmtSignature } from '../../../src/evidence/tpm/signature.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors } from '../../support/vectors.ts'
import {
  azureCvmQuote,
  googleQuotes,
  hclAkPub,
  physicalQuote,
  type RealQuote,
  shieldedVmCreation,
  shieldedVmQuote,
  trusteeQuote,
} from './real-quotes.ts'

describeVectors('quotes of Azure virtual machines', () => {
  test('the confidential VM quote verifies with the key of its own HCL report', async () => {
    const quote = trusteeQuote()
    const { attest, pcrs } = expectOk(await verifyQuote(quote))
    expect(Buffer.from(attest.extraData).toString()).toBe('challenge')
    expect(pcrs.map(({ algorithm, values }) => [algorithm, values.size])).toEqual([['sha256', 24]])
  })

  test('the trusted-launch quote verifies with its published key', async () => {
    expectOk(await verifyQuote(await azureCvmQuote()))
  })

  test("the HCL report beside it is another machine's, and its key fails", async () => {
    const key = hclAkPub('tpm-quote/azure-cvm-tooling/hcl-report-tdx.bin')
    const refused = await verifyQuote({ ...(await azureCvmQuote()), key })
    expectRefusal(refused, 'quote_signature_invalid')
  })
})

describeVectors('quotes of a Google virtual machine', () => {
  test('all three banks verify with the AK public area', async () => {
    const { quotes } = googleQuotes()
    const verified = await Promise.all(quotes.map((quote) => verifyQuote(quote)))
    expect(verified.map((result) => expectOk(result).pcrs[0]?.algorithm)).toEqual([
      'sha1',
      'sha256',
      'sha384',
    ])
  })

  test('the AK is a restricted signing key that cannot leave its TPM', () => {
    const { attributes, scheme } = expectOk(parseTpmPublic(googleQuotes().publicArea))
    expect(attributes).toMatchObject({
      fixedTPM: true,
      fixedParent: true,
      sensitiveDataOrigin: true,
      restricted: true,
      sign: true,
      decrypt: false,
    })
    expect(scheme?.hash).toBe('sha256')
  })

  test('the PCRs of one bank do not pass for those of another', async () => {
    const [sha1, sha256] = googleQuotes().quotes
    if (sha1 === undefined || sha256 === undefined) throw new TypeError('quotes missing')
    const refused = await verifyQuote({ ...sha256, pcrs: sha1.pcrs })
    expectRefusal(refused, 'quote_pcr_unexpected')
  })
})

describeVectors('the SHA-1 quote of a Windows shielded VM', () => {
  test('is refused for its signature hash', async () => {
    const refused = await verifyQuote(shieldedVmQuote())
    expectRefusal(refused, 'quote_signature_algorithm_refused')
    expect(refused).toMatchObject({ failure: { scheme: 'rsassa', hash: 'sha1' } })
  })

  test('verifies where SHA-1 signatures are accepted by name', async () => {
    const quote = { ...shieldedVmQuote(), acceptSha1Signature: true } as const
    const { attest, pcrs } = expectOk(await verifyQuote(quote))
    expect(attest.extraData).toHaveLength(0)
    expect(pcrs[0]?.values.size).toBe(24)
  })

  test('its AK parses, and its Name is the one its creation was certified under', () => {
    const { publicArea } = shieldedVmQuote()
    const { attributes, name } = expectOk(parseTpmPublic(publicArea))
    expect(attributes).toMatchObject({
      raw: 0x00050472,
      noDA: true,
      fixedTPM: true,
      stClear: false,
    })
    expect(toHex(shieldedVmCreation().attest)).toContain(toHex(name))
  })

  test('its creation attestation is of a type that is not read', () => {
    const refused = parseTpmsAttest(shieldedVmCreation().attest)
    expect(expectRefusal(refused, 'unexpected_value')).toMatchObject({ field: 'type' })
    expectOk(parseTpmtSignature(shieldedVmCreation().signature))
  })
})

describeVectors('quotes of physical machines', () => {
  const machines = [
    ['latitude-7520', 'faec24c6'],
    ['DESKTOP-MIMU51J-EPP-ESET', 'faec24c6'],
    ['good-1', '365954f0'],
    ['failed-1', '365954f0'],
  ] as const

  test.each(machines)('%s verifies with key %s', async (name, keyId) => {
    const quote = await physicalQuote(name, keyId)
    const { attest } = expectOk(await verifyQuote(quoted(quote)))
    expect(toHex(attest.qualifiedSigner)).toMatch(new RegExp(`^000b${keyId}`))
    expect(attest.clockInfo.safe).toBe(true)
  })

  test("another machine's key fails", async () => {
    const { key } = await physicalQuote('good-1', '365954f0')
    const quote = quoted(await physicalQuote('latitude-7520', 'faec24c6'))
    expectRefusal(await verifyQuote({ ...quote, key }), 'quote_signature_invalid')
  })

  test('the cookie alone was never the nonce', async () => {
    const { cookie, ...quote } = await physicalQuote('good-1', '365954f0')
    const refused = await verifyQuote({ ...quoted(quote), qualifyingData: cookie })
    expectRefusal(refused, 'quote_nonce_mismatch')
  })

  test('every PCR of the bank beside a quote of some is refused', async () => {
    const quote = await physicalQuote('good-1', '365954f0')
    const [bank] = quote.pcrs
    if (bank === undefined) throw new TypeError('bank missing')
    const values = new Map(bank.values).set(9, new Uint8Array(32))
    const refused = await verifyQuote({ ...quote, pcrs: [{ ...bank, values }] })
    expect(expectRefusal(refused, 'quote_pcr_unexpected')).toMatchObject({ pcrs: [9] })
  })

  test('PCRs of another boot of the same machine do not match the digest', async () => {
    const { pcrs } = quoted(await physicalQuote('failed-1', '365954f0'))
    const quote = quoted(await physicalQuote('good-1', '365954f0'))
    expectRefusal(await verifyQuote({ ...quote, pcrs }), 'quote_digest_mismatch')
  })
})

test('hash algorithms are known by their TPM numbers', () => {
  expect([0x04, 0x0b, 0x0c, 0x0d, 0x10, 0x12].map(hashAlgorithmOf)).toEqual([
    'sha1',
    'sha256',
    'sha384',
    'sha512',
    undefined,
    undefined,
  ])
})

/** The evidence lists every PCR; the quote covers some of them. */
function quoted(quote: RealQuote): RealQuote {
  const { attested } = expectOk(parseTpmsAttest(quote.attest))
  if (attested.kind !== 'quote') throw new TypeError('not a quote')
  return { ...quote, pcrs: keepSelectedPcrs(quote.pcrs, attested.selections) }
}
