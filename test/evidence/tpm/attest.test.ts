import { describe, expect, test } from 'vitest'
import { toHex } from '../../../src/base/encoding.ts'
import { ATTEST_TAG, parseTpmsAttest } from '../../../src/evidence/tpm/attest.ts'
import { MAX_ATTEST_BYTES } from '../../../src/evidence/tpm/limits.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors } from '../../support/vectors.ts'
import {
  attest,
  certifyAttest,
  concat,
  pcrBank,
  quoteAttest,
  sized,
  u16,
  u32,
} from './paper-tpm.ts'
import { parserLaws } from './parser-laws.ts'
import { googleQuotes, trusteeQuote } from './real-quotes.ts'

const NONCE = Buffer.from('a nonce')
const NAME = concat(u16(0x000b), new Uint8Array(32).fill(0xaa))
const QUOTE = quoteAttest({
  nonce: NONCE,
  pcrs: [pcrBank('sha1', []), pcrBank('sha256', [0, 7, 11])],
})

describe('TPMS_ATTEST of a quote', () => {
  parserLaws({ parse: parseTpmsAttest, valid: () => QUOTE, maxBytes: MAX_ATTEST_BYTES })

  test('has its fields where they belong', () => {
    expect(expectOk(parseTpmsAttest(QUOTE))).toMatchObject({
      clockInfo: { clock: 123_456n, resetCount: 7, restartCount: 1, safe: true },
      firmwareVersion: 0x2024010100120003n,
      attested: {
        kind: 'quote',
        selections: [
          { algorithm: 'sha1', indexes: [] },
          { algorithm: 'sha256', indexes: [0, 7, 11] },
        ],
      },
    })
  })
})

describe('TPMS_ATTEST of a certification', () => {
  const certify = certifyAttest({ name: NAME, nonce: NONCE })
  parserLaws({ parse: parseTpmsAttest, valid: () => certify, maxBytes: MAX_ATTEST_BYTES })

  test('has the certified Name', () => {
    const { attested } = expectOk(parseTpmsAttest(certify))
    expect(attested.kind === 'certify' && toHex(attested.name)).toBe(toHex(NAME))
  })
})

describe('TPMS_ATTEST that no TPM makes', () => {
  test('another magic', () => {
    const refused = parseTpmsAttest(quoteAttest({ pcrs: [], magic: 0xff544346 }))
    expect(expectRefusal(refused, 'unexpected_value')).toMatchObject({ field: 'magic' })
  })

  test.each([0x8014, 0x8015, 0x8016, 0x8019, 0x801a, 0x801c, 0x0000])(
    'a type that is not read: %i',
    (tag) => {
      const refused = parseTpmsAttest(attest({ tag, attested: new Uint8Array() }))
      expect(expectRefusal(refused, 'unexpected_value')).toMatchObject({ field: 'type' })
    },
  )

  test('a clock that is neither safe nor unsafe', () => {
    const attested = concat(u32(0), sized(new Uint8Array(32)))
    const of = (safe: number) => parseTpmsAttest(attest({ tag: ATTEST_TAG.quote, attested, safe }))
    expect(expectOk(of(0)).clockInfo.safe).toBe(false)
    expect(expectRefusal(of(2), 'unexpected_value')).toMatchObject({ field: 'safe' })
  })

  test('overlong names, nonces and digests', () => {
    const over = (size: number) => sized(new Uint8Array(size))
    const nonce = parseTpmsAttest(quoteAttest({ pcrs: [], nonce: new Uint8Array(67) }))
    expect(expectRefusal(nonce, 'length_over_limit')).toMatchObject({ field: 'extraData' })
    const quote = attest({ tag: ATTEST_TAG.quote, attested: concat(u32(0), over(65)) })
    const refused = expectRefusal(parseTpmsAttest(quote), 'length_over_limit')
    expect(refused).toMatchObject({ field: 'pcrDigest' })
    const certify = attest({ tag: ATTEST_TAG.certify, attested: concat(over(67), over(34)) })
    expect(expectRefusal(parseTpmsAttest(certify), 'length_over_limit')).toMatchObject({
      field: 'name',
    })
    const signer = concat(u32(0xff544347), u16(ATTEST_TAG.quote), over(67))
    expect(expectRefusal(parseTpmsAttest(signer), 'length_over_limit')).toMatchObject({
      field: 'qualifiedSigner',
    })
  })
})

describeVectors('TPMS_ATTEST of real machines', () => {
  describe('an Azure vTPM', () => {
    parserLaws({
      parse: parseTpmsAttest,
      valid: () => trusteeQuote().attest,
      maxBytes: MAX_ATTEST_BYTES,
    })
  })

  test('one bank per quote of a Google vTPM, nonce 9009', () => {
    const attests = googleQuotes().quotes.map((quote) => expectOk(parseTpmsAttest(quote.attest)))
    expect(attests.map(({ extraData }) => toHex(extraData))).toEqual(['9009', '9009', '9009'])
    expect(attests.map(({ attested }) => attested.kind)).toEqual(['quote', 'quote', 'quote'])
  })
})
