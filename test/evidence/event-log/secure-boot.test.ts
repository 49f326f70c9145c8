import { describe, expect, test } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { toBase64Url } from '../../../src/base/encoding.ts'
import { readBootClaims } from '../../../src/evidence/event-log/claims.ts'
import { SIPA } from '../../../src/evidence/event-log/sipa-names.ts'
import { expectRefusal } from '../../support/refusal.ts'
import {
  claimsOf,
  type EventInput,
  firmwareSeparator,
  flag,
  GLOBAL,
  parsed,
  proven,
  SECURITY,
  secureBoot,
  sipa,
  u32,
  variableEvent,
  windowsLog,
} from './support.ts'

/** Types that nothing is read from, an unknown one among them. */
const OTHER_TYPES = [0x05, 0x06, 0x08, 0x0d, 0x80000002, 0x80000007, 0x800000e0, 0x800000e1, 0x1234]

/** The event under other types, with a digest that is proven as before. */
function hidings(event: EventInput): readonly EventInput[] {
  const extended = event.data
  const lies = [event.data, Buffer.alloc(0), Buffer.from('DMA Protection Disabled')]
  return OTHER_TYPES.flatMap((type) => lies.map((data) => ({ pcr: 7, type, data, extended })))
}

describe('Secure Boot', () => {
  const keys = [
    variableEvent(GLOBAL, 'PK', Buffer.from('pk')),
    variableEvent(GLOBAL, 'KEK', Buffer.from('kek')),
    variableEvent(SECURITY, 'db', Buffer.from('db')),
    variableEvent(SECURITY, 'dbx', Buffer.alloc(0)),
  ]

  test('is on or off by one byte, and its keys are named by the hash of their data', () => {
    const hash = (text: string) => toBase64Url(digest('sha256', Buffer.from(text)))
    expect(claimsOf([secureBoot(1), ...keys, firmwareSeparator])).toEqual({
      secureBootEnabled: true,
      secureBootKeys: { pk: hash('pk'), kek: hash('kek'), db: hash('db'), dbx: hash('') },
    })
    expect(claimsOf([secureBoot(0), firmwareSeparator])).toEqual({ secureBootEnabled: false })
    expect(claimsOf([firmwareSeparator])).toEqual({})
  })

  test('ATTACK: variables of the same names by another vendor are not the keys', () => {
    const impostors = [
      variableEvent(SECURITY, 'SecureBoot', Buffer.from([1])),
      variableEvent(SECURITY, 'PK', Buffer.from('pk')),
      variableEvent(GLOBAL, 'db', Buffer.from('db')),
    ]
    expect(claimsOf([...impostors, firmwareSeparator])).toEqual({})
  })

  test('ATTACK: a variable that is called something else, with its data or with other data', () => {
    const all = [secureBoot(0), ...keys]
    for (const [index, event] of all.entries()) {
      for (const hidden of hidings(event)) {
        const verified = proven(parsed([...all.with(index, hidden), firmwareSeparator]))
        expectRefusal(readBootClaims(verified), 'log_event_unexpected')
        const alone = proven(parsed([hidden, firmwareSeparator]))
        expectRefusal(readBootClaims(alone), 'log_event_unexpected')
        expectRefusal(readBootClaims(proven(parsed([hidden]))), 'log_separator_missing')
      }
    }
  })

  test('is read beside what firmware may tell before it closes PCR 7, if all of it is there', () => {
    const told = [
      { pcr: 7, type: 0x80000007, data: Buffer.from('DMA Protection Disabled') },
      ...hidings(variableEvent(SECURITY, 'db', Buffer.from('certificate'))),
    ]
    const all = [secureBoot(1), ...keys]
    for (const event of told) {
      expect(claimsOf([...all, event, firmwareSeparator]).secureBootEnabled).toBe(true)
    }
    expect(claimsOf([told[0] ?? expect.fail(), firmwareSeparator])).toEqual({})
  })

  test.each([2, 0xff])('of value %i is neither on nor off', (value) => {
    const verified = proven(parsed([secureBoot(value), firmwareSeparator]))
    expectRefusal(readBootClaims(verified), 'log_secure_boot_invalid')
  })

  test('ATTACK: a variable measured by whoever runs after the firmware', () => {
    const verified = proven(parsed([firmwareSeparator, secureBoot(1)]))
    expectRefusal(readBootClaims(verified), 'log_variable_after_separator')
  })

  test('ATTACK: the same, with the separator and the true variable relabelled', () => {
    const authority = 0x800000e0
    const hidden = [secureBoot(0), firmwareSeparator].map((event) => ({
      ...event,
      type: authority,
    }))
    const verified = proven(parsed([...hidden, secureBoot(1), firmwareSeparator]))
    expectRefusal(readBootClaims(verified), 'log_variable_after_separator')
  })

  test('ATTACK: a second value of a variable', () => {
    for (const second of [secureBoot(1), secureBoot(0)]) {
      const verified = proven(parsed([secureBoot(0), second, firmwareSeparator]))
      expectRefusal(readBootClaims(verified), 'log_variable_duplicate')
    }
  })

  test('ATTACK: a log that never closes PCR 7', () => {
    const failure = expectRefusal(
      readBootClaims(proven(parsed([secureBoot(1)]))),
      'log_separator_missing',
    )
    expect(failure).toMatchObject({ pcrs: [7] })
  })

  test('ATTACK: PCR 7 closed twice', () => {
    const verified = proven(parsed([secureBoot(1), firmwareSeparator, firmwareSeparator]))
    expectRefusal(readBootClaims(verified), 'log_separator_duplicate')
  })

  test('a firmware that closes PCR 7 with an error is refused', () => {
    const failed = { ...firmwareSeparator, data: u32(1) }
    expectRefusal(readBootClaims(proven(parsed([secureBoot(1), failed]))), 'log_event_unexpected')
  })

  test('a variable whose data is cut off is refused', () => {
    const { pcr, type, data } = secureBoot(1)
    const cut = { pcr, type, data: data.subarray(0, data.length - 1) }
    expectRefusal(readBootClaims(proven(parsed([cut, firmwareSeparator]))), 'truncated')
  })

  test('a debugger under the firmware is boot debugging', () => {
    const debugMode = { pcr: 7, type: 0x80000007, data: Buffer.from('UEFI Debug Mode') }
    const events = [
      debugMode,
      firmwareSeparator,
      ...windowsLog(sipa(SIPA.bootDebugging, flag(false))),
    ]
    expect(claimsOf(events).bootDebuggingDisabled).toBe(false)
    const relabelled = events.with(0, { ...debugMode, type: 0x0d })
    expect(claimsOf(relabelled).bootDebuggingDisabled).toBe(false)
  })
})
