import { expect, test } from 'vitest'
import { describeEvents } from '../../../src/evidence/event-log/describe.ts'
import { SIPA } from '../../../src/evidence/event-log/sipa-names.ts'
import { parseTcgLog } from '../../../src/evidence/event-log/tcg-log.ts'
import { expectOk } from '../../support/refusal.ts'
import { describeVectors, vector } from '../../support/vectors.ts'
import { ascii, flag, parsed, secureBoot, sipa, tagged, wbcl } from './support.ts'

const describedAs = (event: Parameters<typeof parsed>[0][number]) =>
  describeEvents(parsed([event]))[0]?.description

test('events are told in a few words', () => {
  expect(describeEvents(parsed([secureBoot(1)]))).toEqual([
    {
      sequence: 1,
      pcr: 7,
      typeName: 'EV_EFI_VARIABLE_DRIVER_CONFIG',
      description: 'SecureBoot = 01',
    },
  ])
  const modules = [1, 2].map(() => sipa(SIPA.loadedModuleAggregation, sipa(SIPA.winPe, flag(true))))
  expect(describedAs(tagged(12, sipa(SIPA.winPe, flag(false)), ...modules))).toBe(
    'WINPE=00 2 × LOADEDMODULE_AGGREGATION',
  )
  expect(describedAs(wbcl(12))).toBe('WBCL')
  expect(describedAs({ pcr: 4, type: 0x80000007, data: ascii('Exit Boot') })).toBe('Exit Boot')
  expect(describedAs({ pcr: 4, type: 0x80000003, data: Buffer.alloc(90, 1) })).toBe('90 bytes')
})

test('data that is not what the type says is told by its length', () => {
  expect(describedAs({ pcr: 7, type: 0x80000001, data: Buffer.alloc(20) })).toBe('20 bytes')
  expect(describedAs({ pcr: 12, type: 6, data: Buffer.alloc(11) })).toBe('11 bytes')
})

test('ATTACK: terminal control sequences and endless text do not get through', () => {
  const name = `\u001b[2J${'x'.repeat(500)}`
  const variable = Buffer.concat([
    Buffer.alloc(16),
    Buffer.from(new BigUint64Array([BigInt(name.length), 1n]).buffer),
    Buffer.from(name, 'utf16le'),
    Buffer.from([1]),
  ])
  const description = describedAs({ pcr: 7, type: 0x80000001, data: variable }) ?? ''
  expect(description).toMatch(/^\?\[2Jx+…$/)
  expect(description.length).toBe(160)
})

describeVectors('real logs', () => {
  test('have a description for every event', () => {
    const log = expectOk(parseTcgLog(vector('windows/evidence/latitude-7520.log0.bin')))
    const described = describeEvents(log)
    expect(described).toHaveLength(log.events.length)
    expect(described.every(({ description }) => description.length > 0)).toBe(true)
    expect(described.map(({ description }) => description)).toContain(
      'VSM_IDK_INFO=275 bytes VSM_IDKS_INFO=275 bytes',
    )
  })
})
