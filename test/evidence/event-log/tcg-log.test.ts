import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PARSE_REASONS } from '../../../src/evidence/bytes.ts'
import { EV } from '../../../src/evidence/event-log/event-types.ts'
import {
  MAX_EVENT_BYTES,
  MAX_LOG_BYTES,
  MAX_LOG_EVENTS,
} from '../../../src/evidence/event-log/limits.ts'
import { NO_PCR, parseTcgLog } from '../../../src/evidence/event-log/tcg-log.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vector, vectorJson } from '../../support/vectors.ts'
import {
  ascii,
  bytes,
  type EventInput,
  encodeLog,
  encodeSha1Event,
  parsed,
  specId,
  u16,
  u32,
} from './support.ts'

const SHA256 = [0x0b, 32] as const
const action = (pcr: number, text: string) => ({ pcr, type: EV.action, data: ascii(text) })
const locality = (value: number, pcr = 0) => ({
  pcr,
  type: EV.noAction,
  data: bytes(ascii('StartupLocality\0'), Buffer.from([value])),
})
const header = (data: Uint8Array) => encodeSha1Event({ pcr: 0, type: EV.noAction, data })
/** A crypto-agile event by hand, for the wrong ones. */
const agile = (pcr: number, digests: readonly Uint8Array[], data = ascii('x')) =>
  bytes(u32(pcr), u32(EV.action), u32(digests.length), ...digests, u32(data.length), data)
const sha256Digest = bytes(u16(0x0b), Buffer.alloc(32))
const sha1Digest = bytes(u16(0x04), Buffer.alloc(20))

describeVectors('boot logs of real machines', () => {
  const LOGS = [
    ['eventlog/go-attestation/option_rom_eventlog', 'sha1', ['sha1'], 61],
    ['eventlog/go-attestation/sb_cert_eventlog', 'crypto-agile', ['sha1', 'sha256', 'sha384'], 14],
    ['eventlog/go-attestation/windows_gcp_shielded_vm.eventlog.bin', 'sha1', ['sha1'], 21],
    ['eventlog/go-tpm-tools/arch-linux-workstation.bin', 'crypto-agile', ['sha1', 'sha256'], 24],
    ['eventlog/go-tpm-tools/cos-85-amd-sev.bin', 'crypto-agile', ['sha1', 'sha256', 'sha384'], 45],
    ['eventlog/go-tpm-tools/debian-10.bin', 'sha1', ['sha1'], 25],
    ['eventlog/go-tpm-tools/rhel8-uefi.bin', 'crypto-agile', ['sha1', 'sha256', 'sha384'], 82],
    [
      'eventlog/go-tpm-tools/ubuntu-2104-no-dbx.bin',
      'crypto-agile',
      ['sha1', 'sha256', 'sha384'],
      111,
    ],
    ['windows/evidence/latitude-7520.log0.bin', 'crypto-agile', ['sha256'], 65],
    ['windows/evidence/DESKTOP-MIMU51J-EPP-ESET.log0.bin', 'crypto-agile', ['sha256'], 61],
    ['windows/evidence/good-1.log0.bin', 'crypto-agile', ['sha1', 'sha256'], 52],
    ['windows/evidence/failed-1.log0.bin', 'crypto-agile', ['sha1', 'sha256'], 52],
    ['windows/logs/windows_event_log', 'sha1', ['sha1'], 35],
    ['windows/logs/tpm2_windows_lenovo_yogax1v2', 'crypto-agile', ['sha1', 'sha256'], 53],
  ] as const

  test.each(LOGS)('%s is read as what it is', (path, format, algorithms, events) => {
    const log = expectOk(parseTcgLog(vector(path)))
    expect(log.format).toBe(format)
    expect(log.algorithms).toEqual(algorithms)
    expect(log.events).toHaveLength(events)
  })

  test('a log of one StartupLocality and nothing else is read', () => {
    const raw = vector('eventlog/go-attestation/short_no_action_eventlog')
    const log = expectOk(parseTcgLog(raw))
    expect(raw).toHaveLength(49)
    expect(log).toMatchObject({ format: 'sha1', startupLocality: 3 })
    expect(log.events).toHaveLength(1)
  })

  test('the log that ends early holds whole events: it was taken before the firmware was done', () => {
    const { events } = expectOk(parseTcgLog(vector('eventlog/go-attestation/sb_cert_eventlog')))
    const separators = events.filter(({ type }) => type === EV.separator)
    expect(separators.map(({ pcr }) => pcr)).toEqual([7])
    expect(events.at(-1)).toMatchObject({ pcr: 7, typeName: 'EV_EFI_VARIABLE_AUTHORITY' })
  })

  test('an event that the end of the log cuts off is refused', () => {
    const raw = vector('eventlog/go-attestation/sb_cert_eventlog')
    expectRefusal(parseTcgLog(raw.subarray(0, raw.length - 1)), 'truncated')
  })

  test.each(['windows/logs/windows_event_log', 'windows/logs/tpm2_windows_lenovo_yogax1v2'])(
    '%s is read event by event as its own project read it',
    (path) => {
      const log = expectOk(parseTcgLog(vector(path)))
      const expected: { Sequence: number; Index: number; Type: number; Data: string }[] =
        vectorJson(`${path}.expected.json`)
      expect(
        log.events.map(({ sequence, pcr, type, data }) => ({
          Sequence: sequence,
          Index: pcr,
          Type: type,
          Data: Buffer.from(data).toString('base64'),
        })),
      ).toEqual(
        expected.map(({ Sequence, Index, Type, Data }) => ({ Sequence, Index, Type, Data })),
      )
    },
  )

  test.each([
    'eventlog/go-attestation/short_no_action_eventlog',
    'eventlog/go-tpm-tools/arch-linux-workstation.bin',
    'windows/logs/windows_event_log',
  ])('%s cut anywhere is refused, except between two events', (path) => {
    const raw = vector(path)
    const whole = expectOk(parseTcgLog(raw))
    const ends = whole.events.map(({ offset, data }) => offset + data.length)
    let accepted = 0
    for (let length = 0; length < raw.length; length++) {
      const result = parseTcgLog(raw.subarray(0, length))
      const end = ends.findLast((one) => one <= length)
      if (result.ok) accepted++
      // What is too short for an event, or all zeros, is no beginning of one.
      else if (end === undefined || result.failure.reason === 'truncated') {
        if (result.failure.reason !== 'trailing_bytes') expectRefusal(result, 'truncated')
      } else {
        const failure = expectRefusal(result, 'trailing_bytes')
        const event = whole.events[ends.indexOf(end)]?.sequence
        expect(failure).toMatchObject({ offset: end, event })
      }
    }
    expect(accepted).toBe(whole.events.length - (whole.format === 'sha1' ? 1 : 0))
  })

  test('cut off within its last event is truncated, however little of that event is left', () => {
    const raw = vector('windows/logs/windows_event_log')
    const whole = parseTcgLog(raw)
    if (!whole.ok) expect.fail('it is a log')
    const last = whole.value.events.length - 1
    const lengths = new Set<number>()
    for (let length = raw.length - 1; lengths.size < 200 && length > 0; length--) {
      const read = parseTcgLog(raw.subarray(0, length))
      if (read.ok) break
      const { reason, event, expected } = read.failure
      if (reason !== 'truncated') continue
      lengths.add(length)
      expect(event).toBe(last)
      expect(expected).toMatch(/its end is missing/)
    }
    expect(lengths.size).toBeGreaterThan(20)
  })

  test('one byte after the last event is refused', () => {
    const raw = vector('windows/logs/windows_event_log')
    const last = expectOk(parseTcgLog(raw)).events.at(-1)
    const place = { event: last?.sequence, offset: raw.length, structure: 'TCG_EVENT_LOG' }
    const failure = expectRefusal(parseTcgLog(bytes(raw, Buffer.from([0]))), 'trailing_bytes')
    expect(failure).toMatchObject(place)
  })

  test.each([0x00, 0xff])('a buffer that was filled up with byte %i is refused as such', (byte) => {
    const raw = vector('eventlog/go-tpm-tools/arch-linux-workstation.bin')
    const padded = bytes(raw, Buffer.alloc(4096, byte))
    const failure = expectRefusal(parseTcgLog(padded), 'trailing_bytes')
    expect(failure.offset).toBe(raw.length)
  })

  test('an event that is damaged is named by its number, and the fault by its offset', () => {
    const raw = vector('eventlog/go-tpm-tools/arch-linux-workstation.bin')
    const event = expectOk(parseTcgLog(raw)).events.find(({ sequence }) => sequence === 21)
    const changed = Buffer.from(raw)
    const offset = (event?.offset ?? 0) - 4
    changed.writeUInt32LE(0x7fff_ffff, offset)
    const failure = expectRefusal(parseTcgLog(changed), 'length_over_limit')
    expect(failure).toMatchObject({ event: 21, field: 'event', offset })
  })

  test('real logs with any bytes changed are read or refused, never more', () => {
    const raw = vector('eventlog/go-tpm-tools/arch-linux-workstation.bin')
    const change = fc.tuple(fc.nat(raw.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const mutated = Buffer.from(raw)
        for (const [offset, value] of changes) mutated[offset] = value
        const result = parseTcgLog(mutated)
        if (!result.ok) expect(PARSE_REASONS).toContain(result.failure.reason)
      }),
      { numRuns: 300 },
    )
  })
})

describe('the crypto-agile format', () => {
  test('carries several banks', () => {
    const log = parsed([action(4, 'one'), action(5, 'two')], ['sha1', 'sha256', 'sha512'])
    expect(log).toMatchObject({ format: 'crypto-agile', startupLocality: 0 })
    expect(log.algorithms).toEqual(['sha1', 'sha256', 'sha512'])
    expect(log.events.map(({ sequence, pcr }) => [sequence, pcr])).toEqual([
      [1, 4],
      [2, 5],
    ])
    expect([...(log.events[0]?.digests.keys() ?? [])]).toEqual(['sha1', 'sha256', 'sha512'])
  })

  test('digests of an unknown algorithm are skipped by the size that the header declares', () => {
    const sm3 = bytes(u16(0x12), Buffer.alloc(32, 0xaa))
    const raw = bytes(header(specId([[0x12, 32], SHA256])), agile(0, [sm3, sha256Digest]))
    const log = expectOk(parseTcgLog(raw))
    expect(log.algorithms).toEqual(['sha256'])
    expect([...(log.events[0]?.digests.keys() ?? [])]).toEqual(['sha256'])
  })

  test('an event may have fewer digests than declared, as those of Windows have', () => {
    const raw = bytes(header(specId([[0x04, 20], SHA256])), agile(12, [sha256Digest]))
    expect(expectOk(parseTcgLog(raw)).events[0]?.digests.size).toBe(1)
  })

  test('vendor information in the header is passed over', () => {
    const raw = bytes(header(specId([SHA256], ascii('vendor'))), agile(0, [sha256Digest]))
    expect(expectOk(parseTcgLog(raw)).events).toHaveLength(1)
  })

  test.each([
    ['an algorithm that the header does not declare', agile(0, [sha1Digest])],
    ['two digests of one algorithm', agile(0, [sha256Digest, sha256Digest])],
    ['no digest at all', agile(0, [])],
    ['a PCR that no TPM has', agile(24, [sha256Digest])],
  ])('%s is refused', (_, event) => {
    const declared = specId([SHA256, [0x0c, 48]])
    expectRefusal(parseTcgLog(bytes(header(declared), event)), 'unexpected_value')
  })

  test('more digests than algorithms are refused by their number', () => {
    const raw = bytes(header(specId([SHA256])), u32(0), u32(1), u32(0xffffffff))
    expectRefusal(parseTcgLog(raw), 'length_over_limit')
  })

  test.each([
    ['no algorithm', specId([])],
    ['one algorithm twice', specId([SHA256, SHA256])],
    ['a known algorithm with another size', specId([[0x0b, 20]])],
    ['an unknown algorithm of no size', specId([[0x12, 0]])],
    ['an unknown version', bytes(ascii('Spec ID Event04\0'), specId([SHA256]).subarray(16))],
  ])('a header with %s is refused', (_, data) => {
    expectRefusal(parseTcgLog(header(data)), 'unexpected_value')
  })

  test.each([
    [
      'too many algorithms',
      specId(Array.from({ length: 9 }, (_, id) => [0x100 + id, 32] as const)),
    ],
    ['an unknown algorithm of a huge size', specId([[0x12, 0xffff]])],
  ])('a header with %s is refused', (_, data) => {
    expectRefusal(parseTcgLog(header(data)), 'length_over_limit')
  })

  test('a header with bytes after its end is refused', () => {
    expectRefusal(parseTcgLog(header(bytes(specId([SHA256]), ascii('!')))), 'trailing_bytes')
  })

  test('a header cut anywhere is refused', () => {
    const data = specId([SHA256], ascii('vendor'))
    for (let length = 16; length < data.length; length++) {
      expectRefusal(parseTcgLog(header(data.subarray(0, length))), 'truncated')
    }
  })

  test('a header of the older specification keeps the SHA-1 format', () => {
    const old = { pcr: 0, type: EV.noAction, data: ascii('Spec ID Event00\0 whatever') }
    const log = parsed([old, action(0, 'one')], 'sha1-format')
    expect(log).toMatchObject({ format: 'sha1', algorithms: ['sha1'] })
    expect(log.events).toHaveLength(2)
  })
})

describe('StartupLocality', () => {
  test.each([0, 3, 4])('locality %i is read in both formats', (value) => {
    for (const banks of [['sha256'] as const, 'sha1-format' as const]) {
      const log = parsed([locality(value), action(0, 'crtm')], banks)
      expect(log.startupLocality).toBe(value)
    }
  })

  test('of 4 is implied by an H-CRTM event that is the first of PCR 0', () => {
    const hcrtm = { pcr: 0, type: EV.efiHcrtmEvent, data: ascii('HCRTM\0') }
    for (const banks of [['sha256'] as const, 'sha1-format' as const]) {
      const start = (...events: readonly EventInput[]) => parsed(events, banks).startupLocality
      expect(start(hcrtm, action(0, 'crtm'))).toBe(4)
      expect(start(action(7, 'elsewhere'), hcrtm, hcrtm)).toBe(4)
      expect(start(locality(3), hcrtm)).toBe(3)
      expect(start(action(0, 'crtm'), hcrtm)).toBe(0)
      expect(start(action(0, 'crtm'), { ...hcrtm, pcr: 1 })).toBe(0)
    }
  })

  test.each([
    ['of no such locality', [locality(1)]],
    ['in another PCR', [locality(3, 1)]],
    ['twice', [locality(3), locality(3)]],
    ['after PCR 0 was extended', [action(0, 'crtm'), locality(3)]],
    ['without a number', [{ ...locality(3), data: ascii('StartupLocality\0') }]],
    ['with more than a number', [{ ...locality(3), data: ascii('StartupLocality\0\x03\x03') }]],
  ])('%s is refused', (_, events) => {
    expectRefusal(parseTcgLog(encodeLog(events)), 'unexpected_value')
  })
})

describe('hostile logs', () => {
  test('no bytes are no log', () => {
    expectRefusal(parseTcgLog(new Uint8Array(0)), 'truncated')
  })

  test('only an event that extends nothing may stand outside the PCRs', () => {
    const trustPoint = { pcr: NO_PCR, type: EV.noAction, data: ascii('informational') }
    expect(parsed([action(0, 'one'), trustPoint], 'sha1-format').events).toHaveLength(2)
    const measured = { ...trustPoint, type: EV.eventTag }
    expectRefusal(parseTcgLog(encodeLog([measured], 'sha1-format')), 'unexpected_value')
    expectRefusal(parseTcgLog(encodeLog([action(24, 'x')], 'sha1-format')), 'unexpected_value')
  })

  test('a huge event is refused by its length alone', () => {
    for (const size of [MAX_EVENT_BYTES + 1, 0xffffffff]) {
      const raw = bytes(u32(0), u32(EV.action), Buffer.alloc(20), u32(size))
      expectRefusal(parseTcgLog(raw), 'length_over_limit')
    }
  })

  test('a huge log is refused by its length alone', () => {
    expectRefusal(parseTcgLog(new Uint8Array(MAX_LOG_BYTES + 1)), 'length_over_limit')
  })

  test('too many events are refused', () => {
    const event = encodeSha1Event({ pcr: 0, type: EV.action, data: new Uint8Array(0) })
    const flood = Buffer.concat(Array.from({ length: MAX_LOG_EVENTS + 1 }, () => event))
    expectRefusal(parseTcgLog(flood), 'length_over_limit')
    expectOk(parseTcgLog(flood.subarray(event.length)))
  })

  test('arbitrary bytes are read or refused, never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (noise, behindHeader) => {
        const result = parseTcgLog(behindHeader ? bytes(header(specId([SHA256])), noise) : noise)
        if (!result.ok) expect(PARSE_REASONS).toContain(result.failure.reason)
      }),
    )
  })
})
