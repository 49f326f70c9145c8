import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { PARSE_REASONS } from '../../../src/evidence/bytes.ts'
import { importTpmKey, TPM_KEY_REASONS } from '../../../src/evidence/tpm/key.ts'
import type { PcrBank } from '../../../src/evidence/tpm/pcr.ts'
import { QUOTE_REASONS, verifyQuote } from '../../../src/evidence/tpm/quote.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors } from '../../support/vectors.ts'
import {
  certifyAttest,
  concat,
  ecdsaKey,
  type PaperKey,
  pcrBank,
  quoteAttest,
  rsaKey,
  u16,
} from './paper-tpm.ts'
import { physicalQuote } from './real-quotes.ts'

const NONCE = Buffer.from('our nonce')
const BANKS = [pcrBank('sha1', [0, 7]), pcrBank('sha256', [0, 4, 7, 11])] as const

let ak: PaperKey
let stranger: PaperKey

beforeAll(async () => {
  ak = await ecdsaKey({ curve: 'P-256', hash: 'sha256' })
  stranger = await ecdsaKey({ curve: 'P-256', hash: 'sha256' })
})

/** A good quote over `BANKS`, and what `verifyQuote` needs to accept it. */
async function goodQuote() {
  const attest = quoteAttest({ nonce: NONCE, pcrs: BANKS })
  const quote = { attest, signature: await ak.sign(attest) }
  return { ...quote, key: ak.jwk, qualifyingData: NONCE, pcrs: BANKS as readonly PcrBank[] }
}

/** A quote with a valid signature over whatever `attest` says. */
async function signedQuote(attest: Uint8Array) {
  return { ...(await goodQuote()), attest, signature: await ak.sign(attest) }
}

function replaceValue(bank: PcrBank, index: number, value: Uint8Array): PcrBank {
  return { ...bank, values: new Map(bank.values).set(index, value) }
}

describe('verifyQuote accepts', () => {
  test('a quote over two banks, and returns exactly the quoted values', async () => {
    const { pcrs, attest } = expectOk(await verifyQuote(await goodQuote()))
    expect(pcrs).toEqual(BANKS)
    expect(attest.attested.selections).toHaveLength(2)
  })

  test('banks and values in any order, and returns them in the order of the quote', async () => {
    const reversed = BANKS.map((bank) => ({ ...bank, values: new Map([...bank.values].reverse()) }))
    const { pcrs } = expectOk(
      await verifyQuote({ ...(await goodQuote()), pcrs: reversed.reverse() }),
    )
    expect(pcrs.map(({ values }) => [...values.keys()])).toEqual([
      [0, 7],
      [0, 4, 7, 11],
    ])
  })

  test('a key that was imported before', async () => {
    const key = expectOk(await importTpmKey(ak.jwk))
    expectOk(await verifyQuote({ ...(await goodQuote()), key }))
  })

  test('an empty bank beside a quoted one, supplied or not', async () => {
    const empty = pcrBank('sha1', [])
    const quote = await signedQuote(quoteAttest({ nonce: NONCE, pcrs: [empty, BANKS[1]] }))
    for (const pcrs of [[BANKS[1]], [empty, BANKS[1]]]) {
      expect(expectOk(await verifyQuote({ ...quote, pcrs })).pcrs).toEqual([BANKS[1]])
    }
  })

  test('any nonce where the caller says so', async () => {
    const { qualifyingData: _, ...quote } = await goodQuote()
    expectOk(await verifyQuote({ ...quote, acceptAnyNonce: true }))
  })

  test('a digest by the hash of the signing scheme, whatever the bank', async () => {
    const key = await ecdsaKey({ curve: 'P-384', hash: 'sha384' })
    const attest = quoteAttest({ nonce: NONCE, pcrs: BANKS, hash: 'sha384' })
    const quote = { ...(await goodQuote()), attest, signature: await key.sign(attest) }
    expectOk(await verifyQuote({ ...quote, key: key.jwk }))
  })
})

describe('verifyQuote refuses', () => {
  test('a certification in place of a quote', async () => {
    const name = concat(u16(0x000b), new Uint8Array(32))
    const refused = await verifyQuote(await signedQuote(certifyAttest({ name, nonce: NONCE })))
    expect(expectRefusal(refused, 'quote_type_wrong')).toMatchObject({ kind: 'certify' })
  })

  test('another magic under a valid signature', async () => {
    const attest = quoteAttest({ nonce: NONCE, pcrs: BANKS, magic: 0x00544347 })
    const refused = await verifyQuote(await signedQuote(attest))
    expect(expectRefusal(refused, 'unexpected_value')).toMatchObject({ field: 'magic' })
  })

  test('a signature that does not parse', async () => {
    const refused = await verifyQuote({ ...(await goodQuote()), signature: Uint8Array.of(0, 0x18) })
    expect(expectRefusal(refused, 'truncated')).toMatchObject({ structure: 'TPMT_SIGNATURE' })
  })

  test('another key', async () => {
    const refused = await verifyQuote({ ...(await goodQuote()), key: stranger.jwk })
    expectRefusal(refused, 'quote_signature_invalid')
  })

  test('a key that cannot be used', async () => {
    const refused = await verifyQuote({ ...(await goodQuote()), key: { kty: 'oct' } })
    expectRefusal(refused, 'tpm_key_unsupported')
  })

  test('an RSA-1024 key with its own valid signature', async () => {
    const weak = await rsaKey({ scheme: 'rsassa', hash: 'sha256', bits: 1024 })
    const quote = await goodQuote()
    const signature = await weak.sign(quote.attest)
    const refused = await verifyQuote({ ...quote, signature, key: weak.jwk })
    expectRefusal(refused, 'tpm_key_weak')
  })

  test('a SHA-1 signature, unless it is accepted by name', async () => {
    const old = await rsaKey({ scheme: 'rsapss', hash: 'sha1' })
    const attest = quoteAttest({ nonce: NONCE, pcrs: BANKS, hash: 'sha1' })
    const signature = await old.sign(attest)
    const quote = { ...(await goodQuote()), attest, signature, key: old.jwk }
    const refused = await verifyQuote(quote)
    expectRefusal(refused, 'quote_signature_algorithm_refused')
    expectOk(await verifyQuote({ ...quote, acceptSha1Signature: true }))
  })

  test.each([
    ['another nonce', Buffer.from('its nonce')],
    ['a prefix of its nonce', NONCE.subarray(0, 8)],
    ['no nonce where there is one', new Uint8Array()],
  ])('%s', async (_, qualifyingData) => {
    const refused = await verifyQuote({ ...(await goodQuote()), qualifyingData })
    expectRefusal(refused, 'quote_nonce_mismatch')
  })

  test('a replayed quote without a nonce', async () => {
    const refused = await verifyQuote(await signedQuote(quoteAttest({ pcrs: BANKS })))
    expectRefusal(refused, 'quote_nonce_mismatch')
  })

  test('a caller from JavaScript that states neither a nonce nor that it wants none', async () => {
    const { qualifyingData: _, ...quote } = await goodQuote()
    const refused = await verifyQuote({ ...quote, acceptAnyNonce: JSON.parse('false') })
    expectRefusal(refused, 'quote_nonce_mismatch')
  })

  test.each([
    ['no bank', []],
    ['empty banks', [pcrBank('sha1', []), pcrBank('sha256', [])]],
  ])('a quote that covers %s, which proves nothing', async (_, pcrs) => {
    const quote = await signedQuote(quoteAttest({ nonce: NONCE, pcrs }))
    expectRefusal(await verifyQuote({ ...quote, pcrs }), 'quote_selects_nothing')
  })

  test('a quoted PCR that is not supplied', async () => {
    const pcrs = [BANKS[0], pcrBank('sha256', [0, 7])]
    const refused = await verifyQuote({ ...(await goodQuote()), pcrs })
    const failure = expectRefusal(refused, 'quote_pcr_missing')
    expect(failure).toMatchObject({ bank: 'sha256', pcrs: [4, 11] })
  })

  test('a quoted bank that is not supplied', async () => {
    const refused = await verifyQuote({ ...(await goodQuote()), pcrs: [BANKS[1]] })
    const failure = expectRefusal(refused, 'quote_pcr_missing')
    expect(failure).toMatchObject({ bank: 'sha1', pcrs: [0, 7] })
  })

  test('a smuggled PCR that the quote does not cover', async () => {
    const pcrs = [BANKS[0], replaceValue(BANKS[1], 12, new Uint8Array(32))]
    const refused = await verifyQuote({ ...(await goodQuote()), pcrs })
    const failure = expectRefusal(refused, 'quote_pcr_unexpected')
    expect(failure).toMatchObject({ bank: 'sha256', pcrs: [12] })
  })

  test('a smuggled bank that the quote does not cover', async () => {
    const pcrs = [...BANKS, pcrBank('sha384', [0])]
    const refused = await verifyQuote({ ...(await goodQuote()), pcrs })
    expect(expectRefusal(refused, 'quote_pcr_unexpected')).toMatchObject({ bank: 'sha384' })
  })

  test('a bank supplied twice, good and forged', async () => {
    const forged = replaceValue(BANKS[1], 7, new Uint8Array(32))
    for (const pcrs of [
      [...BANKS, forged],
      [BANKS[0], forged, BANKS[1]],
    ]) {
      const refused = await verifyQuote({ ...(await goodQuote()), pcrs })
      expectRefusal(refused, 'quote_pcr_bank_repeated')
    }
  })

  test('bytes moved from one PCR to the next under the same digest', async () => {
    const [first, second] = [...BANKS[0].values.values()]
    if (first === undefined || second === undefined) throw new TypeError('two PCRs expected')
    const shorter = replaceValue(BANKS[0], 0, first.subarray(0, 19))
    const moved = replaceValue(shorter, 7, concat(first.subarray(19), second))
    const refused = await verifyQuote({ ...(await goodQuote()), pcrs: [moved, BANKS[1]] })
    const failure = expectRefusal(refused, 'quote_pcr_length_wrong')
    expect(failure).toMatchObject({ bank: 'sha1', pcrs: [0, 7] })
  })

  test('another value of any quoted PCR', async () => {
    for (const index of BANKS[1].values.keys()) {
      const pcrs = [BANKS[0], replaceValue(BANKS[1], index, new Uint8Array(32))]
      const refused = await verifyQuote({ ...(await goodQuote()), pcrs })
      expectRefusal(refused, 'quote_digest_mismatch')
    }
  })

  test('two values exchanged', async () => {
    const [first, second] = [...BANKS[0].values.values()]
    if (first === undefined || second === undefined) throw new TypeError('two PCRs expected')
    const exchanged = replaceValue(replaceValue(BANKS[0], 0, second), 7, first)
    const refused = await verifyQuote({ ...(await goodQuote()), pcrs: [exchanged, BANKS[1]] })
    expectRefusal(refused, 'quote_digest_mismatch')
  })
})

describe('verifyQuote on anything', () => {
  test('never throws and never accepts what was not signed', async () => {
    const reasons: readonly string[] = [...PARSE_REASONS, ...TPM_KEY_REASONS, ...QUOTE_REASONS]
    const good = await goodQuote()
    const mutations = (bytes: Uint8Array) =>
      fc
        .tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
        .map(([position, flip]) => bytes.map((byte, at) => (at === position ? byte ^ flip : byte)))
    const forgeries = fc.oneof(
      fc.record({ attest: fc.oneof(fc.uint8Array(), mutations(good.attest)) }),
      fc.record({ signature: fc.oneof(fc.uint8Array(), mutations(good.signature)) }),
    )
    await fc.assert(
      fc.asyncProperty(forgeries, async (forgery) => {
        const result = await verifyQuote({ ...good, ...forgery })
        expect(result.ok).toBe(false)
        if (!result.ok) expect(reasons).toContain(result.failure.reason)
      }),
    )
  })
})

describeVectors('a real quote with one flipped byte', () => {
  test('is refused wherever in the attestation it flips', async () => {
    const quote = await physicalQuote('good-1', '365954f0')
    expectOk(await verifyQuote(quote))
    const reasons = new Set<string>()
    for (const position of quote.attest.keys()) {
      const attest = quote.attest.map((byte, at) => (at === position ? byte ^ 0x01 : byte))
      const result = await verifyQuote({ ...quote, attest })
      expect(result.ok).toBe(false)
      if (!result.ok) reasons.add(result.failure.reason)
    }
    expect(reasons).toContain('quote_signature_invalid')
  })

  test('is refused wherever in the signature it flips', async () => {
    const quote = await physicalQuote('good-1', '365954f0')
    for (const position of quote.signature.keys()) {
      const signature = quote.signature.map((byte, at) => (at === position ? byte ^ 0x01 : byte))
      expect((await verifyQuote({ ...quote, signature })).ok).toBe(false)
    }
  })

  test.each([
    ['the qualified signer', 10],
    ['the nonce', 50],
    ['the clock', 80],
    ['the reset count', 85],
    ['the firmware version', 96],
    ['the PCR digest', 130],
  ])('in %s is a signature that does not hold', async (_, position) => {
    const quote = await physicalQuote('good-1', '365954f0')
    const attest = quote.attest.map((byte, at) => (at === position ? byte ^ 0x01 : byte))
    expectRefusal(await verifyQuote({ ...quote, attest }), 'quote_signature_invalid')
  })
})
