import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PARSE_REASONS } from '../../../src/evidence/bytes.ts'
import { EV } from '../../../src/evidence/event-log/event-types.ts'
import { MAX_SIPA_ELEMENTS } from '../../../src/evidence/event-log/limits.ts'
import {
  flagOf,
  numberOf,
  parseSipaElements,
  type SipaElement,
  textOf,
} from '../../../src/evidence/event-log/sipa.ts'
import { SIPA } from '../../../src/evidence/event-log/sipa-names.ts'
import { parseTcgLog } from '../../../src/evidence/event-log/tcg-log.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vector, vectorJson } from '../../support/vectors.ts'
import { bytes, flag, sipa, u32, u64, utf16le } from './support.ts'

const TRUSTBOUNDARY = SIPA.trustBoundary
const event = sipa(
  TRUSTBOUNDARY,
  sipa(SIPA.bootCounter, u64(187)),
  sipa(SIPA.bootDebugging, flag(false)),
  sipa(SIPA.elamAggregation, sipa(SIPA.elamKeyName, utf16le('Windows Defender\0'))),
)

describeVectors('tagged events of real logs', () => {
  const WINDOWS_LOGS = [
    'windows/evidence/latitude-7520.log0.bin',
    'windows/evidence/DESKTOP-MIMU51J-EPP-ESET.log0.bin',
    'windows/logs/windows_event_log',
    'windows/logs/tpm2_windows_lenovo_yogax1v2',
    'eventlog/go-attestation/windows_gcp_shielded_vm.eventlog.bin',
    'eventlog/go-attestation/option_rom_eventlog',
  ]
  const taggedEvents = (path: string) =>
    expectOk(parseTcgLog(vector(path))).events.filter(({ type }) => type === EV.eventTag)

  test.each(WINDOWS_LOGS)('%s: every element has a name and fits', (path) => {
    const leaves = taggedEvents(path).flatMap(({ data }) =>
      leavesOf(expectOk(parseSipaElements(data))),
    )
    expect(leaves.length).toBeGreaterThan(50)
    expect(leaves.filter(({ name }) => name === undefined)).toEqual([])
  })

  test.each(['windows/logs/windows_event_log', 'windows/logs/tpm2_windows_lenovo_yogax1v2'])(
    '%s: the same ids and values as its own project read',
    (path) => {
      const expected: { Sequence: number; Events?: { Type: number; Data?: string }[] }[] =
        vectorJson(`${path}.expected.json`)
      let compared = 0
      for (const { sequence, data } of taggedEvents(path)) {
        const theirs = expected.find(({ Sequence }) => Sequence === sequence)?.Events ?? []
        const ours = leavesOf(expectOk(parseSipaElements(data)))
        expect(ours.map(({ id }) => id)).toEqual(theirs.map(({ Type }) => Type))
        for (const [index, leaf] of ours.entries()) {
          const raw = theirs[index]?.Data
          if (raw === undefined) continue
          expect(Buffer.from(leaf.data).toString('base64')).toBe(raw)
          compared++
        }
      }
      expect(compared).toBeGreaterThan(50)
    },
  )

  test('a real event cut anywhere is refused', () => {
    const data = taggedEvents('windows/evidence/latitude-7520.log0.bin')[2]?.data ?? Buffer.alloc(0)
    for (let length = 0; length < data.length; length++) {
      expectRefusal(parseSipaElements(data.subarray(0, length)), 'truncated')
    }
  })

  test('a real event with any bytes changed is read or refused, never more', () => {
    const data = taggedEvents('windows/evidence/latitude-7520.log0.bin')[4]?.data ?? Buffer.alloc(1)
    const change = fc.tuple(fc.nat(data.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const mutated = Buffer.from(data)
        for (const [offset, value] of changes) mutated[offset] = value
        const result = parseSipaElements(mutated)
        if (!result.ok) expect(PARSE_REASONS).toContain(result.failure.reason)
      }),
      { numRuns: 300 },
    )
  })
})

describe('SIPA elements', () => {
  test('nest where the id says so', () => {
    const [boundary] = expectOk(parseSipaElements(event))
    expect(boundary?.name).toBe('TRUSTBOUNDARY')
    expect(boundary?.children.map(({ name }) => name)).toEqual([
      'BOOTCOUNTER',
      'BOOTDEBUGGING',
      'ELAM_AGGREGATION',
    ])
    expect(numberOf(boundary?.children[0]?.data ?? Buffer.alloc(0))).toBe(187)
    expect(boundary?.children[1] && flagOf(boundary.children[1])).toBe(false)
    const key = boundary?.children[2]?.children[0]
    expect(key && textOf(key.data)).toBe('Windows Defender')
  })

  test('of an unknown id are kept with id and data', () => {
    const [known, unknown] = expectOk(
      parseSipaElements(bytes(sipa(SIPA.winPe, flag(false)), sipa(0x000f_1234, u32(7)))),
    )
    expect(known?.name).toBe('WINPE')
    expect(unknown).toMatchObject({ id: 0x000f_1234, name: undefined, measured: true })
    expect([...(unknown?.data ?? [])]).toEqual([7, 0, 0, 0])
  })

  test('that are not measured are not looked into', () => {
    // As in a real log, whose TrustPoint says it is longer than it is.
    const [element] = expectOk(parseSipaElements(sipa(0xc001_0004, u32(0x8008_0003), u32(9999))))
    expect(element).toMatchObject({ name: 'TRUSTPOINT_AGGREGATION', measured: false, children: [] })
    expect(element?.data).toHaveLength(8)
  })

  test('cut anywhere are refused', () => {
    for (let length = 0; length < event.length; length++) {
      expectRefusal(parseSipaElements(event.subarray(0, length)), 'truncated')
    }
  })

  test('followed by another byte are refused', () => {
    expectRefusal(parseSipaElements(bytes(event, Buffer.from([0]))), 'truncated')
  })

  test.each([
    ['value', sipa(TRUSTBOUNDARY, u32(SIPA.siPolicy), u32(1))],
    ['header', bytes(u32(TRUSTBOUNDARY), u32(4), sipa(SIPA.winPe, flag(true)))],
    ['value of the next', bytes(u32(TRUSTBOUNDARY), u32(8), sipa(SIPA.winPe, flag(true)))],
  ])('whose %s reaches over the end of its container are refused', (_, data) => {
    expectRefusal(parseSipaElements(data), 'truncated')
  })

  test('with a huge length are refused by the length alone', () => {
    expectRefusal(
      parseSipaElements(bytes(u32(SIPA.siPolicy), u32(0xffffffff))),
      'length_over_limit',
    )
  })

  test.each([
    ['a flag of two bytes', sipa(SIPA.bootDebugging, Buffer.from([0, 0]))],
    ['a flag of none', sipa(SIPA.testSigning)],
    ['a flag that is neither 0 nor 1', sipa(SIPA.codeIntegrity, Buffer.from([2]))],
    ['a UINT32 of eight bytes', sipa(SIPA.applicationSvn, u64(1))],
    ['a UINT64 of four bytes', sipa(SIPA.bootCounter, u32(1))],
    ['a UINT64 that is no exact number', sipa(SIPA.bootCounter, u64(2n ** 53n))],
    ['text of half a character', sipa(SIPA.elamKeyName, Buffer.from([65, 0, 66]))],
    ['text that goes on after its NUL', sipa(SIPA.elamKeyName, utf16le('Good\0Evil\0'))],
  ])('%s is refused', (_, element) => {
    expectRefusal(parseSipaElements(sipa(TRUSTBOUNDARY, element)), 'unexpected_value')
  })

  test('nested too deep are refused', () => {
    let bomb = sipa(SIPA.winPe, flag(false))
    for (let depth = 0; depth < 5; depth++) bomb = sipa(TRUSTBOUNDARY, bomb)
    expectOk(parseSipaElements(bomb))
    expectRefusal(parseSipaElements(sipa(TRUSTBOUNDARY, bomb)), 'length_over_limit')

    const depth = 20_000
    const headers = Array.from({ length: depth }, (_, above) =>
      bytes(u32(TRUSTBOUNDARY), u32((depth - above - 1) * 8)),
    )
    expectRefusal(parseSipaElements(Buffer.concat(headers)), 'length_over_limit')
  })

  test('in too great a number are refused', () => {
    const empty = sipa(0x000f_0001)
    const flood = Buffer.concat(Array.from({ length: MAX_SIPA_ELEMENTS + 1 }, () => empty))
    expectRefusal(parseSipaElements(flood), 'length_over_limit')
  })

  test('of arbitrary bytes are read or refused, never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (noise) => {
        const result = parseSipaElements(sipa(TRUSTBOUNDARY, noise))
        if (!result.ok) expect(PARSE_REASONS).toContain(result.failure.reason)
      }),
    )
  })
})

function leavesOf(elements: readonly SipaElement[]): SipaElement[] {
  return elements.flatMap((element) =>
    element.children.length > 0 ? leavesOf(element.children) : [element],
  )
}
