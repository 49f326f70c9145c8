import { describe, expect, test } from 'vitest'
import type { HashAlgorithm } from '../../../src/base/digest.ts'
import { toBase64Url } from '../../../src/base/encoding.ts'
import { UsageError } from '../../../src/cli/framework/usage-error.ts'
import {
  bankOf,
  encodeLog,
  firmwareSeparator,
  secureBoot,
} from '../../evidence/event-log/support.ts'
import { googleQuotes, physicalQuote } from '../../evidence/tpm/real-quotes.ts'
import { describeVectors, vector, vectorJson } from '../../support/vectors.ts'
import { file, inspect, inspectRefused, inspectVerified, pathOf, pcrFile } from './inspection.ts'

type Banks = Readonly<Record<string, Readonly<Record<string, string>>>>

/** Rows of the replay by result, as `sha256 7`. */
function rows(
  finding: { replay: { bank: string; pcr: number; result: string }[] },
  result: string,
) {
  return finding.replay
    .filter((row) => row.result === result)
    .map(({ bank, pcr }) => `${bank} ${pcr}`)
}

describeVectors('inspect log: real logs beside their PCRs', () => {
  test('latitude-7520: VBS and HVCI on, Secure Boot off, boot 187, and the identity key', async () => {
    const { pcrs } = await physicalQuote('latitude-7520', 'faec24c6')
    const path = pathOf('windows/evidence/latitude-7520.log0.bin')
    const finding = await inspectVerified('log', path, '--pcrs', pcrFile('latitude', pcrs))
    expect(finding).toMatchObject({ format: 'crypto-agile', banks: ['sha256'], remarks: [] })
    expect(finding.claims).toMatchObject({
      secureBootEnabled: false,
      vbsEnabled: true,
      hvciEnabled: true,
      bootCounter: 187,
    })
    expect(finding.identity_signing_key).toMatchObject({ kty: 'RSA' })
    expect(rows(finding, 'match')).toHaveLength(24)
    const types = finding.events.map((event: { typeName: string }) => event.typeName)
    expect(types).toContain('EV_EVENT_TAG')
  })

  test('DESKTOP-MIMU51J-EPP-ESET: the same laptop with VBS off', async () => {
    const name = 'DESKTOP-MIMU51J-EPP-ESET'
    const { pcrs } = await physicalQuote(name, 'faec24c6')
    const path = pathOf(`windows/evidence/${name}.log0.bin`)
    const finding = await inspectVerified('log', path, '--pcrs', pcrFile(name, pcrs))
    expect(finding.claims.vbsEnabled).toBe(false)
    expect(finding.identity_signing_key).toBeUndefined()
  })

  test('good-1 and failed-1 differ in PCR 0 alone, and neither has what the service wants', async () => {
    const pathOfLog = (name: string) => pathOf(`windows/evidence/${name}.log0.bin`)
    for (const [name, differing] of [
      ['good-1', []],
      ['failed-1', ['sha256 0']],
    ] as const) {
      const { pcrs } = await physicalQuote(name, '365954f0')
      const args = ['log', pathOfLog(name), '--pcrs', pcrFile(name, pcrs)]
      const finding = await inspectRefused('boot_pcr_not_quoted', ...args)
      expect(finding.where).toEqual({ member: '--pcrs', bank: 'sha256', pcrs: [11, 12, 13, 14] })
      expect(rows(finding, 'mismatch')).toEqual(differing)
      expect(finding.claims).toEqual({})
      await inspectVerified('log', pathOfLog(name))
    }
  })

  test('the log of another boot of latitude-7520 is refused with the values that differ', async () => {
    const { pcrs } = await physicalQuote('latitude-7520', 'faec24c6')
    const path = pathOf('windows/evidence/DESKTOP-MIMU51J-EPP-ESET.log0.bin')
    const args = ['log', path, '--pcrs', pcrFile('latitude', pcrs)]
    const finding = await inspectRefused('log_pcr_mismatch', ...args)
    expect(finding.where).toEqual({ member: 'FILE', bank: 'sha256', pcrs: [12, 13, 14] })
    expect(rows(finding, 'mismatch')).toEqual(['sha256 12', 'sha256 13', 'sha256 14'])
    for (const [at, pcr] of [12, 13, 14].entries()) {
      const quoted = Buffer.from(pcrs[0]?.values.get(pcr) ?? []).toString('hex')
      expect(finding.compared[at]).toMatchObject({ what: `sha256 PCR ${pcr}`, expected: quoted })
      expect(finding.compared[at].found).not.toBe(quoted)
    }
    const { output, status } = await inspect(...args)
    expect(output).toMatch(
      /^REFUSED {2}log_pcr_mismatch\n {2}bank {4}sha256\n {2}pcrs {4}12, 13, 14\n {2}member {2}FILE\n {2}sha256 PCR 12\n/,
    )
    expect(output.match(/MISMATCH: the PCR is [0-9a-f]{64}\n/g)).toHaveLength(3)
    expect(status).toBe(3)
  })

  test.each(['windows_gcp_shielded_vm.eventlog.bin', 'option_rom_eventlog'])(
    '%s has SHA-1 alone, by which the service goes for nothing',
    async (name) => {
      const path = pathOf(`eventlog/go-attestation/${name}`)
      const finding = await inspectRefused('boot_pcr_bank_weak', 'log', path)
      expect(finding.compared[0].found).toBe('in the quote: sha1; in the log: sha1')
      expect(finding.events.length).toBeGreaterThan(20)
    },
  )

  test('option_rom_eventlog: PCR 0 to 7 replay', async () => {
    const path = pathOf('eventlog/go-attestation/option_rom_eventlog')
    const args = ['log', path, '--pcrs', `${path}.pcrs.json`]
    const finding = await inspectRefused('boot_pcr_bank_weak', ...args)
    expect(rows(finding, 'match')).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((pcr) => `sha1 ${pcr}`))
    const alone = await inspectRefused('boot_pcr_bank_weak', 'log', path)
    expect(alone.remarks.join()).toContain('no PCR values were given')
    expect(rows(alone, 'match')).toEqual([])
    expect(rows(alone, 'not compared').length).toBeGreaterThan(8)
  })

  test('the logs of go-tpm-tools replay in each bank and in all at once', async () => {
    const logs: Readonly<Record<string, Banks>> = vectorJson('eventlog/go-tpm-tools/pcrs.json').logs
    expect(Object.keys(logs)).toHaveLength(5)
    for (const [name, banks] of Object.entries(logs)) {
      const path = pathOf(`eventlog/go-tpm-tools/${name}`)
      const pcrs = file(`${name}.json`, JSON.stringify(banks))
      // None of them is of a quote over all PCRs that the service wants.
      const reason = 'sha256' in banks ? 'boot_pcr_not_quoted' : 'boot_pcr_bank_weak'
      const all = await inspectRefused(reason, 'log', path, '--pcrs', pcrs)
      expect(rows(all, 'mismatch')).toEqual([])
      for (const [bank, values] of Object.entries(banks)) {
        const { output } = await inspect('log', path, '--pcrs', pcrs, '--bank', bank, '--json')
        const one = JSON.parse(output)
        expect(rows(one, 'match')).toEqual(Object.keys(values).map((pcr) => `${bank} ${pcr}`))
      }
    }
  })

  test('a Secure Boot variable of no bytes is refused, as the service refuses it', async () => {
    const finding = await inspectRefused(
      'log_secure_boot_invalid',
      'log',
      pathOf('eventlog/go-tpm-tools/arch-linux-workstation.bin'),
    )
    expect(finding.claims).toEqual({})
    const { event, pcrs, type, offset } = finding.where
    expect({ event, pcrs, type }).toEqual({
      ...{ event: 3, pcrs: [7], type: 'EV_EFI_VARIABLE_DRIVER_CONFIG' },
    })
    // The data of the event: the GUID of the variable's vendor comes first. UEFI 2.10 §3.3
    const log = Buffer.from(vector('eventlog/go-tpm-tools/arch-linux-workstation.bin'))
    expect(log.subarray(offset, offset + 4).toString('hex')).toBe('61dfe48b')
  })

  test('the log in the attestation of Google Compute Engine, beside which IMA extends PCR 10', async () => {
    const { quotes } = googleQuotes()
    const { protobufBytesOnce, readProtobuf } = await import('../../support/protobuf.ts')
    const message = readProtobuf(vector('tpm-quote/go-tpm-tools/gce-cos-85-nonce9009.pb'))
    const path = file('gce.log', protobufBytesOnce(message, 3))
    const seen = []
    for (const { pcrs } of quotes) {
      const bank = pcrs[0]?.algorithm ?? ''
      const args = ['log', path, '--pcrs', pcrFile(`gce-${bank}`, pcrs)]
      seen.push(bank)
      if (bank === 'sha1') {
        await inspectRefused('boot_pcr_bank_weak', ...args, '--ima')
        continue
      }
      const finding = await inspectVerified(...args, '--ima')
      expect(finding.claims).toMatchObject({ secureBootEnabled: true })
      expect(rows(finding, 'not compared')).toEqual([`${bank} 10`])
      const without = await inspectRefused('log_pcr_mismatch', ...args)
      expect(without.where).toEqual({ member: 'FILE', bank, pcrs: [10] })
    }
    expect(seen).toEqual(['sha1', 'sha256', 'sha384'])
  })

  test('linux_tpm12: PCR 0 to 7 replay', async () => {
    const { Log } = vectorJson('eventlog/go-attestation/linux_tpm12.json')
    const entries: { Index: number; Digest: string }[] = Log.PCRs
    const values = entries
      .filter(({ Index }) => Index < 8)
      .map(({ Index, Digest }) => [Index, Digest] as const)
    const pcrs = pcrFile('tpm12', [bankOf('sha1', Object.fromEntries(values), 'base64')])
    const log = file('tpm12.log', Buffer.from(Log.Raw, 'base64'))
    const finding = await inspectRefused('boot_pcr_bank_weak', 'log', log, '--pcrs', pcrs)
    expect(rows(finding, 'match')).toHaveLength(values.length)
  })

  test('a log that ends early still tells what it has; one of 49 bytes too', async () => {
    const early = await inspectVerified('log', pathOf('eventlog/go-attestation/sb_cert_eventlog'))
    expect(early.events).toHaveLength(14)
    const short = await inspectRefused(
      'boot_pcr_bank_weak',
      'log',
      pathOf('eventlog/go-attestation/short_no_action_eventlog'),
    )
    expect(short.events).toHaveLength(1)
  })

  test('every byte that is cut off or added is refused evidence', async () => {
    const log = vector('windows/evidence/good-1.log0.bin')
    await inspectRefused('truncated', 'log', file('cut.log', log.subarray(0, log.length - 1)))
    await inspectRefused(
      'trailing_bytes',
      'log',
      file('more.log', Buffer.concat([log, Buffer.alloc(1)])),
    )
  })
})

describe('inspect log', () => {
  const log = encodeLog([secureBoot(1), firmwareSeparator], ['sha256'])
  const path = file('made.log', log)

  test.each([
    ['nothing', Buffer.alloc(0), 'truncated'],
    ['text', Buffer.from('this is not a boot log, whatever its name says'), 'unexpected_value'],
    ['more than any firmware writes', Buffer.alloc(20_000_000), 'length_over_limit'],
  ])('a file of %s is refused evidence, not a usage error', async (_, content, reason) => {
    await inspectRefused(reason, 'log', file('bad.log', content))
  })

  test('a bank that the log does not have is refused, and so are PCRs of it', async () => {
    await inspectRefused('boot_pcr_bank_weak', 'log', path, '--bank', 'sha384')
    const pcrs = pcrFile('other', [{ algorithm: 'sha1', values: new Map([[7, Buffer.alloc(20)]]) }])
    await inspectRefused('boot_pcr_bank_weak', 'log', path, '--pcrs', pcrs)
  })

  test.each([
    ['no JSON', 'hello', 'the file'],
    ['no object', '7', 'the file'],
    ['no bank', '{"md5":{"0":"00"}}', 'the file'],
    ['a bank that is no object', '{"sha256":7}', 'sha256'],
    ['a value of another length', '{"sha256":{"7":"00"}}', 'sha256 7'],
    ['a value that is not hexadecimal', `{"sha1":{"7":"${'x'.repeat(40)}"}}`, 'sha1 7'],
    ['an index that is no number', `{"sha1":{"seven":"${'0'.repeat(40)}"}}`, 'sha1 seven'],
  ])('a PCR file of %s is refused, and where is said', async (_, content, at) => {
    const pcrs = file('bad.pcrs.json', content)
    const finding = await inspectRefused('pcr_file_malformed', 'log', path, '--pcrs', pcrs)
    expect(finding.where).toEqual({ at })
  })

  test('Secure Boot keys are told as the hashes that policies compare', async () => {
    const finding = await inspectVerified('log', path)
    expect(finding.claims).toMatchObject({ secureBootEnabled: true })
    const bank: HashAlgorithm = finding.replay[0].bank
    expect(bank).toBe('sha256')
    expect(toBase64Url(Buffer.from(finding.replay[0].computed, 'hex'))).toMatch(/^[\w-]{43}$/)
  })

  test('what matters comes first in the text', async () => {
    const { output, status } = await inspect('log', path)
    const places = ['VERIFIED', 'Remark:', 'Claims', 'PCRs', 'Events'].map((text) =>
      output.indexOf(`\n${text}`),
    )
    expect(places.slice(1)).toEqual(places.slice(1).sort((a, b) => a - b))
    expect(places.slice(1)).not.toContain(-1)
    expect(output.startsWith('VERIFIED\n')).toBe(true)
    expect(status).toBe(0)
  })

  test.each([
    ['without a file', []],
    ['with a file that is not there', [`${path}.no`]],
    ['with a folder', ['.']],
    ['with a bank that there is not', [path, '--bank', 'md5']],
    ['with the log of a dynamic launch and no PCR values', [path, '--drtm', path]],
    ['with a PCR file that is not there', [path, '--pcrs', `${path}.no`]],
  ])('is wrong usage %s', async (_, args) => {
    await expect(inspect('log', ...args)).rejects.toThrow(UsageError)
  })

  test('is wrong usage with a PCR file that lacks the bank which was asked for', async () => {
    const pcrs = pcrFile('one', [{ algorithm: 'sha1', values: new Map([[7, Buffer.alloc(20)]]) }])
    await expect(inspect('log', path, '--pcrs', pcrs, '--bank', 'sha256')).rejects.toThrow(
      UsageError,
    )
  })
})
