import { beforeAll, describe, expect, test } from 'vitest'
import { digest } from '../../src/base/digest.ts'
import { toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { claimSecureBoot } from '../../src/simulator/tampering.ts'
import {
  reportEnclave,
  startVirtualDevice,
  type VirtualDevice,
} from '../../src/simulator/virtual-device.ts'
import { expectRefusal } from '../support/refusal.ts'
import {
  attackerOf,
  boundNonce,
  type Challenge,
  currentOf,
  makeRequest,
  makeVerifier,
  type Payload,
  payloadOf,
  payloadText,
  setQuote,
  signRequest,
  type TestVerifier,
  type Version,
} from './harness.ts'

const keys = independentKeys()
let verifier: TestVerifier
let device: VirtualDevice
let other: VirtualDevice
let attack: ReturnType<typeof attackerOf>

beforeAll(async () => {
  verifier = await makeVerifier()
  device = await startVirtualDevice({ name: 'one', keys })
  other = await startVirtualDevice({ name: 'two', keys })
  attack = attackerOf(verifier, device)
})

describe('keys certified by the TPM', () => {
  const certify = (data: Payload) => data.request_key.info.tpm_certify
  const proof = (
    by: VirtualDevice,
    key = by.requestKey,
    nonce: Uint8Array = new Uint8Array(16),
  ) => {
    const made = by.tpm.certify({ key, nonce })
    return {
      public: toBase64Url(made.public),
      certification: toBase64Url(made.certification),
      signature: toBase64Url(made.signature),
    }
  }
  const forge = (edit: (data: Payload, challenge: Challenge) => void) =>
    attack(edit, { binding: 'certify' })

  test('a certification of an earlier challenge', async () => {
    const result = await forge((data) => {
      Object.assign(certify(data), proof(device))
    })
    expectRefusal(result, 'certify_nonce_mismatch')
  })

  test('a certification by the AK of another device', async () => {
    const result = await forge((data, { challenge }) => {
      Object.assign(certify(data), proof(other, device.requestKey, challenge))
    })
    expectRefusal(result, 'certify_signature_invalid')
  })

  test('the certification of a TPM key for a request key outside of it', async () => {
    const result = await forge((data, { challenge }) => {
      Object.assign(certify(data), proof(device, other.requestKey, challenge))
    })
    const failure = expectRefusal(result, 'certified_key_mismatch')
    expect(failure).toMatchObject({ provenAik: { deviceKey: expect.anything() } })
  })

  test('a public area with our key under the certification of another', async () => {
    const result = await forge((data, { challenge }) => {
      const { certification, signature } = proof(device, other.requestKey, challenge)
      Object.assign(certify(data), { certification, signature })
    })
    expectRefusal(result, 'certify_name_mismatch')
  })

  test('an other key with the certification of the request key', async () => {
    const result = await attack((data, { challenge }) => {
      const info = { tpm_certify: proof(device, device.requestKey, challenge) }
      data.other_keys = [{ jwk: publicJwk(other.requestKey), info }]
    })
    expectRefusal(result, 'certified_key_mismatch')
  })

  test('a weak other key', async () => {
    const result = await attack((data) => {
      data.other_keys = [{ jwk: { ...publicJwk(other.requestKey), n: 'AQAB' } }]
    })
    expectRefusal(result, 'tpm_key_weak')
  })

  test('an unbound quote with a key that only claims to be quoted', async () => {
    const result = await attack((data, { challenge }) => {
      setQuote(data, device, { nonce: challenge })
    })
    expect(expectRefusal(result, 'quote_nonce_mismatch')).toMatchObject({
      expected: 'qualifying data: HASH(UTF8(jwk) ‖ 0x00 ‖ challenge), HASH being sha-256',
    })
  })
})

describe('boot log', () => {
  test('a log in which Secure Boot is on, measured as off; the attempt is attributable', async () => {
    const weak = await startVirtualDevice({ name: 'weak', keys, boot: { secureBoot: false } })
    for (const digests of ['kept', 'recomputed'] as const) {
      const liar = claimSecureBoot(weak, digests)
      const request = await makeRequest(liar, await verifier.challenge())
      const reason = digests === 'kept' ? 'log_event_digest_mismatch' : 'log_pcr_mismatch'
      const failure = expectRefusal(await verifier.send({ request }), reason)
      expect(failure).toMatchObject({
        provenAik: { deviceKey: Buffer.from(weak.deviceKey, 'base64') },
        trace: expect.arrayContaining([
          expect.objectContaining({ step: 'quote', outcome: 'passed' }),
          { step: 'boot_log', outcome: 'failed', detail: reason },
        ]),
      })
    }
  })

  test('the log of another device', async () => {
    const elsewhere = await startVirtualDevice({
      name: 'elsewhere',
      keys,
      boot: { bootDrivers: 3 },
    })
    const result = await attack((data) => {
      currentOf(data).logs = [{ type: 'TCG', log: toBase64Url(elsewhere.bootLog.bytes) }]
    })
    expect(expectRefusal(result, 'log_pcr_mismatch')).toMatchObject({ pcrs: expect.any(Array) })
  })

  test('a PCR value other than the quoted one; the attempt is attributable', async () => {
    const result = await attack((data) => {
      currentOf(data).pcrs[0].values[7].digest = toBase64Url(new Uint8Array(32))
    })
    const failure = expectRefusal(result, 'quote_digest_mismatch')
    expect(failure).toMatchObject({ provenAik: { deviceKey: expect.anything() } })
  })

  // Azure Attestation's protocol: `pcrs` stand in the order of the quote.
  test('PCR values in another order than that of the quote; the attempt is attributable', async () => {
    const result = await attack((data) => {
      currentOf(data).pcrs[0].values.reverse()
    })
    const failure = expectRefusal(result, 'boot_pcr_order_wrong')
    expect(failure).toMatchObject({ bank: 'sha256', provenAik: { deviceKey: expect.anything() } })
  })

  test('PCR values that are not quoted', async () => {
    const result = await attack((data, challenge) => {
      const indexes = [0, 1, 2, 3, 4, 5, 6, 7]
      setQuote(data, device, { nonce: boundNonce(data, challenge), indexes })
    })
    expectRefusal(result, 'quote_pcr_unexpected')
  })

  test('a quote without the PCRs in which the switches of Windows are measured', async () => {
    const indexes = [0, 1, 2, 3, 4, 5, 6, 7, 11, 13, 14]
    const result = await attack((data, challenge) => {
      setQuote(data, device, { nonce: boundNonce(data, challenge), indexes })
      const [bank] = currentOf(data).pcrs
      bank.values = bank.values.filter(({ index }: Payload) => indexes.includes(index))
    })
    expect(expectRefusal(result, 'boot_pcr_not_quoted')).toMatchObject({ pcrs: [12] })
  })

  test('a quote of the SHA-1 bank', async () => {
    const result = await attack((data, challenge) => {
      setQuote(data, device, { nonce: boundNonce(data, challenge), bank: 'sha1' })
      const values = [...device.tpm.readPcrs('sha1')]
      currentOf(data).pcrs = [
        {
          algorithm: 4,
          values: values.map(([index, value]) => ({ index, digest: toBase64Url(value) })),
        },
      ]
    })
    expectRefusal(result, 'boot_pcr_bank_weak')
  })

  test('a platform claim over another nonce: what version 1 has to quote is told alone', async () => {
    const result = await attack(
      (data) => {
        const claim = device.tpm.claimPlatform(new Uint8Array(16))
        data.tpm_att_data.current_claim = toBase64Url(claim)
      },
      { version: 1 },
    )
    expect(expectRefusal(result, 'quote_nonce_mismatch')).toMatchObject({
      expected: 'qualifying data: the challenge, decoded to its bytes',
    })
  })

  test('a platform claim of the SHA-1 bank', async () => {
    const result = await attack(
      (data, { challenge }) => {
        data.tpm_att_data.current_claim = toBase64Url(device.tpm.claimPlatform(challenge, 'sha1'))
      },
      { version: 1 },
    )
    expectRefusal(result, 'boot_pcr_bank_weak')
  })

  test('a truncated log', async () => {
    const result = await attack((data) => {
      const [log] = currentOf(data).logs
      log.log = log.log.slice(0, log.log.length - 8)
    })
    expectRefusal(result, 'truncated')
  })
})

describe('enclave', () => {
  const sendVbs = async (
    version: Version,
    edit: (text: string, challenge: Challenge) => string | Promise<string>,
    by: VirtualDevice = device,
  ) => {
    const challenge = await verifier.challenge()
    const text = payloadText(await makeRequest(by, challenge, { version }))
    const request = await signRequest(by.requestKey, version, await edit(text, challenge))
    return verifier.send({ request })
  }

  test.each([1, 2] as const)('report_signed written anew, version %d', async (version) => {
    const result = await sendVbs(version, (text) => text.replace('"rp_id":', '"rp_id": '))
    const failure = expectRefusal(result, 'enclave_data_mismatch')
    expect(failure).toMatchObject({ provenAik: { deviceKey: expect.anything() } })
  })

  test.each([1, 2] as const)('another relying party nonce, version %d', async (version) => {
    const result = await sendVbs(version, (text) => {
      const payload = JSON.parse(text)
      payload.att_data.report_signed.rp_data = 'AAAA'
      return JSON.stringify(payload)
    })
    expectRefusal(result, 'enclave_data_mismatch')
  })

  test.each([
    ['with a line feed behind it', (text: string) => digest('sha512', toUtf8(`${text}\n`))],
    ['in base64url', (text: string) => digest('sha512', toUtf8(toBase64Url(toUtf8(text))))],
    ['written anew', (text: string) => digest('sha512', toUtf8(JSON.stringify(JSON.parse(text))))],
    [
      'sha256',
      (text: string) => Buffer.concat([digest('sha256', toUtf8(text)), new Uint8Array(32)]),
    ],
  ] as const)('a mistake that agents make is recognised: %s', async (said, hash) => {
    const result = await sendVbs(2, async (text) => {
      const payload = JSON.parse(text)
      const spaced = JSON.stringify(payload.att_data.report_signed).replace('"rp_id":', '"rp_id": ')
      const report = toBase64Url((await reportEnclave(device, hash(spaced))) ?? Uint8Array.of())
      const vsm = JSON.stringify({ enclave: { report } })
      return `{"att_type":"vbs","att_data":{"report_signed":${spaced},"vsm_report":${vsm}}}`
    })
    const expected = expect.stringMatching(
      `^EnclaveData: SHA-512\\(UTF8\\(report_signed\\)\\), and not .*${said}`,
    )
    expect(expectRefusal(result, 'enclave_data_mismatch')).toMatchObject({ expected })
  })

  test('the report of an earlier request', async () => {
    const old = payloadOf(await makeRequest(device, await verifier.challenge()))
    const result = await sendVbs(2, (text) => {
      const payload = JSON.parse(text)
      payload.att_data.vsm_report = old.att_data.vsm_report
      return JSON.stringify(payload)
    })
    expectRefusal(result, 'enclave_data_mismatch')
  })

  test('the report of an enclave on another machine', async () => {
    const result = await sendVbs(2, async (text) => {
      const payload = JSON.parse(text)
      const signed = JSON.stringify(payload.att_data.report_signed)
      const report = await reportEnclave(other, digest('sha512', toUtf8(signed)))
      payload.att_data.vsm_report = { enclave: { report: toBase64Url(report ?? Uint8Array.of()) } }
      return JSON.stringify(payload)
    })
    expectRefusal(result, 'report_signature_invalid')
  })

  test('a report from a machine whose log measured no secure kernel', async () => {
    const bare = await startVirtualDevice({ name: 'no vbs', keys, boot: { vbs: false } })
    const armed: VirtualDevice = { ...bare, enclave: device.enclave }
    const result = await sendVbs(2, (text) => text, armed)
    expectRefusal(result, 'enclave_signer_unknown')
  })

  test('a damaged report', async () => {
    const result = await sendVbs(2, (text) => {
      const payload = JSON.parse(text)
      const { enclave } = payload.att_data.vsm_report
      enclave.report = enclave.report.slice(0, 400)
      return JSON.stringify(payload)
    })
    expectRefusal(result, 'truncated')
  })

  test('debug flags cleared in the report', async () => {
    const open = await startVirtualDevice({ name: 'debug', keys, enclave: { flags: 1 } })
    const result = await sendVbs(
      2,
      (text) => {
        const payload = JSON.parse(text)
        const { enclave } = payload.att_data.vsm_report
        const report = Buffer.from(enclave.report, 'base64url')
        report.writeUInt32LE(0, 236)
        enclave.report = toBase64Url(report)
        return JSON.stringify(payload)
      },
      open,
    )
    expectRefusal(result, 'report_signature_invalid')
  })
})
