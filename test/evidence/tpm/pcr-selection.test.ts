import { describe, expect, test } from 'vitest'
import { keepSelectedPcrs } from '../../../src/evidence/tpm/pcr.ts'
import { parsePcrSelections } from '../../../src/evidence/tpm/pcr-selection.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { concat, pcrBank, selectionList, u8, u16, u32 } from './paper-tpm.ts'
import { parserLaws } from './parser-laws.ts'

const SHA256_ALL = Uint8Array.of(0x00, 0x0b, 3, 0xff, 0xff, 0xff)

describe('TPML_PCR_SELECTION', () => {
  parserLaws({
    parse: parsePcrSelections,
    valid: () =>
      selectionList([
        { algorithm: 'sha1', indexes: [] },
        { algorithm: 'sha256', indexes: [0, 7, 23] },
      ]),
    maxBytes: 116,
  })

  test('names PCRs from the lowest bit of the first octet', () => {
    const bytes = concat(u32(1), Uint8Array.of(0x00, 0x0b, 3, 0x81, 0x01, 0x80))
    expect(expectOk(parsePcrSelections(bytes))).toEqual([
      { algorithm: 'sha256', indexes: [0, 7, 8, 23] },
    ])
  })

  test('keeps an empty bank and reads selections of one to four octets', () => {
    const narrow = concat(u16(0x0004), u8(1), u8(0))
    const wide = concat(u16(0x000c), u8(4), Uint8Array.of(0, 0, 0, 0x80))
    expect(expectOk(parsePcrSelections(concat(u32(2), narrow, wide)))).toEqual([
      { algorithm: 'sha1', indexes: [] },
      { algorithm: 'sha384', indexes: [31] },
    ])
  })

  test('an empty list is read as one', () => {
    expect(expectOk(parsePcrSelections(u32(0)))).toEqual([])
  })

  test('refuses the same bank twice', () => {
    const refused = parsePcrSelections(concat(u32(2), SHA256_ALL, SHA256_ALL))
    expect(expectRefusal(refused, 'unexpected_value')).toMatchObject({ field: 'hash', offset: 10 })
  })

  test.each([
    ['SM3', 0x0012],
    ['a cipher', 0x0006],
    ['TPM_ALG_NULL', 0x0010],
  ])('refuses %s for a bank', (_, algorithm) => {
    const bytes = concat(u32(1), u16(algorithm), u8(3), new Uint8Array(3))
    expect(expectRefusal(parsePcrSelections(bytes), 'unexpected_value')).toMatchObject({
      field: 'hash',
    })
  })

  test('refuses more banks than a TPM has, before it reads them', () => {
    const refused = parsePcrSelections(concat(u32(17), SHA256_ALL))
    expect(expectRefusal(refused, 'length_over_limit')).toMatchObject({ field: 'count' })
  })

  test('refuses selections of no octet and of five', () => {
    const none = parsePcrSelections(concat(u32(1), u16(0x000b), u8(0)))
    expect(expectRefusal(none, 'unexpected_value')).toMatchObject({ field: 'sizeofSelect' })
    const five = parsePcrSelections(concat(u32(1), u16(0x000b), u8(5), new Uint8Array(5)))
    expect(expectRefusal(five, 'length_over_limit')).toMatchObject({ field: 'sizeofSelect' })
  })
})

describe('keepSelectedPcrs', () => {
  test('drops values and banks that no selection names', () => {
    const banks = [pcrBank('sha1', [0, 1]), pcrBank('sha256', [0, 1, 2, 9])]
    const kept = keepSelectedPcrs(banks, [
      { algorithm: 'sha1', indexes: [] },
      { algorithm: 'sha256', indexes: [1, 2, 3] },
    ])
    expect(kept.map(({ algorithm, values }) => [algorithm, [...values.keys()]])).toEqual([
      ['sha256', [1, 2]],
    ])
  })
})
