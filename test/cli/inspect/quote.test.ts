import { createPublicKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { toHex } from '../../../src/base/encoding.ts'
import { UsageError } from '../../../src/cli/framework/usage-error.ts'
import { keepSelectedPcrs } from '../../../src/evidence/tpm/pcr.ts'
import {
  azureCvmQuote,
  googleQuotes,
  hclAkPub,
  physicalQuote,
  type RealQuote,
  shieldedVmCreation,
  shieldedVmQuote,
  trusteeQuote,
} from '../../evidence/tpm/real-quotes.ts'
import { describeVectors, vector } from '../../support/vectors.ts'
import { file, inspect, inspectRefused, inspectVerified, pathOf, pcrFile } from './inspection.ts'

/** The quote in files, as somebody has it who copied it from a machine. */
function filesOf(name: string, quote: Omit<RealQuote, 'pcrs' | 'qualifyingData'>): string[] {
  const jwk: object = quote.key
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
  return [
    'quote',
    ...['--attest', file(`${name}.attest`, quote.attest)],
    ...['--signature', file(`${name}.sig`, quote.signature)],
    ...['--key', file(`${name}.pem`, key.export({ format: 'pem', type: 'spki' }))],
  ]
}

const nonceOf = (quote: RealQuote) => ['--nonce', toHex(quote.qualifyingData)]

describeVectors('inspect quote: real quotes', () => {
  test.each([
    ['latitude-7520', 'faec24c6', '0-23'],
    ['DESKTOP-MIMU51J-EPP-ESET', 'faec24c6', '0-23'],
    ['good-1', '365954f0', '0-8'],
    ['failed-1', '365954f0', '0-8'],
  ])('%s is verified with its recovered key and PCRs', async (name, keyId, pcrs) => {
    const quote = await physicalQuote(name, keyId)
    const args = [...filesOf(name, quote), '--pcrs', pcrFile(name, quote.pcrs)]
    const finding = await inspectVerified(...args, ...nonceOf(quote))
    expect(finding).toMatchObject({
      kind: 'quote',
      signature: 'ecdsa with sha256',
      extra_data: toHex(quote.qualifyingData),
      qualified_signer: expect.stringMatching(new RegExp(`^000b${keyId}`)),
      remarks: [],
    })
    const { output } = await inspect(...args)
    expect(output).toContain(`quoted PCRs         sha256 ${pcrs}\n`)
    expect(output).toContain('Remark: no nonce was given')
    // The cookie went into the nonce together with more than the vector has.
    const cookie = ['--nonce', toHex(quote.cookie)]
    await inspectRefused('quote_nonce_mismatch', ...args, ...cookie)
  })

  test('another machine’s key, also of the same fleet, does not verify', async () => {
    const quote = await physicalQuote('latitude-7520', 'faec24c6')
    const other = ['--key', pathOf('windows/evidence/ak-recovered-365954f0.pem')]
    await inspectRefused('quote_signature_invalid', ...filesOf('other', quote), ...other)
  })

  test('trustee: an Azure confidential VM', async () => {
    const quote = trusteeQuote()
    const args = [...filesOf('trustee', quote), '--pcrs', pcrFile('trustee', quote.pcrs)]
    const finding = await inspectVerified(...args, '--nonce', toHex(Buffer.from('challenge')))
    expect(finding.signature).toBe('rsassa with sha256')
  })

  test('azure-cvm-tooling: verified with its key, refused with that of another machine', async () => {
    const quote = await azureCvmQuote()
    const args = [...filesOf('cvm', quote), '--pcrs', pcrFile('cvm', quote.pcrs), ...nonceOf(quote)]
    await inspectVerified(...args)
    await inspectVerified(...args, '--key', pathOf('tpm-quote/azure-cvm-tooling/akpub.pem'))
    const strange = hclAkPub('tpm-quote/azure-cvm-tooling/hcl-report-tdx.bin')
    const key = filesOf('strange', { ...quote, key: strange }).slice(-2)
    await inspectRefused('quote_signature_invalid', ...args, ...key)
  })

  test('a bare RSA signature, as Azure’s files hold it, is no TPMT_SIGNATURE', async () => {
    const quote = trusteeQuote()
    const bare = ['--signature', file('without-header.sig', quote.signature.subarray(6))]
    await inspectRefused('unexpected_value', ...filesOf('bare', quote), ...bare)
  })

  test('Google Compute Engine: each of the three banks, with the nonce 9009', async () => {
    const { quotes } = googleQuotes()
    expect(quotes).toHaveLength(3)
    for (const [index, quote] of quotes.entries()) {
      const name = `gce${index}`
      const pcrs = ['--pcrs', pcrFile(name, quote.pcrs)]
      await inspectVerified(...filesOf(name, quote), ...pcrs, '--nonce', '9009')
      await inspectRefused('quote_nonce_mismatch', ...filesOf(name, quote), '--nonce', '9010')
    }
  })

  test('a SHA-1 signature is verified with a remark that the service refuses it', async () => {
    const quote = shieldedVmQuote()
    const pcrs = keepSelectedPcrs(quote.pcrs, [
      { algorithm: 'sha1', indexes: [...Array(24).keys()] },
    ])
    const args = [...filesOf('shielded', quote), '--pcrs', pcrFile('shielded', pcrs)]
    const finding = await inspectVerified(...args, ...nonceOf(quote))
    expect(finding.signature).toBe('rsassa with sha1')
    expect(finding.remarks.join()).toContain('SHA-1')
  })

  test('a certification by the same key is no quote', async () => {
    const { attest, signature } = shieldedVmCreation()
    const files = filesOf('creation', { ...shieldedVmQuote(), attest, signature })
    const { status, output } = await inspect(...files, '--json')
    expect(JSON.parse(output)).toMatchObject({ verified: false })
    expect(status).toBe(3)
  })
})

describeVectors('inspect quote: one machine, and what can be wrong', () => {
  const prepare = async () => {
    const quote = await physicalQuote('good-1', '365954f0')
    const [bank] = quote.pcrs
    if (bank === undefined) throw new TypeError('good-1 has PCRs')
    return { quote, bank, files: filesOf('good', quote) }
  }

  test('PCRs: one missing, one too many, one changed', async () => {
    const { bank, files } = await prepare()
    const having = (values: Iterable<readonly [number, Uint8Array]>) => [
      ...files,
      '--pcrs',
      pcrFile('changed', [{ ...bank, values: new Map(values) }]),
    ]
    const all = [...bank.values]
    const missing = await inspectRefused('quote_pcr_missing', ...having(all.slice(1)))
    expect(missing.where).toEqual({ bank: 'sha256', pcrs: [0] })
    const extra = having([...all, [23, Buffer.alloc(32)]])
    expect((await inspectRefused('quote_pcr_unexpected', ...extra)).where.pcrs).toEqual([23])
    const changed = having([...all.slice(0, -1), [8, Buffer.alloc(32, 1)]])
    await inspectRefused('quote_digest_mismatch', ...changed)
  })

  test('without PCRs the digest is told, with a remark that nothing was compared', async () => {
    const { files } = await prepare()
    const finding = await inspectVerified(...files)
    expect(finding.pcr_digest).toMatch(/^[0-9a-f]{64}$/)
    expect(finding.remarks.join()).toContain('compared with nothing')
  })

  test('a changed byte of the quote breaks the signature', async () => {
    const { quote, files } = await prepare()
    const attest = Uint8Array.from(quote.attest)
    const last = attest.length - 1
    attest[last] = (attest[last] ?? 0) ^ 1
    await inspectRefused('quote_signature_invalid', ...files, '--attest', file('flip', attest))
  })

  test('damaged files are refused evidence, not usage errors', async () => {
    const { quote, files } = await prepare()
    const damaged = (name: string, bytes: Uint8Array) => [`--${name}`, file(`${name}.bad`, bytes)]
    const cut = (bytes: Uint8Array) => bytes.subarray(0, -1)
    const more = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc(1)])
    const { attest, signature } = quote
    await inspectRefused('truncated', ...files, ...damaged('attest', cut(attest)))
    await inspectRefused('trailing_bytes', ...files, ...damaged('attest', more(attest)))
    await inspectRefused('truncated', ...files, ...damaged('attest', Buffer.alloc(0)))
    await inspectRefused('truncated', ...files, ...damaged('signature', cut(signature)))
    await inspectRefused('trailing_bytes', ...files, ...damaged('signature', more(signature)))
    const log = vector('windows/evidence/good-1.log0.bin')
    await inspectRefused('length_over_limit', ...files, ...damaged('attest', log))
    const pcrs = ['--pcrs', file('bad.pcrs.json', '{')]
    await inspectRefused('pcr_file_malformed', ...files, ...pcrs)
  })

  test('wrong usage', async () => {
    const { files } = await prepare()
    const wrong = [
      files.slice(0, 3),
      files.slice(0, 5),
      [...files, '--key', file('no.pem', 'hello')],
      [...files, '--key', 'nowhere.pem'],
      [...files, '--nonce', 'xyz'],
      [...files, 'surplus'],
    ]
    for (const args of wrong) await expect(inspect(...args)).rejects.toThrow(UsageError)
  })
})
