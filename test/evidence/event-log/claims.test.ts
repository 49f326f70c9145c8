import { describe, expect, test } from 'vitest'
import { readBootClaims } from '../../../src/evidence/event-log/claims.ts'
import { EV } from '../../../src/evidence/event-log/event-types.ts'
import {
  replayLog,
  type VerifiedLog,
  verifyReplay,
} from '../../../src/evidence/event-log/replay.ts'
import { SIPA } from '../../../src/evidence/event-log/sipa-names.ts'
import { parseTcgLog } from '../../../src/evidence/event-log/tcg-log.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vector } from '../../support/vectors.ts'
import {
  claimsOf,
  firmwareSeparator,
  flag,
  machine,
  parsed,
  proven,
  secureBoot,
  sipa,
  tagged,
  u32,
  utf16le,
  windowsLog,
} from './support.ts'

function verifiedVector(path: string): VerifiedLog {
  const log = expectOk(parseTcgLog(vector(path)))
  return proven(log, log.algorithms.includes('sha256') ? 'sha256' : 'sha1')
}

const WITH_CLAIMS = new Set([7, 11, 12, 13, 14])
const OTHER_TYPES = [EV.action, EV.eventTag, EV.separator, EV.efiVariableDriverConfig, 0x0d, 0x1234]

describeVectors('ATTACK: an event of a real machine that is called something else', () => {
  test.each([
    'windows/evidence/latitude-7520.log0.bin',
    'windows/evidence/good-1.log0.bin',
    'windows/logs/windows_event_log',
    'eventlog/go-attestation/option_rom_eventlog',
    'eventlog/go-tpm-tools/rhel8-uefi.bin',
  ])('%s: either it is refused or no claim changes', (path) => {
    const { log, bank } = verifiedVector(path)
    const genuine = expectOk(readBootClaims(proven(log, bank)))
    let refused = 0
    for (const [index, event] of log.events.entries()) {
      if (!WITH_CLAIMS.has(event.pcr) || event.type === EV.noAction) continue
      for (const type of [...OTHER_TYPES, EV.efiVariableAuthority]) {
        for (const data of [event.data, event.data.subarray(0, 16), Buffer.alloc(0)]) {
          if (type === event.type && data === event.data) continue
          const events = log.events.with(index, { ...event, type, data })
          const result = readBootClaims(proven({ ...log, events }, bank))
          if (result.ok) expect(result.value.claims).toEqual(genuine.claims)
          else refused += 1
        }
      }
    }
    expect(refused).toBeGreaterThan(90)
  })
})

describeVectors('claims of real machines', () => {
  test('latitude-7520: VBS and HVCI on, Secure Boot off, the secure kernel names its keys', () => {
    const { claims, idks, idk, events } = expectOk(
      readBootClaims(expectOk(verifyReplay(machine('latitude-7520')))),
    )
    expect(claims).toMatchObject({
      secureBootEnabled: false,
      bootDebuggingDisabled: true,
      osKernelDebuggingDisabled: true,
      hypervisorDebuggingDisabled: true,
      testSigningDisabled: true,
      flightSigningNotEnabled: true,
      codeIntegrityEnabled: true,
      notSafeMode: true,
      notWinPE: true,
      vbsEnabled: true,
      hvciEnabled: true,
      iommuEnabled: false,
      bitlockerEnabled: true,
      bitlockerEnabledValue: 1,
      bootCounter: 187,
      bootMgrSvn: 1,
      bootAppSvn: 1,
      depPolicy: 0,
      // The key is Defender's, the driver that was loaded is another vendor's.
      elamDrivers: ['Windows Defender'],
      WindowsDefenderElamDriverLoaded: false,
    })
    expect(claims.codeIntegrityPolicy).toHaveLength(1)
    expect(claims.bootRevListInfo).toMatch(/^gBr-VCDm1wEg/)
    expect(claims.osRevListInfo).toMatch(/^gGP_FD5F2AEg/)
    expect(Object.keys(claims.secureBootKeys ?? {})).toEqual(['pk', 'kek', 'db', 'dbx'])

    expect(idks).toMatchObject({ kty: 'RSA', e: 'AQAB', n: expect.stringMatching(/^0sfN2AJm/) })
    expect(idk?.n).toMatch(/^w4IV1QUs/)
    expect(Buffer.from(idks?.n ?? '', 'base64url')).toHaveLength(256)
    expect(events.map(({ pcr }) => pcr)).toEqual([12, 13, 14, 12, 13, 14, 12, 13, 14, 12])
  })

  test('DESKTOP-MIMU51J: the same laptop with VBS off', () => {
    const { claims, idks } = expectOk(
      readBootClaims(expectOk(verifyReplay(machine('DESKTOP-MIMU51J-EPP-ESET')))),
    )
    expect(claims).toMatchObject({
      secureBootEnabled: false,
      vbsEnabled: false,
      hvciEnabled: false,
      iommuEnabled: false,
      bootCounter: 183,
      codeIntegrityEnabled: true,
      WindowsDefenderElamDriverLoaded: false,
    })
    expect(claims.hypervisorDebuggingDisabled).toBeUndefined()
    expect(idks).toBeUndefined()
  })

  test('windows_gcp_shielded_vm: Secure Boot on, BitLocker never unlocked, Defender loaded', () => {
    const verified = verifiedVector('eventlog/go-attestation/windows_gcp_shielded_vm.eventlog.bin')
    const { claims, events } = expectOk(readBootClaims(verified))
    expect(claims).toMatchObject({
      secureBootEnabled: true,
      bootCounter: 4,
      depPolicy: 1,
      codeIntegrityEnabled: true,
      bitlockerEnabled: false,
      bitlockerEnabledValue: 0,
      elamDrivers: ['Windows Defender'],
      WindowsDefenderElamDriverLoaded: true,
      vbsEnabled: false,
    })
    const inPcr12 = events
      .filter(({ pcr }) => pcr === 12)
      .flatMap(({ elements }) => elements.flatMap(({ children }) => children))
    const values = (id: number) => inPcr12.filter((e) => e.id === id).map(({ data }) => [...data])
    expect(values(SIPA.bitlockerUnlock)).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ])
    // A cold boot: the boot manager handed over to winload, not to winresume.
    expect(values(SIPA.transferControl)).toEqual([[1, 0, 0, 0]])
  })

  test('option_rom_eventlog: Secure Boot and VBS on', () => {
    const verified = verifiedVector('eventlog/go-attestation/option_rom_eventlog')
    expect(expectOk(readBootClaims(verified)).claims).toMatchObject({
      secureBootEnabled: true,
      vbsEnabled: true,
      hvciEnabled: false,
      bitlockerEnabledValue: 4,
      WindowsDefenderElamDriverLoaded: true,
    })
  })

  test('the TrustPoint of a real log, which is cut short, does no harm', () => {
    const { log } = verifiedVector('eventlog/go-attestation/option_rom_eventlog')
    expect(log.events.at(-1)).toMatchObject({ pcr: 0xffffffff, typeName: 'EV_NO_ACTION' })
  })

  test('a resume from hibernation says nothing of what only the OS loader measures', () => {
    const { claims } = expectOk(readBootClaims(verifiedVector('windows/logs/windows_event_log')))
    expect(claims).toMatchObject({ secureBootEnabled: true, bootCounter: 120, bootAppSvn: 1 })
    for (const claim of ['vbsEnabled', 'hvciEnabled', 'notSafeMode', 'depPolicy'] as const) {
      expect(claims).not.toHaveProperty(claim)
    }
  })

  test('a bank of which the boot manager left the other out', () => {
    const verified = verifiedVector('windows/logs/tpm2_windows_lenovo_yogax1v2')
    expect(expectOk(readBootClaims(verified)).claims).toMatchObject({
      secureBootEnabled: true,
      bootCounter: 214,
      bitlockerEnabledValue: 4,
      WindowsDefenderElamDriverLoaded: true,
    })
  })

  test.each([
    ['windows/evidence/good-1.log0.bin', true],
    ['eventlog/go-attestation/sb_cert_eventlog', true],
    ['eventlog/go-tpm-tools/cos-85-amd-sev.bin', true],
    ['eventlog/go-tpm-tools/debian-10.bin', true],
    ['eventlog/go-tpm-tools/rhel8-uefi.bin', true],
    ['eventlog/go-tpm-tools/ubuntu-2104-no-dbx.bin', false],
  ])('%s: Linux, so Secure Boot and nothing else', (path, secureBootEnabled) => {
    const { claims, idks, events } = expectOk(readBootClaims(verifiedVector(path)))
    expect(Object.keys(claims).sort()).toEqual(['secureBootEnabled', 'secureBootKeys'])
    expect(claims.secureBootEnabled).toBe(secureBootEnabled)
    expect([idks, events]).toEqual([undefined, []])
  })

  test('arch-linux-workstation: a SecureBoot variable of no bytes is neither on nor off', () => {
    const verified = verifiedVector('eventlog/go-tpm-tools/arch-linux-workstation.bin')
    const failure = expectRefusal(readBootClaims(verified), 'log_secure_boot_invalid')
    expect(failure).toMatchObject({ bytes: 0, pcrs: [7] })
  })

  test('linux_tpm12: variables hashed without their names are not believed', () => {
    const { Log } = JSON.parse(
      Buffer.from(vector('eventlog/go-attestation/linux_tpm12.json')).toString('utf8'),
    )
    const log = expectOk(parseTcgLog(Buffer.from(Log.Raw, 'base64')))
    expectRefusal(readBootClaims(proven(log, 'sha1')), 'log_event_digest_mismatch')
  })

  test('ATTACK: debugging turned off in the data, under the digest that was measured', () => {
    const { log, pcrs } = machine('latitude-7520')
    for (const id of [SIPA.bootDebugging, SIPA.vbsHvciPolicy, SIPA.vsmIdksInfo]) {
      const index = log.events.findIndex(
        ({ pcr, data }) => pcr === 12 && indexOf(data, u32(id)) > 0,
      )
      const event = log.events[index]
      const data = Buffer.from(event?.data ?? [])
      const value = indexOf(data, u32(id)) + 8
      data[value] = (data[value] ?? 0) ^ 1
      const events = event === undefined ? [] : log.events.with(index, { ...event, data })
      const verified = expectOk(verifyReplay({ log: { ...log, events }, pcrs }))
      const failure = expectRefusal(readBootClaims(verified), 'log_event_digest_mismatch')
      expect(failure).toMatchObject({
        pcrs: [12],
        event: event?.sequence,
        offset: event?.offset,
      })
    }
  })

  test('ATTACK: Secure Boot turned on in the data, under the digest that was measured', () => {
    const { log, pcrs } = machine('latitude-7520')
    const index = log.events.findIndex(({ data }) => indexOf(data, utf16le('SecureBoot')) > 0)
    const event = log.events[index]
    const data = Buffer.from(event?.data ?? [])
    data[data.length - 1] = 1
    const events = event === undefined ? [] : log.events.with(index, { ...event, data })
    const verified = expectOk(verifyReplay({ log: { ...log, events }, pcrs }))
    expectRefusal(readBootClaims(verified), 'log_event_digest_mismatch')
  })

  test('ATTACK: any one event of Windows relabelled, so that it is passed over', () => {
    const { log, pcrs } = machine('latitude-7520')
    for (const [index, event] of log.events.entries()) {
      if (event.pcr < 12 || event.pcr > 14) continue
      for (const type of [0x0d, 0x0c, 4, 0x80000007]) {
        const events = log.events.with(index, { ...event, type })
        const verified = expectOk(verifyReplay({ log: { ...log, events }, pcrs }))
        const result = readBootClaims(verified)
        // A separator stays a separator whatever it is called.
        if (event.typeName === 'EV_SEPARATOR') expectOk(result)
        else expectRefusal(result, 'log_event_unexpected')
      }
    }
  })
})

describe('which PCRs claims are read from', () => {
  const log = parsed([
    secureBoot(1),
    firmwareSeparator,
    ...windowsLog(sipa(SIPA.winPe, flag(false))),
  ])
  const provenFor = (...wanted: readonly number[]) => {
    const { algorithm, values } = replayLog(log, 'sha256')
    const kept = new Map([...values].filter(([pcr]) => wanted.includes(pcr)))
    return expectOk(
      readBootClaims(expectOk(verifyReplay({ log, pcrs: { algorithm, values: kept } }))),
    ).claims
  }

  test('Secure Boot from PCR 7', () => {
    expect(provenFor(7)).toEqual({ secureBootEnabled: true })
  })

  test('everything of Windows from 12, 13 and 14 together', () => {
    expect(provenFor(12, 13, 14)).toEqual({ notWinPE: true })
    for (const pcrs of [[12], [12, 13], [12, 14], [13, 14], [0, 11]]) {
      expect(provenFor(...pcrs)).toEqual({})
    }
  })

  test('from no others', () => {
    const elsewhere = [19, 20, 5].map((pcr) => tagged(pcr, sipa(SIPA.vbsVsmRequired, flag(true))))
    expect(claimsOf(elsewhere)).toEqual({})
  })
})

function indexOf(data: Uint8Array, wanted: Uint8Array): number {
  return Buffer.from(data).indexOf(wanted)
}
