import { describe, expect, test } from 'vitest'
import { toBase64Url } from '../../../src/base/encoding.ts'
import { collectSettings } from '../../../src/evidence/event-log/boot-settings.ts'
import { readBootClaims } from '../../../src/evidence/event-log/claims.ts'
import { SIPA } from '../../../src/evidence/event-log/sipa-names.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  bytes,
  claimsOf,
  type EventInput,
  flag,
  identityKey,
  parsed,
  proven,
  sipa,
  tagged,
  u16,
  u32,
  u64,
  utf16le,
  wbclAll,
  windowsClaims,
  windowsLog,
} from './support.ts'

describe('settings of several boot applications', () => {
  const PROTECTIONS_OFF = [
    ['bootDebuggingDisabled', SIPA.bootDebugging],
    ['osKernelDebuggingDisabled', SIPA.osKernelDebug],
    ['hypervisorDebuggingDisabled', SIPA.hypervisorDebug],
    ['testSigningDisabled', SIPA.testSigning],
    ['flightSigningNotEnabled', SIPA.flightSigning],
    ['notSafeMode', SIPA.safeMode],
    ['notWinPE', SIPA.winPe],
  ] as const

  test.each(PROTECTIONS_OFF)('%s: one that says on is enough', (claim, id) => {
    const boundary = (pcr: number, value: boolean) => tagged(pcr, sipa(id, flag(value)))
    expect(claimsOf([boundary(12, false), ...wbclAll])[claim]).toBe(true)
    for (const pcr of [12, 13]) {
      const events = [boundary(12, false), boundary(pcr, true), boundary(12, false), ...wbclAll]
      expect(claimsOf(events)[claim]).toBe(false)
    }
    expect(claimsOf(wbclAll)).not.toHaveProperty(claim)
  })

  test('codeIntegrityEnabled: one that says off is enough', () => {
    const integrity = (pcr: number, value: boolean) =>
      tagged(pcr, sipa(SIPA.codeIntegrity, flag(value)))
    expect(claimsOf([integrity(12, true), ...wbclAll]).codeIntegrityEnabled).toBe(true)
    for (const pcr of [12, 13]) {
      const events = [integrity(12, true), integrity(pcr, false), ...wbclAll]
      expect(claimsOf(events).codeIntegrityEnabled).toBe(false)
    }
  })

  test('a setting outside a TRUSTBOUNDARY counts as well', () => {
    const bare = { pcr: 12, type: 6, data: sipa(SIPA.bootDebugging, flag(true)) }
    expect(claimsOf([bare, ...wbclAll]).bootDebuggingDisabled).toBe(false)
  })

  test('ATTACK: what Windows calls not measured is no source of claims', () => {
    const informational = sipa(
      0xc001_0004,
      sipa(SIPA.vbsVsmRequired, flag(true)),
      sipa(SIPA.vsmIdksInfo, identityKey()),
    )
    const notMeasured = sipa(0x8000_0000 + SIPA.vbsVsmRequired, flag(true))
    const { claims, idks, events } = expectOk(
      readBootClaims(proven(parsed(windowsLog(informational, notMeasured)))),
    )
    expect(events[0]?.elements[0]?.children).toHaveLength(2)
    expect(collectSettings(events).values.size).toBe(0)
    expect([claims, idks]).toEqual([{}, undefined])
  })

  test('ATTACK: settings inside the description of a module do not count', () => {
    const inModule = sipa(SIPA.loadedModuleAggregation, sipa(SIPA.vbsVsmRequired, flag(true)))
    const events = windowsLog(sipa(SIPA.osKernelDebug, flag(false)), inModule)
    expect(claimsOf(events).vbsEnabled).toBe(false)
  })

  test('bootCounter and depPolicy must not contradict themselves', () => {
    const twice = (id: number, first: number, second: number) => [
      tagged(12, sipa(id, u64(first))),
      tagged(13, sipa(id, u64(second))),
      ...wbclAll,
    ]
    expect(claimsOf(twice(SIPA.bootCounter, 7, 7))).toEqual({ bootCounter: 7 })
    for (const id of [SIPA.bootCounter, SIPA.dataExecutionPrevention]) {
      const verified = proven(parsed(twice(id, 0, 1)))
      expectRefusal(readBootClaims(verified), 'log_claim_conflict')
    }
  })
})

describe('virtualization', () => {
  const required = sipa(SIPA.vbsVsmRequired, flag(true))
  const osLoader = sipa(SIPA.osKernelDebug, flag(false))

  test('VBS is on when it was enforced and nothing says that it was not launched', () => {
    expect(windowsClaims(required).vbsEnabled).toBe(true)
    expect(windowsClaims(sipa(SIPA.vbsMandatoryEnforcement, flag(true))).vbsEnabled).toBe(true)
    expect(windowsClaims(required, sipa(SIPA.vsmLaunchType, u64(1))).vbsEnabled).toBe(true)
  })

  test.each([
    ['it was not enforced', [sipa(SIPA.vbsVsmRequired, flag(false))]],
    [
      'one measurement says it was not',
      [required, sipa(SIPA.vbsMandatoryEnforcement, flag(false))],
    ],
    ['VSM was not launched', [required, sipa(SIPA.vsmLaunchType, u64(0))]],
    ['the hypervisor was not launched', [required, sipa(SIPA.hypervisorLaunchType, u64(0))]],
    ['it was launched but not enforced', [sipa(SIPA.vsmLaunchType, u64(1))]],
    ['the OS loader does not name it', [osLoader]],
  ])('VBS is off when %s', (_, elements) => {
    expect(windowsClaims(...elements).vbsEnabled).toBe(false)
  })

  test('HVCI is on only with its policy in force, and with VBS', () => {
    const policy = (value: number) => sipa(SIPA.vbsHvciPolicy, u64(value))
    expect(windowsClaims(required, policy(1)).hvciEnabled).toBe(true)
    expect(windowsClaims(required, policy(1), policy(0)).hvciEnabled).toBe(false)
    expect(windowsClaims(required, policy(2)).hvciEnabled).toBe(false)
    expect(windowsClaims(required).hvciEnabled).toBe(false)
    expect(windowsClaims(osLoader, policy(1)).hvciEnabled).toBe(false)
  })

  test('the IOMMU is on where VBS required it; the boot option alone proves nothing', () => {
    const iommu = sipa(SIPA.vbsIommuRequired, flag(true))
    const option = (value: number) => sipa(SIPA.hypervisorIommuPolicy, u64(value))
    expect(windowsClaims(required, iommu).iommuEnabled).toBe(true)
    expect(windowsClaims(required, iommu, option(1)).iommuEnabled).toBe(true)
    expect(windowsClaims(required, iommu, option(2)).iommuEnabled).toBe(false)
    expect(windowsClaims(required, option(1)).iommuEnabled).toBe(false)
  })

  test('without a word of it there are no claims', () => {
    expect(windowsClaims(sipa(SIPA.bootDebugging, flag(false)))).toEqual({
      bootDebuggingDisabled: true,
    })
  })
})

describe('the identity key of the secure kernel', () => {
  const idks = (modulusByte: number) => sipa(SIPA.vsmIdksInfo, identityKey(modulusByte))
  const read = (events: readonly EventInput[]) => readBootClaims(proven(parsed(events)))

  test('is read once, however often it was measured', () => {
    const key = expectOk(read(windowsLog(idks(0xc3), idks(0xc3)))).idks
    expect(key).toEqual({ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(256, 0xc3).toString('base64url') })
  })

  test('ATTACK: a second one', () => {
    const failure = expectRefusal(read(windowsLog(idks(0xc3), idks(0xc5))), 'log_claim_conflict')
    expect(failure).toMatchObject({ claim: 'idks' })
    const apart = [tagged(12, idks(0xc3)), tagged(12, idks(0xc5)), ...wbclAll]
    expectRefusal(read(apart), 'log_claim_conflict')
  })

  test('ATTACK: the key that decrypts is not the key that signs', () => {
    const idk = sipa(SIPA.vsmIdkInfo, identityKey(0xc5))
    const measured = expectOk(read(windowsLog(idk)))
    expect(measured.idks).toBeUndefined()
    expect(measured.idk).toBeDefined()
    const other = sipa(SIPA.vsmIdkInfo, identityKey(0xc7))
    const failure = expectRefusal(read(windowsLog(idk, other)), 'log_claim_conflict')
    expect(failure).toMatchObject({ claim: 'idk' })
  })

  test('ATTACK: in another PCR or outside a TRUSTBOUNDARY', () => {
    const bare = { pcr: 12, type: 6, data: idks(0xc3) }
    const nested = tagged(12, sipa(SIPA.loadedModuleAggregation, idks(0xc3)))
    for (const event of [tagged(13, idks(0xc3)), tagged(14, idks(0xc3)), bare, nested]) {
      expect(expectOk(read([event, ...wbclAll])).idks).toBeUndefined()
    }
  })

  test('of a wrong form is refused', () => {
    for (const id of [SIPA.vsmIdksInfo, SIPA.vsmIdkInfo]) {
      expectRefusal(read(windowsLog(sipa(id, identityKey(0xc2)))), 'unexpected_value')
    }
  })
})

describe('values of one boot', () => {
  test('BitLocker: the first way of unlocking that is one', () => {
    const unlock = (value: number) => sipa(SIPA.bitlockerUnlock, u32(value))
    expect(windowsClaims(unlock(0), unlock(4), unlock(1))).toEqual({
      bitlockerEnabled: true,
      bitlockerEnabledValue: 4,
    })
    expect(windowsClaims(unlock(0), unlock(0))).toEqual({
      bitlockerEnabled: false,
      bitlockerEnabledValue: 0,
    })
  })

  test('security versions: of the boot manager, and of what it handed over to', () => {
    const svn = (value: number) => sipa(SIPA.applicationSvn, u32(value))
    const transfer = sipa(SIPA.transferControl, u32(1))
    const module = sipa(SIPA.loadedModuleAggregation, sipa(SIPA.moduleSvn, u32(9)))
    const events = [tagged(12, svn(7), transfer), tagged(13, svn(7), module), tagged(12, svn(8))]
    expect(claimsOf([...events, ...wbclAll])).toEqual({ bootMgrSvn: 7, bootAppSvn: 8 })
    expect(claimsOf([tagged(12, svn(7)), ...wbclAll])).toEqual({ bootMgrSvn: 7 })
    expect(claimsOf([tagged(12, svn(7)), ...events.slice(1), ...wbclAll])).toEqual({
      bootMgrSvn: 7,
    })
  })

  test("Defender's early-launch driver counts when it was loaded and validated", () => {
    const osLoader = sipa(SIPA.osKernelDebug, flag(false))
    const load = (path: string, validated: boolean) =>
      sipa(
        SIPA.loadedModuleAggregation,
        sipa(SIPA.filePath, utf16le(`${path}\0`)),
        sipa(SIPA.imageValidated, flag(validated)),
      )
    const path = '\\Windows\\System32\\drivers\\wd\\WdBoot.sys'
    const loaded = (...elements: readonly Uint8Array[]) =>
      windowsClaims(osLoader, ...elements).WindowsDefenderElamDriverLoaded
    expect(loaded(load(path, true))).toBe(true)
    expect(loaded(load(path.replace('wd\\', ''), true))).toBe(true)
    expect(loaded(load(path, false))).toBe(false)
    expect(loaded(load(`\\x${path}`, true))).toBe(false)
    const key = sipa(SIPA.elamAggregation, sipa(SIPA.elamKeyName, utf16le('Windows Defender\0')))
    expect(loaded(key)).toBe(false)
    expect(windowsClaims(key, key)).toEqual({ elamDrivers: ['Windows Defender'] })
  })

  test('code integrity policies and revocation lists are passed on when they can be read', () => {
    const policy = (name: string) =>
      bytes(u64(1), u16(2 * name.length), u16(11), u32(32), utf16le(name), Buffer.alloc(32))
    const list = (created: number) => bytes(u64(created), u32(32), u16(11), Buffer.alloc(32))
    const events = [
      tagged(13, sipa(SIPA.siPolicy, policy('a')), sipa(SIPA.bootRevocationList, list(1))),
      tagged(13, sipa(SIPA.siPolicy, policy('b')), sipa(SIPA.bootRevocationList, list(2))),
      tagged(13, sipa(SIPA.osRevocationList, list(3))),
      ...wbclAll,
    ]
    expect(claimsOf(events)).toEqual({
      codeIntegrityPolicy: [toBase64Url(policy('a')), toBase64Url(policy('b'))],
      bootRevListInfo: toBase64Url(list(1)),
      osRevListInfo: toBase64Url(list(3)),
    })
    for (const id of [SIPA.siPolicy, SIPA.bootRevocationList, SIPA.osRevocationList]) {
      const cut = [tagged(13, sipa(id, u32(1))), ...wbclAll]
      expectRefusal(readBootClaims(proven(parsed(cut))), 'truncated')
    }
  })

  test('unknown events are kept beside the claims', () => {
    const unknown = sipa(0x000f_4711, u32(1))
    const { claims, events } = expectOk(readBootClaims(proven(parsed(windowsLog(unknown)))))
    expect(claims).toEqual({})
    expect(events[0]?.elements[0]?.children[0]).toMatchObject({ id: 0x000f_4711 })
  })
})
