import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EV } from '../../../src/evidence/event-log/event-types.ts'
import { SIPA } from '../../../src/evidence/event-log/sipa-names.ts'
import { parseTcgLog } from '../../../src/evidence/event-log/tcg-log.ts'
import { describeUnread, findMisplacedSigner } from '../../../src/evidence/event-log/unread.ts'
import { expectOk } from '../../support/refusal.ts'
import { describeVectors, vector } from '../../support/vectors.ts'
import {
  claimsOf,
  type EventInput,
  firmwareSeparator,
  flag,
  GLOBAL,
  identityKey,
  parsed,
  SECURITY,
  secureBoot,
  sipa,
  tagged,
  uefiVariable,
  variableEvent,
  wbclAll,
  windowsLog,
} from './support.ts'

const remarks = (...events: readonly EventInput[]) => describeUnread(parsed(events))
const codeIntegrity = sipa(SIPA.codeIntegrity, flag(true))
const testSigning = sipa(SIPA.testSigning, flag(false))
const RULE =
  'not read: a setting counts in PCR 12 or 13 before WBCL, at the top of an event or in a TRUSTBOUNDARY'
const untagged = (pcr: number, ...parts: readonly Uint8Array[]): EventInput => ({
  ...{ pcr, type: EV.eventTag, data: Buffer.concat(parts) },
})

describe('settings that no claim is read from', () => {
  const inModule = sipa(SIPA.loadedModuleAggregation, codeIntegrity, testSigning)

  test.each<[string, readonly EventInput[], string]>([
    [
      'in the description of a module',
      windowsLog(inModule),
      `event 1, PCR 12, inside LOADEDMODULE_AGGREGATION: CODEINTEGRITY, TESTSIGNING ${RULE}`,
    ],
    [
      'in a container that nobody knows',
      windowsLog(sipa(0x4fff0001, codeIntegrity)),
      `event 1, PCR 12, inside 0x4fff0001: CODEINTEGRITY ${RULE}`,
    ],
    [
      'in PCR 14',
      [tagged(14, codeIntegrity), ...wbclAll],
      `event 1, PCR 14: CODEINTEGRITY ${RULE}`,
    ],
    [
      'after the separator',
      [...wbclAll, tagged(12, codeIntegrity)],
      `event 4, PCR 12, after WBCL: CODEINTEGRITY ${RULE}`,
    ],
  ])('%s', (_, events, remark) => {
    expect(claimsOf(events)).toEqual({})
    expect(remarks(...events)).toEqual([remark])
  })

  test('none where they are read, at the top of an event or in a TRUSTBOUNDARY, of either PCR', () => {
    expect(remarks(untagged(12, codeIntegrity), tagged(13, testSigning), ...wbclAll)).toEqual([])
    expect(remarks(tagged(12, codeIntegrity, testSigning, inModule), ...wbclAll)).toEqual([])
  })

  test('what Windows calls informational is no measurement, and not told', () => {
    expect(remarks(...windowsLog(sipa(0x8000_0000 + SIPA.codeIntegrity, flag(true))))).toEqual([])
  })
})

describe('variables of Secure Boot that are not read', () => {
  /** The GUID as its text has it, and not with its first numbers little-endian. */
  const BIG_ENDIAN = '8be4df6193ca11d2aa0d00e098032b8c'

  test('of another vendor: its GUID is told as it was read', () => {
    const events = [variableEvent(BIG_ENDIAN, 'SecureBoot', flag(true)), firmwareSeparator]
    expect(claimsOf(events)).not.toHaveProperty('secureBootEnabled')
    expect(remarks(...events)).toEqual([
      'event 1, PCR 7: the variable SecureBoot of the vendor 61dfe48b-ca93-d211-aa0d-00e098032b8c not read: ' +
        'it counts in PCR 7, of the vendor 8be4df61-93ca-11d2-aa0d-00e098032b8c',
    ])
  })

  test('in another PCR', () => {
    const type = EV.efiVariableDriverConfig
    const events = [{ pcr: 1, type, data: uefiVariable(GLOBAL, 'SecureBoot', flag(true)) }]
    expect(remarks(...events)[0]).toMatch(/^event 1, PCR 1: the variable SecureBoot of/)
  })

  test('none where they are read, nor of names that nobody asks for', () => {
    expect(remarks(secureBoot(1), variableEvent(SECURITY, 'db', flag(true)))).toEqual([])
    expect(remarks(variableEvent(SECURITY, 'Boot0000', flag(true)))).toEqual([])
  })
})

describe('the key of reports, where it is not read', () => {
  const key = sipa(SIPA.vsmIdksInfo, identityKey())

  test.each<[string | undefined, readonly EventInput[]]>([
    [undefined, wbclAll],
    ['one in event 1, PCR 13', [tagged(13, key), ...wbclAll]],
    ['one in event 4, PCR 12, after WBCL', [...wbclAll, tagged(12, key)]],
    ['one in event 1, PCR 12, outside a TRUSTBOUNDARY', [untagged(12, key), ...wbclAll]],
    [
      'one in event 1, PCR 12, inside LOADEDMODULE_AGGREGATION',
      windowsLog(sipa(SIPA.loadedModuleAggregation, key)),
    ],
    [undefined, windowsLog(sipa(SIPA.vsmIdkInfo, identityKey()))],
  ])('%s', (place, events) => {
    expect(findMisplacedSigner(parsed(events))).toBe(place)
  })
})

describeVectors('logs of real Windows machines', () => {
  const folder = join(process.env.VECTORS_DIR ?? '../shared/vectors', 'windows/evidence')

  test('have nothing that would be told', () => {
    const names = readdirSync(folder).filter((name) => name.endsWith('.log0.bin'))
    expect(names.length).toBeGreaterThan(3)
    for (const name of names) {
      const log = expectOk(parseTcgLog(vector(`windows/evidence/${name}`)))
      expect(describeUnread(log), name).toEqual([])
    }
  })
})
