import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Result } from '../../../src/base/result.ts'
import { PARSE_REASONS, type ParseFailure } from '../../../src/evidence/bytes.ts'
import {
  parseIdentityKey,
  parseRevocationList,
  parseSiPolicy,
} from '../../../src/evidence/event-log/sipa-payloads.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'
import { bytes, identityKey, u16, u32, u64, utf16le } from './support.ts'

const siPolicy = bytes(u64(3), u16(6), u16(0x0b), u32(32), utf16le('CI\0'), Buffer.alloc(32, 1))
const revocationList = bytes(u64(5), u32(32), u16(0x0b), Buffer.alloc(32, 2))
const idks = identityKey()

type Parser = (data: Uint8Array) => Result<unknown, ParseFailure>

const PARSERS: readonly (readonly [name: string, parse: Parser, valid: Uint8Array])[] = [
  ['SI_POLICY', parseSiPolicy, siPolicy],
  ['REVOCATION_LIST', parseRevocationList, revocationList],
  ['VSM_IDKS_INFO', parseIdentityKey, idks],
]

describe.each(PARSERS)('%s', (_, parsePayload, valid) => {
  test('is read', () => {
    expectOk(parsePayload(valid))
  })

  test('cut anywhere is refused', () => {
    for (let length = 0; length < valid.length; length++) {
      expectRefusal(parsePayload(valid.subarray(0, length)), 'truncated')
    }
  })

  test('with a byte after its end is refused', () => {
    expectRefusal(parsePayload(bytes(valid, Buffer.from([0]))), 'trailing_bytes')
  })

  test('of arbitrary or changed bytes is read or refused, never more', () => {
    const change = fc.tuple(fc.nat(valid.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.array(change), (noise, changes) => {
        const mutated = Buffer.from(valid)
        for (const [offset, value] of changes) mutated[offset] = value
        for (const input of [noise, mutated]) {
          const result = parsePayload(input)
          if (!result.ok) expect(PARSE_REASONS).toContain(result.failure.reason)
        }
      }),
    )
  })
})

test('the values are those that were encoded', () => {
  expect(expectOk(parseSiPolicy(siPolicy))).toMatchObject({ version: 3n, name: 'CI' })
  expect(expectOk(parseRevocationList(revocationList))).toMatchObject({ created: 5n })
  expect(expectOk(parseIdentityKey(idks))).toEqual({
    kty: 'RSA',
    e: 'AQAB',
    n: Buffer.alloc(256, 0xc3).toString('base64url'),
  })
})

test.each<[string, Result<unknown, ParseFailure>]>([
  ['an unknown hash', parseSiPolicy(bytes(u64(3), u16(0), u16(0x99), u32(32), Buffer.alloc(32)))],
  [
    'a digest of another size',
    parseRevocationList(bytes(u64(5), u32(20), u16(0x0b), Buffer.alloc(20))),
  ],
  ['half a character', parseSiPolicy(bytes(u64(3), u16(1), u16(0x0b), u32(32), Buffer.alloc(33)))],
  ['a key that is not RSA', parseIdentityKey(bytes(u32(2), idks.subarray(4)))],
  ['a key of 1024 bits', parseIdentityKey(identityKey(0xc3, 1024))],
  ['a modulus of another length', parseIdentityKey(bytes(u32(1), u32(3072), idks.subarray(8)))],
  ['an even modulus', parseIdentityKey(identityKey(0xc2))],
  ['a modulus with leading zeros', parseIdentityKey(identityKey(0))],
  [
    'an even exponent',
    parseIdentityKey(bytes(idks.subarray(0, 16), Buffer.from([1, 0, 2]), idks.subarray(19))),
  ],
  ['no exponent', parseIdentityKey(bytes(u32(1), u32(2048), u32(0), u32(256), idks.subarray(19)))],
])('%s is refused', (_, result) => {
  expectRefusal(result, 'unexpected_value')
})

test.each<[string, Result<unknown, ParseFailure>]>([
  ['a huge key', parseIdentityKey(bytes(u32(1), u32(0xffffffff), u32(3), u32(0x1fffffff)))],
  ['a huge exponent', parseIdentityKey(bytes(u32(1), u32(2048), u32(0xffff), u32(256)))],
  ['a huge policy name', parseSiPolicy(bytes(u64(3), u16(0xffff), u16(0x0b), u32(32)))],
])('%s is refused by its length alone', (_, result) => {
  expectRefusal(result, 'length_over_limit')
})

describeVectors('payloads in a token of Azure Attestation', () => {
  const read = () =>
    vectorJson('maa/docs-samples/tpm-token-healthattestation-csp.decoded.json').payload
  const raw = (text: string) => Buffer.from(text, 'base64url')

  test('code integrity policies', () => {
    const names = read()
      .codeIntegrityPolicy.slice(0, 2)
      .map((text: string) => expectOk(parseSiPolicy(raw(text))).name)
    expect(names).toEqual([
      '{8fb4865e-e90b-444f-b5b5-e2aa51d890fd}.CIP',
      '{bc4bf6d7-cc60-40f0-8644-1e64916f8183}.CIP',
    ])
  })

  test('revocation lists', () => {
    const payload = read()
    for (const text of [payload.bootRevListInfo, payload.osRevListInfo]) {
      const { created, digest } = expectOk(parseRevocationList(raw(text)))
      const year = new Date(Number(created / 10_000n) - 11_644_473_600_000).getUTCFullYear()
      expect(year).toBe(2021)
      expect(digest).toHaveLength(32)
    }
  })
})
