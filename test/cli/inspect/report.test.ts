import { expect, test } from 'vitest'
import { toHex } from '../../../src/base/encoding.ts'
import { UsageError } from '../../../src/cli/framework/usage-error.ts'
import { independentKeys } from '../../../src/simulator/key-source.ts'
import { reportEnclave, startVirtualDevice } from '../../../src/simulator/virtual-device.ts'
import { describeVectors, vector } from '../../support/vectors.ts'
import { file, inspect, inspectRefused, inspectVerified, pathOf } from './inspection.ts'

const REPORT = 'vbs/vbs-enclave-report-package.bin'
const KEY = ['--key', pathOf('vbs/hgs-health-certificate.der')]

/** The signed part of the package. */
const SIGNED = { from: 24, to: 1112 }

describeVectors('inspect report: the enclave of SQL Server', () => {
  test('is verified with the health certificate, and explained', async () => {
    const finding = await inspectVerified('report', pathOf(REPORT), ...KEY)
    const hash = toHex(
      new Uint8Array(
        await crypto.subtle.digest(
          'SHA-256',
          Buffer.from(vector('vbs/enclave-public-key-bcryptrsa.bin')),
        ),
      ),
    )
    expect(finding.enclave_data.startsWith(hash)).toBe(true)
    expect(finding.identity).toMatchObject({ svn: 0, debuggable: false, platform_svn: 1 })
    expect(finding.modules[0]).toMatchObject({ name: 'aetm-enclave.dll' })
    const { output, status } = await inspect('report', pathOf(REPORT), ...KEY)
    expect(output).toMatch(/^VERIFIED\nRemark: whose key it is was not checked/)
    expect(output).toContain('aetm-enclave.dll')
    expect(status).toBe(0)
  })

  test('the certificate is as good in PEM', async () => {
    const der = Buffer.from(vector('vbs/hgs-health-certificate.der')).toString('base64')
    const pem = `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----\n`
    await inspectVerified('report', pathOf(REPORT), '--key', file('hgs.pem', pem))
  })

  test('with the key that the boot log of another machine measured it is refused', async () => {
    const log = pathOf('windows/evidence/latitude-7520.log0.bin')
    const args = ['report', pathOf(REPORT), '--key', log]
    const finding = await inspectRefused('report_signature_invalid', ...args)
    const { identity_signing_key: key } = await inspectVerified('log', log)
    expect(finding.compared[0].expected).toContain(key.n.slice(0, 20))
  })

  test('a flipped byte anywhere in what is signed is refused', async () => {
    const report = vector(REPORT)
    for (let offset = SIGNED.from; offset < SIGNED.to; offset += 61) {
      const flipped = Uint8Array.from(report)
      flipped[offset] = (flipped[offset] ?? 0) ^ 1
      const { status, output } = await inspect('report', file('flipped', flipped), ...KEY)
      expect(output).toMatch(/^REFUSED {2}\w+\n/)
      expect(status).toBe(3)
    }
    const data = Uint8Array.from(report)
    data[SIGNED.from + 20] = (data[SIGNED.from + 20] ?? 0) ^ 1
    await inspectRefused('report_signature_invalid', 'report', file('data', data), ...KEY)
  })

  test('damaged files are refused evidence, not usage errors', async () => {
    const report = vector(REPORT)
    const cut = file('cut', report.subarray(0, -1))
    await inspectRefused('truncated', 'report', cut, ...KEY)
    await inspectRefused('truncated', 'report', file('empty', ''), ...KEY)
    const large = file('large', Buffer.alloc(20_000_000))
    await inspectRefused('length_over_limit', 'report', large, ...KEY)
  })

  test('wrong usage', async () => {
    const wrong = [
      [],
      [pathOf(REPORT)],
      [...KEY],
      [pathOf(REPORT), '--key', file('no.pem', 'hello')],
      // Logs that measure no such key, or that the service goes by for nothing.
      [pathOf(REPORT), '--key', pathOf('windows/evidence/DESKTOP-MIMU51J-EPP-ESET.log0.bin')],
      [pathOf(REPORT), '--key', pathOf('eventlog/go-attestation/option_rom_eventlog')],
      ['nowhere', ...KEY],
    ]
    for (const args of wrong) await expect(inspect('report', ...args)).rejects.toThrow(UsageError)
  })
})

test('a report of a machine is verified with the boot log of that machine', async () => {
  const device = await startVirtualDevice({ name: 'one', keys: independentKeys() })
  const made = await reportEnclave(device, new Uint8Array(64))
  const path = file('own.report', made ?? expect.fail('the device has an enclave'))
  await inspectVerified('report', path, '--key', file('own.log', device.bootLog.bytes))
})
