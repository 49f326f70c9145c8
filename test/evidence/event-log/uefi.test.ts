import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PARSE_REASONS } from '../../../src/evidence/bytes.ts'
import { EV } from '../../../src/evidence/event-log/event-types.ts'
import { parseTcgLog } from '../../../src/evidence/event-log/tcg-log.ts'
import { parseUefiVariable, UEFI_GLOBAL_VARIABLE } from '../../../src/evidence/event-log/uefi.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vector, vectorJson } from '../../support/vectors.ts'
import { bytes, GLOBAL, SECURITY, u64, uefiVariable, utf16le } from './support.ts'

const variable = uefiVariable(GLOBAL, 'SecureBoot', Buffer.from([1]))
const vendor = Buffer.from(GLOBAL, 'hex')

describeVectors('variables of real firmware', () => {
  test.each(['windows/logs/windows_event_log', 'windows/logs/tpm2_windows_lenovo_yogax1v2'])(
    '%s: names and values as its own project read them',
    (path) => {
      const { events } = expectOk(parseTcgLog(vector(path)))
      const expected: { Sequence: number; VariableName?: string; VariableData?: string }[] =
        vectorJson(`${path}.expected.json`)
      const named = expected.filter(({ VariableName }) => VariableName !== undefined)
      expect(named.length).toBeGreaterThan(5)
      for (const { Sequence, VariableName, VariableData } of named) {
        const event = events.find(({ sequence }) => sequence === Sequence)
        const { name, data } = expectOk(parseUefiVariable(event?.data ?? new Uint8Array(0)))
        expect(name).toBe(VariableName)
        expect(Buffer.from(data).toString('base64')).toBe(VariableData)
      }
    },
  )

  test('every Secure Boot variable of every real log fills its event exactly', () => {
    for (const path of [
      'windows/evidence/latitude-7520.log0.bin',
      'eventlog/go-attestation/option_rom_eventlog',
      'eventlog/go-tpm-tools/ubuntu-2104-no-dbx.bin',
    ]) {
      const { events } = expectOk(parseTcgLog(vector(path)))
      const variables = events.filter(
        ({ pcr, type }) => pcr === 7 && type === EV.efiVariableDriverConfig,
      )
      const names = variables.map(({ data }) => expectOk(parseUefiVariable(data)).name)
      expect(names).toEqual(['SecureBoot', 'PK', 'KEK', 'db', 'dbx'])
    }
  })
})

describe('UEFI_VARIABLE_DATA', () => {
  test('holds vendor, name and value', () => {
    const { vendor, name, data } = expectOk(parseUefiVariable(variable))
    expect({ vendor, name }).toEqual({ vendor: UEFI_GLOBAL_VARIABLE, name: 'SecureBoot' })
    expect([...data]).toEqual([1])
    const db = expectOk(parseUefiVariable(uefiVariable(SECURITY, 'db', Buffer.alloc(3))))
    expect(db.vendor).toBe('d719b2cb-3d3a-4596-a3bc-dad00e67656f')
  })

  test('may be empty', () => {
    expect(expectOk(parseUefiVariable(uefiVariable(GLOBAL, '', Buffer.alloc(0)))).name).toBe('')
  })

  test('cut anywhere is refused', () => {
    for (let length = 0; length < variable.length; length++) {
      expectRefusal(parseUefiVariable(variable.subarray(0, length)), 'truncated')
    }
  })

  test('with a byte after its end is refused', () => {
    expectRefusal(parseUefiVariable(bytes(variable, Buffer.from([0]))), 'trailing_bytes')
  })

  test.each([
    ['name', bytes(vendor, u64(0xffff_ffff_ffff_ffffn), u64(1))],
    ['value', bytes(vendor, u64(1), u64(0x8000_0000_0000_0000n), utf16le('a'))],
  ])('with an overlong %s is refused by the length alone', (_, raw) => {
    expectRefusal(parseUefiVariable(raw), 'length_over_limit')
  })

  test('with a name that is not UTF-16 is refused', () => {
    const half = bytes(vendor, u64(1), u64(0), Buffer.from([0x00, 0xd8]))
    expectRefusal(parseUefiVariable(half), 'unexpected_value')
  })

  test('of arbitrary bytes is read or refused, never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
        const result = parseUefiVariable(noise)
        if (!result.ok) expect(PARSE_REASONS).toContain(result.failure.reason)
      }),
    )
  })
})
