import { createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type BootClaims, readBootClaims } from '../../src/evidence/event-log/claims.ts'
import { verifyReplay } from '../../src/evidence/event-log/replay.ts'
import { parseTcgLog } from '../../src/evidence/event-log/tcg-log.ts'
import type { BootState } from '../../src/simulator/boot-state.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { claimSecureBoot } from '../../src/simulator/tampering.ts'
import { startVirtualDevice, type VirtualDevice } from '../../src/simulator/virtual-device.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const keys = primeSharingKeys()

function start(boot: Partial<BootState> = {}): Promise<VirtualDevice> {
  return startVirtualDevice({ name: 'a device', keys, boot })
}

function replay(device: VirtualDevice, algorithm: 'sha1' | 'sha256' = 'sha256') {
  const log = expectOk(parseTcgLog(device.bootLog.bytes))
  return verifyReplay({ log, pcrs: { algorithm, values: device.tpm.readPcrs(algorithm) } })
}

function measure(device: VirtualDevice) {
  return expectOk(readBootClaims(expectOk(replay(device))))
}

describe('the log of a virtual boot', () => {
  test('is crypto-agile with both banks and replays to every PCR of each', async () => {
    const device = await start()
    const log = expectOk(parseTcgLog(device.bootLog.bytes))
    expect(log).toMatchObject({
      format: 'crypto-agile',
      algorithms: ['sha1', 'sha256'],
      startupLocality: 3,
    })
    expect(expectOk(replay(device, 'sha1')).provenPcrs.size).toBe(24)
    expect(expectOk(replay(device, 'sha256')).provenPcrs.size).toBe(24)
  })

  test('is about as large as a real one', async () => {
    const { bootLog } = await start()
    expect(bootLog.bytes.length).toBeGreaterThan(30_000)
    expect(bootLog.bytes.length).toBeLessThan(100_000)
  })

  test('tells everything that is known of a healthy device', async () => {
    const { claims } = measure(await start())
    expect(claims).toMatchObject({
      secureBootEnabled: true,
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
      iommuEnabled: true,
      bitlockerEnabled: true,
      bitlockerEnabledValue: 4,
      WindowsDefenderElamDriverLoaded: true,
      elamDrivers: ['Windows Defender'],
      depPolicy: 0,
      bootAppSvn: 7,
      bootMgrSvn: 7,
      bootCounter: 42,
    })
    expect(Object.keys(claims.secureBootKeys ?? {}).sort()).toEqual(['db', 'dbx', 'kek', 'pk'])
    expect(claims.codeIntegrityPolicy).toHaveLength(1)
    expect(claims.bootRevListInfo).toBeDefined()
    expect(claims.osRevListInfo).toBeDefined()
  })

  test('names the key that signs enclave reports', async () => {
    const device = await start()
    const { n, e } = createPublicKey(device.secureKernel.signing).export({ format: 'jwk' })
    expect(measure(device).idks).toEqual({ kty: 'RSA', n, e })
  })

  test.each<[Partial<BootState>, BootClaims]>([
    [{ secureBoot: false }, { secureBootEnabled: false }],
    [{ bootDebugging: true }, { bootDebuggingDisabled: false }],
    [{ kernelDebugging: true }, { osKernelDebuggingDisabled: false }],
    [{ hypervisorDebugging: true }, { hypervisorDebuggingDisabled: false }],
    [{ testSigning: true }, { testSigningDisabled: false }],
    [{ flightSigning: true }, { flightSigningNotEnabled: false }],
    [{ codeIntegrity: false }, { codeIntegrityEnabled: false }],
    [{ safeMode: true }, { notSafeMode: false }],
    [{ winPe: true }, { notWinPE: false }],
    [{ vbs: false }, { vbsEnabled: false }],
    [{ hvci: false }, { vbsEnabled: true, hvciEnabled: false }],
    [{ iommu: false }, { iommuEnabled: false }],
    [{ bitlockerUnlock: 0 }, { bitlockerEnabled: false }],
    [{ bitlockerUnlock: 0x40 }, { bitlockerEnabled: true, bitlockerEnabledValue: 0x40 }],
    [{ depPolicy: 3 }, { depPolicy: 3 }],
    [
      { bootManagerSvn: 2, bootAppSvn: 3 },
      { bootMgrSvn: 2, bootAppSvn: 3 },
    ],
    [{ bootCounter: 9001 }, { bootCounter: 9001 }],
  ])('tells of a boot with %j', async (boot, claims) => {
    expect(measure(await start(boot)).claims).toMatchObject(claims)
  })

  test('has no identity keys and no hypervisor without VBS', async () => {
    const measured = measure(await start({ vbs: false }))
    expect(measured.idks).toBeUndefined()
    expect(measured.claims.hvciEnabled).not.toBe(true)
  })
})

describe('a forged log', () => {
  test('with one event rewritten, digest and all, does not replay', async () => {
    const forged = claimSecureBoot(await start({ secureBoot: false }), 'recomputed')
    expect(expectRefusal(replay(forged), 'log_pcr_mismatch')).toMatchObject({ pcrs: [7] })
  })

  test('with one event edited beside its digest replays but is not read', async () => {
    const forged = claimSecureBoot(await start({ secureBoot: false }), 'kept')
    const log = expectOk(replay(forged))
    expectRefusal(readBootClaims(log), 'log_event_digest_mismatch')
  })
})
