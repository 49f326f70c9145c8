import { describe, expect, test } from 'vitest'
import { MAX_PLATFORM_STATEMENT_BYTES } from '../../../src/evidence/tpm/limits.ts'
import { parsePlatformStatement } from '../../../src/evidence/tpm/platform-statement.ts'
import { verifyQuote } from '../../../src/evidence/tpm/quote.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors } from '../../support/vectors.ts'
import { concat } from './paper-tpm.ts'
import { parserLaws } from './parser-laws.ts'
import { trusteeQuote } from './real-quotes.ts'

const SIGNATURE = Buffer.from('signature')
const QUOTE = Buffer.from('quote')
const PCRS = Uint8Array.from({ length: 24 * 32 }, (_, at) => at >> 5)

function u32le(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function statement(parts: {
  magic?: string
  version?: number
  algorithm?: number
  signature?: Uint8Array
  signatureBytes?: number
  quote?: Uint8Array
  quoteBytes?: number
  pcrs?: Uint8Array
  pcrBytes?: number
}): Uint8Array {
  const { signature = SIGNATURE, quote = QUOTE, pcrs = PCRS } = parts
  return concat(
    Buffer.from(parts.magic ?? 'TPLA'),
    u32le(parts.version ?? 0),
    u32le(parts.algorithm ?? 0x000b),
    u32le(parts.signatureBytes ?? signature.length),
    u32le(parts.quoteBytes ?? quote.length),
    u32le(parts.pcrBytes ?? pcrs.length),
    signature,
    quote,
    pcrs,
  )
}

describe('NCRYPT_TPM_PLATFORM_ATTESTATION_STATEMENT', () => {
  parserLaws({
    parse: parsePlatformStatement,
    valid: () => statement({}),
    maxBytes: MAX_PLATFORM_STATEMENT_BYTES,
  })

  test('yields signature, quote and all PCRs of one bank', () => {
    const { signature, quote, pcrs } = expectOk(parsePlatformStatement(statement({})))
    expect(Buffer.from(signature)).toEqual(SIGNATURE)
    expect(Buffer.from(quote)).toEqual(QUOTE)
    expect(pcrs.algorithm).toBe('sha256')
    expect([...pcrs.values.keys()]).toEqual(Array.from({ length: 24 }, (_, index) => index))
    expect(pcrs.values.get(23)).toEqual(new Uint8Array(32).fill(23))
  })

  test('may hold a SHA-1 bank', () => {
    const bytes = statement({ algorithm: 0x0004, pcrs: new Uint8Array(24 * 20) })
    expect(expectOk(parsePlatformStatement(bytes)).pcrs.values.get(0)).toHaveLength(20)
  })

  test.each<[string, string, Parameters<typeof statement>[0]]>([
    ['the magic of another claim', 'Magic', { magic: 'KAWA' }],
    ['the magic backwards', 'Magic', { magic: 'ALPT' }],
    ['another version', 'Version', { version: 1 }],
    ['a bank that is no hash', 'pcrAlg', { algorithm: 0x0010 }],
    ['an algorithm with high bits', 'pcrAlg', { algorithm: 0x1_000b }],
    ['too few PCRs', 'cbPcrs', { pcrs: PCRS.subarray(32) }],
    ['PCRs of another bank', 'cbPcrs', { algorithm: 0x0004 }],
  ])('refuses %s', (_, field, parts) => {
    const refused = parsePlatformStatement(statement(parts))
    expect(expectRefusal(refused, 'unexpected_value')).toMatchObject({ field })
  })

  test.each<[string, string, Parameters<typeof statement>[0]]>([
    ['signature', 'cbSignature', { signatureBytes: 519 }],
    ['quote', 'cbQuote', { quoteBytes: 0xffff_ffff }],
  ])('refuses an overlong %s', (_, field, parts) => {
    const refused = parsePlatformStatement(statement(parts))
    expect(expectRefusal(refused, 'length_over_limit')).toMatchObject({ field })
  })
})

describeVectors('a platform statement around a real quote', () => {
  test('leads to a verified quote', async () => {
    const { attest, signature, pcrs, key, qualifyingData } = trusteeQuote()
    const values = concat(...pcrs.flatMap((bank) => [...bank.values.values()]))
    const bytes = statement({ signature, quote: attest, pcrs: values })
    const parsed = expectOk(parsePlatformStatement(bytes))
    const input = { ...parsed, attest: parsed.quote, pcrs: [parsed.pcrs], key, qualifyingData }
    expectOk(await verifyQuote(input))
  })
})
