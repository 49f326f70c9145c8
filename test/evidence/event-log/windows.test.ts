import { describe, expect, test } from 'vitest'
import { readBootClaims } from '../../../src/evidence/event-log/claims.ts'
import { SIPA } from '../../../src/evidence/event-log/sipa-names.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  bytes,
  claimsOf,
  flag,
  identityKey,
  parsed,
  proven,
  sipa,
  tagged,
  u32,
  wbcl,
  wbclAll,
} from './support.ts'

describe('the WBCL separator', () => {
  const on = tagged(12, sipa(SIPA.testSigning, flag(true)))
  const off = tagged(12, sipa(SIPA.testSigning, flag(false)))

  test('ATTACK: what is measured after it does not count', () => {
    expect(claimsOf([on, ...wbclAll, off]).testSigningDisabled).toBe(false)
    expect(claimsOf([...wbclAll, off])).toEqual({})
    const late = tagged(12, sipa(SIPA.vsmIdksInfo, identityKey()))
    const { idks } = expectOk(readBootClaims(proven(parsed([off, ...wbclAll, late]))))
    expect(idks).toBeUndefined()
  })

  test('after it even rubbish is ignored', () => {
    const rubbish = { pcr: 13, type: 0x0d, data: Buffer.from('x'), extended: Buffer.from('y') }
    expect(claimsOf([off, ...wbclAll, rubbish]).testSigningDisabled).toBe(true)
  })

  test.each([12, 13, 14])('ATTACK: PCR %i closed twice', (pcr) => {
    for (const second of [wbcl(pcr), { ...wbcl(pcr), type: 0x0d, data: Buffer.from('other') }]) {
      const events = [off, ...wbclAll, { ...second, extended: Buffer.from('WBCL') }]
      const failure = expectRefusal(
        readBootClaims(proven(parsed(events))),
        'log_separator_duplicate',
      )
      expect(failure).toMatchObject({ pcrs: [pcr] })
    }
  })

  test.each([12, 13, 14])('ATTACK: PCR %i never closed', (pcr) => {
    const events = [off, ...wbclAll.filter((separator) => separator.pcr !== pcr)]
    const failure = expectRefusal(readBootClaims(proven(parsed(events))), 'log_separator_missing')
    expect(failure).toMatchObject({ pcrs: [pcr] })
  })

  test('ATTACK: a Windows log that closes none of its PCRs', () => {
    expectRefusal(readBootClaims(proven(parsed([off]))), 'log_separator_missing')
  })

  test('another separator is none', () => {
    const other = { ...wbcl(12), data: Buffer.alloc(4) }
    const verified = proven(parsed([other, off, ...wbclAll]))
    expectRefusal(readBootClaims(verified), 'log_event_unexpected')
  })

  test('ATTACK: another boot loader measures into the PCRs of Windows', () => {
    const mokList = {
      pcr: 14,
      type: 0x0d,
      data: Buffer.from('MokList\0'),
      extended: Buffer.alloc(9),
    }
    const verified = proven(parsed([mokList, off, ...wbclAll]))
    expectRefusal(readBootClaims(verified), 'log_event_unexpected')
    const relabelled = { ...mokList, type: 6 }
    expectRefusal(
      readBootClaims(proven(parsed([relabelled, off, ...wbclAll]))),
      'log_event_digest_mismatch',
    )
  })

  test('systems that tag events of their own there are not Windows', () => {
    const addOn = { pcr: 12, type: 6, data: bytes(u32(0x31c4_5b1f), u32(1), Buffer.from('x')) }
    expect(claimsOf([addOn, { pcr: 13, type: 0x0d, data: Buffer.from('sysext') }])).toEqual({})
  })

  test('tagged data that is not what Windows writes is refused', () => {
    const broken = { pcr: 12, type: 6, data: Buffer.from('not tagged') }
    expectRefusal(readBootClaims(proven(parsed([broken, ...wbclAll]))), 'length_over_limit')
  })
})
