import { describe, expect, test } from 'vitest'
import { comparisonsOf } from '../../../src/base/comparison.ts'
import { DIGEST_BYTES, digest, type HashAlgorithm } from '../../../src/base/digest.ts'
import { toHex } from '../../../src/base/encoding.ts'
import { readBootClaims } from '../../../src/evidence/event-log/claims.ts'
import { EV } from '../../../src/evidence/event-log/event-types.ts'
import { initialPcr, replayLog, verifyReplay } from '../../../src/evidence/event-log/replay.ts'
import { parseTcgLog } from '../../../src/evidence/event-log/tcg-log.ts'
import type { PcrBank } from '../../../src/evidence/tpm/pcr.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  caseFile,
  describeCases,
  describeVectors,
  vector,
  vectorJson,
} from '../../support/vectors.ts'
import { ascii, bankOf, bytes, encodeLog, machine, parsed, proven } from './support.ts'

const action = (pcr: number, text: string) => ({ pcr, type: EV.action, data: ascii(text) })

function only(bank: PcrBank, wanted: (pcr: number) => boolean): PcrBank {
  return { ...bank, values: new Map([...bank.values].filter(([pcr]) => wanted(pcr))) }
}

describeCases('replay of logs that other programs publish with their PCR values', () => {
  test('a machine with an H-CRTM event and no StartupLocality: tpm2-tss, PCR 0 as it was read', () => {
    const bytes = caseFile('12-hcrtm-without-locality/data/firmware-hcrtm.bin')
    const log = expectOk(parseTcgLog(bytes))
    expect(log.startupLocality).toBe(4)
    const read = (hex: string) => bankOf('sha1', { 0: hex }, 'hex')
    const pcrs = read('15f4e6ca457d1af6bc49511a93ba3500ad69acc5')
    expect(expectOk(verifyReplay({ log, pcrs })).provenPcrs).toEqual(new Set([0]))
    for (const startupLocality of [0, 3]) {
      const forged = { ...log, startupLocality }
      expectRefusal(verifyReplay({ log: forged, pcrs }), 'log_pcr_mismatch')
    }
  })

  test.each([
    'event-bootorder',
    'event-moklisttrusted',
    'event-postcode',
    'event-sd-boot-fedora37',
    'event-uefi-sha1-log',
  ])('%s: every bank as tpm2_eventlog of tpm2-tools has it', (name) => {
    const folder = '13-tpm2-tools-logs/data'
    const log = expectOk(parseTcgLog(caseFile(`${folder}/${name}.bin`)))
    const banks: Readonly<Record<string, Record<string, string>>> = JSON.parse(
      Buffer.from(caseFile(`${folder}/${name}.pcrs.json`)).toString('utf8'),
    )
    let compared = 0
    for (const bank of log.algorithms) {
      const values = banks[bank]
      if (values === undefined) continue
      compared += Object.keys(values).length
      const verified = expectOk(verifyReplay({ log, pcrs: bankOf(bank, values, 'hex') }))
      const claims = readBootClaims(verified)
      // Two of these machines measured an empty SecureBoot: nothing else of any of them is amiss.
      if (!claims.ok) expectRefusal(claims, 'log_secure_boot_invalid')
    }
    expect(compared).toBeGreaterThan(0)
  })
})

describeVectors('replay of real logs against the PCRs of their machines', () => {
  test.each(['latitude-7520', 'DESKTOP-MIMU51J-EPP-ESET', 'good-1'])(
    '%s replays to every PCR that was quoted',
    (name) => {
      const { log, pcrs } = machine(name)
      const verified = expectOk(verifyReplay({ log, pcrs }))
      expect([...verified.provenPcrs]).toEqual([...pcrs.values.keys()])
    },
  )

  test('failed-1 does not replay, and PCR 0 is named', () => {
    const failure = expectRefusal(verifyReplay(machine('failed-1')), 'log_pcr_mismatch')
    expect(failure).toMatchObject({ pcrs: [0] })
  })

  test('failed-1 replays to every PCR but 0', () => {
    const { log, pcrs } = machine('failed-1')
    expectOk(verifyReplay({ log, pcrs: only(pcrs, (pcr) => pcr !== 0) }))
  })

  test.each(['windows_gcp_shielded_vm', 'linux_tpm12'])('%s replays in SHA-1', (name) => {
    const { Log } = vectorJson(`eventlog/go-attestation/${name}.json`)
    const log = expectOk(parseTcgLog(Buffer.from(Log.Raw, 'base64')))
    const values: [number, Uint8Array][] = Log.PCRs.map(
      ({ Index, Digest }: { Index: number; Digest: string }) => [
        Index,
        Buffer.from(Digest, 'base64'),
      ],
    )
    const pcrs: PcrBank = { algorithm: 'sha1', values: new Map(values) }
    if (name === 'linux_tpm12') {
      // Linux measures files into PCR 10 (IMA), which no boot log tells.
      const failure = expectRefusal(verifyReplay({ log, pcrs }), 'log_pcr_mismatch')
      expect(failure).toMatchObject({ pcrs: [10] })
    }
    const verified = expectOk(verifyReplay({ log, pcrs: only(pcrs, (pcr) => pcr !== 10) }))
    expect(verified.provenPcrs.size).toBe(23)
  })

  test('the log beside the Windows VM is the one inside its evidence', () => {
    const { Log } = vectorJson('eventlog/go-attestation/windows_gcp_shielded_vm.json')
    const beside = vector('eventlog/go-attestation/windows_gcp_shielded_vm.eventlog.bin')
    expect(Buffer.from(Log.Raw, 'base64').equals(beside)).toBe(true)
  })

  test('option_rom_eventlog replays to PCR 0 to 7', () => {
    const log = expectOk(parseTcgLog(vector('eventlog/go-attestation/option_rom_eventlog')))
    const { sha1 } = vectorJson('eventlog/go-attestation/option_rom_eventlog.pcrs.json')
    const verified = expectOk(verifyReplay({ log, pcrs: bankOf('sha1', sha1, 'hex') }))
    expect([...verified.provenPcrs]).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('the logs of go-tpm-tools replay in every bank', () => {
    const { logs } = vectorJson('eventlog/go-tpm-tools/pcrs.json')
    let banks = 0
    for (const [name, values] of Object.entries<Record<string, Record<string, string>>>(logs)) {
      const log = expectOk(parseTcgLog(vector(`eventlog/go-tpm-tools/${name}`)))
      for (const [bank, pcrs] of Object.entries(values)) {
        const expected = bankOf(bank as HashAlgorithm, pcrs, 'hex')
        expectOk(verifyReplay({ log, pcrs: expected }))
        banks++
      }
    }
    expect(banks).toBe(9)
  })

  test('the log inside the attestation of a Google VM replays in all three banks', () => {
    const attestation = fields(vector('tpm-quote/go-tpm-tools/gce-cos-85-nonce9009.pb'))
    const log = expectOk(parseTcgLog(attestation.get(3)?.[0] ?? new Uint8Array(0)))
    const banks = (attestation.get(2) ?? []).map((quote) => pcrsOf(fields(quote).get(3)?.[0]))
    expect(banks.map(({ algorithm }) => algorithm)).toEqual(['sha1', 'sha256', 'sha384'])
    for (const pcrs of banks) {
      expect(pcrs.values.size).toBe(24)
      // PCR 10 again is IMA.
      expectOk(verifyReplay({ log, pcrs: only(pcrs, (pcr) => pcr !== 10) }))
    }
  })

  test("a bank that is left out from Windows' boot manager on is refused for the PCRs it touches", () => {
    const log = expectOk(parseTcgLog(vector('windows/logs/tpm2_windows_lenovo_yogax1v2')))
    expect(log.algorithms).toContain('sha1')
    const replayed = replayLog(log, 'sha1')
    expect([...replayed.values.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 6, 7])
    expectOk(verifyReplay({ log, pcrs: replayed }))
    const withUnextended = new Map([...replayed.values, [12, Buffer.alloc(20)] as const])
    const pcrs: PcrBank = { algorithm: 'sha1', values: withUnextended }
    const failure = expectRefusal(verifyReplay({ log, pcrs }), 'log_bank_missing')
    expect(failure).toMatchObject({ pcrs: [12], bank: 'sha1' })
  })

  test('a forged startup locality does not replay', () => {
    const { log, pcrs } = machine('latitude-7520')
    expect(log.startupLocality).toBe(3)
    for (const startupLocality of [0, 4]) {
      const forged = { ...log, startupLocality }
      const failure = expectRefusal(verifyReplay({ log: forged, pcrs }), 'log_pcr_mismatch')
      expect(failure).toMatchObject({ pcrs: [0] })
    }
  })

  test('any single event taken out, repeated, moved or relabelled as extending nothing is noticed', () => {
    const { log, pcrs } = machine('DESKTOP-MIMU51J-EPP-ESET')
    for (const [index, event] of log.events.entries()) {
      if (event.type === EV.noAction) continue
      const others = log.events.filter((other) => other !== event)
      const edits = [
        others,
        [...log.events, event],
        log.events.with(index, { ...event, pcr: (event.pcr + 1) % 24 }),
        log.events.with(index, { ...event, type: EV.noAction }),
      ]
      for (const events of edits) {
        expectRefusal(verifyReplay({ log: { ...log, events }, pcrs }), 'log_pcr_mismatch')
      }
    }
  })
})

describe('replay', () => {
  const log = parsed([action(0, 'a'), action(0, 'b'), action(5, 'c')], ['sha256', 'sha384'])

  test('extends each PCR with the digests in order', () => {
    for (const bank of ['sha256', 'sha384'] as const) {
      const zero = Buffer.alloc(DIGEST_BYTES[bank])
      const one = digest(bank, zero, digest(bank, ascii('a')))
      const two = digest(bank, one, digest(bank, ascii('b')))
      const { values } = replayLog(log, bank)
      expect([...values.keys()]).toEqual([0, 5])
      expect(Buffer.from(values.get(0) ?? []).equals(two)).toBe(true)
    }
  })

  test('PCR 0 starts at the locality that the log tells', () => {
    const started = { pcr: 0, type: EV.noAction, data: ascii('StartupLocality\0\x04') }
    const { values } = replayLog(parsed([started, action(0, 'a')]), 'sha256')
    const start = Buffer.alloc(32)
    start[31] = 4
    const expected = digest('sha256', start, digest('sha256', ascii('a')))
    expect(Buffer.from(values.get(0) ?? []).equals(expected)).toBe(true)
  })

  test('events that extend nothing change nothing', () => {
    const note = { pcr: 0, type: EV.noAction, data: ascii('a note') }
    const noted = parsed([note, action(0, 'a'), note])
    const plain = parsed([action(0, 'a')])
    expect(replayLog(noted, 'sha256')).toEqual(replayLog(plain, 'sha256'))
  })

  test('a PCR that the log does not extend must be as after a reset', () => {
    const { values } = replayLog(log, 'sha256')
    const zeros = Buffer.alloc(32)
    const ones = Buffer.alloc(32, 0xff)
    const pcrs = (pcr: number, value: Uint8Array): PcrBank => ({
      algorithm: 'sha256',
      values: new Map([...values, [pcr, value]]),
    })
    for (const pcr of [1, 16, 23]) {
      expectOk(verifyReplay({ log, pcrs: pcrs(pcr, zeros) }))
      expectRefusal(verifyReplay({ log, pcrs: pcrs(pcr, ones) }), 'log_pcr_mismatch')
    }
    for (const pcr of [17, 20, 22]) {
      expectOk(verifyReplay({ log, pcrs: pcrs(pcr, ones) }))
      expectRefusal(verifyReplay({ log, pcrs: pcrs(pcr, zeros) }), 'log_pcr_mismatch')
    }
  })

  test('all PCRs that differ are named, in order', () => {
    const pcrs: PcrBank = {
      algorithm: 'sha256',
      values: new Map([5, 3, 0, 1].map((pcr) => [pcr, Buffer.alloc(32, pcr === 1 ? 0 : 7)])),
    }
    const failure = expectRefusal(verifyReplay({ log, pcrs }), 'log_pcr_mismatch')
    expect(failure).toMatchObject({ pcrs: [0, 3, 5] })
    const compared = comparisonsOf(failure)
    expect(compared.map(({ what }) => what)).toEqual([0, 3, 5].map((pcr) => `sha256 PCR ${pcr}`))
    const replayed = replayLog(log, 'sha256').values.get(3) ?? initialPcr(log, 'sha256', 3)
    expect(compared[1]).toMatchObject({ expected: '07'.repeat(32), found: toHex(replayed) })
  })

  test('a value of the wrong width is a mismatch', () => {
    const pcrs: PcrBank = { algorithm: 'sha256', values: new Map([[1, Buffer.alloc(20)]]) }
    expectRefusal(verifyReplay({ log, pcrs }), 'log_pcr_mismatch')
  })

  test('a bank that the log does not have proves nothing', () => {
    const pcrs: PcrBank = { algorithm: 'sha1', values: new Map([[1, Buffer.alloc(20)]]) }
    const failure = expectRefusal(verifyReplay({ log, pcrs }), 'log_bank_missing')
    expect(failure).toMatchObject({ bank: 'sha1' })
  })

  test('a digest left out to hide an event is not passed over', () => {
    const [hidden, shown] = [action(12, 'debugging on'), action(12, 'debugging off')]
    const sha1Only = {
      ...hidden,
      digests: new Map([['sha1' as const, digest('sha1', hidden.data)]]),
    }
    const pcrs = replayLog(parsed([shown], ['sha1', 'sha256']), 'sha256')
    const forged = expectOk(parseTcgLog(encodeLog([sha1Only, shown], ['sha1', 'sha256'])))
    const failure = expectRefusal(verifyReplay({ log: forged, pcrs }), 'log_bank_missing')
    expect(failure).toMatchObject({ pcrs: [12] })
  })

  test('only the PCRs that were supplied are proven', () => {
    const pcrs = only(replayLog(log, 'sha256'), (pcr) => pcr === 5)
    expect([...expectOk(verifyReplay({ log, pcrs })).provenPcrs]).toEqual([5])
    expect(proven(log).provenPcrs.size).toBe(16)
  })
})

// The fields of a protobuf message that are bytes, and of those that are numbers the encoding.
function fields(message: Uint8Array): Map<number, Uint8Array[]> {
  const found = new Map<number, Uint8Array[]>()
  let offset = 0
  const number = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message[offset++] ?? 0
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (offset < message.length) {
    const tag = number()
    const length = (tag & 7) === 2 ? number() : 0
    const value =
      length > 0
        ? message.subarray(offset, offset + length)
        : bytes(Buffer.of(tag & 7 ? 0 : number()))
    offset += length
    found.set(tag >>> 3, [...(found.get(tag >>> 3) ?? []), value])
  }
  return found
}

function pcrsOf(message: Uint8Array = new Uint8Array(0)): PcrBank {
  const bank = fields(message)
  const algorithms: Record<number, HashAlgorithm> = { 4: 'sha1', 11: 'sha256', 12: 'sha384' }
  const values = (bank.get(2) ?? []).map((entry) => {
    const pair = fields(entry)
    return [pair.get(1)?.[0]?.[0] ?? 0, pair.get(2)?.[0] ?? Buffer.alloc(0)] as const
  })
  return { algorithm: algorithms[bank.get(1)?.[0]?.[0] ?? 0] ?? 'sha512', values: new Map(values) }
}
