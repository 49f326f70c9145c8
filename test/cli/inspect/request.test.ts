import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { fromBase64Url, toBase64, toBase64Url, toHex, toUtf8 } from '../../../src/base/encoding.ts'
import { UsageError } from '../../../src/cli/framework/usage-error.ts'
import { keysOfDevice } from '../../../src/cli/vectors/fixed-device.ts'
import { toBootLog } from '../../../src/simulator/boot-log.ts'
import { fixedChance } from '../../../src/simulator/chance.ts'
import { signPs256 } from '../../../src/simulator/compact-jws.ts'
import { independentKeys } from '../../../src/simulator/key-source.ts'
import { claimSecureBoot } from '../../../src/simulator/tampering.ts'
import { digestEvent, type MeasuredEvent } from '../../../src/simulator/tcg-log-encoding.ts'
import {
  recordBoot,
  startVirtualDevice,
  type VirtualDevice,
} from '../../../src/simulator/virtual-device.ts'
import { BUILT_IN_KINDS } from '../../../src/verifier/kinds/built-in.ts'
import { CHALLENGE_BYTES } from '../../../src/verifier/limits.ts'
import { sealServiceContext } from '../../../src/verifier/protocol/service-context.ts'
import { REQUEST_STEPS, type TraceStep } from '../../../src/verifier/steps/trace.ts'
import { readAgentVectors } from '../../support/agent-vectors.ts'
import {
  caIssuers,
  issueCertificate,
  publicPair,
  type TestExtension,
} from '../../support/certificates.ts'
import type { Json } from '../../support/json.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'
import { askVendorAgent, describeVendorAgent } from '../../support/vendor-agent.ts'
import {
  boundNonce,
  currentOf,
  makeAuthority,
  makeRequest,
  type Payload,
  payloadOf,
  setQuote,
  signRequest,
  signVbsRequest,
} from '../../verifier/harness.ts'
import { file, inspect, inspectRefused, inspectVerified } from './inspection.ts'

const challenge = digest('sha512', toUtf8('the challenge')).subarray(0, CHALLENGE_BYTES)
/** Sealed by a service of which nobody here knows the key. */
const serviceContext = sealServiceContext({
  context: { challenge, expiresAt: new Date('2026-01-01') },
  key: digest('sha256', toUtf8('a key of the service')),
  iv: new Uint8Array(12),
})

const outcomes = (finding: Json) =>
  Object.fromEntries(finding.steps.map(({ step, outcome }: TraceStep) => [step, outcome]))
const failed = (finding: Json) =>
  finding.steps.filter(({ outcome }: TraceStep) => outcome === 'failed')
const body = (message: unknown) =>
  JSON.stringify({ data: toBase64Url(toUtf8(JSON.stringify(message))) })

const ALL_PASS = {
  request_key: 'passed',
  service_context: 'unchecked',
  request_signature: 'passed',
  attestation_key: 'passed',
  quote: 'passed',
  attestation_key_certificate: 'unchecked',
  service_context_use: 'unchecked',
  key_bindings: 'passed',
  boot_log: 'passed',
}

const PROGRAM = `
import hashlib, sys, json, agent, bootlog, client as C, enclave as E
init = json.loads(sys.argv[1])
device, enclave, nonce = agent.Device(), E.Enclave(), C.b64u(b"nonce of the service")
try:
    device.boot()
    report = lambda data: device.kernel.report(enclave, data)
    def v2(own=None, log=None, report=report, **how):
        return C.request_v2(device.ak, log or device.log, own or key, nonce, init, report, **how)
    other, key = E.SecureKernel(), C.SoftKey()
    text = C.compact(key.jwk).encode()
    def hashed(*parts): return hashlib.sha256(b"".join(parts)).digest()
    print(json.dumps({
        "device_key": device.ak.device_key,
        "quote": v2(),
        "basic": v2(report=None),
        "certify": v2(C.TpmKey(device.tpm), certify=True),
        "v1": C.request_v1(device.ak, device.log, C.SoftKey(), nonce, init, report),
        "v1_basic": C.request_v1(device.ak, device.log, C.SoftKey(), nonce, init),
        "challenge_alone": v2(qualifying=C.unb64u(init["challenge"])),
        "other_order": v2(qualifying=hashed(C.unb64u(init["challenge"]), b"\\0", text)),
        "no_zero": v2(qualifying=hashed(text, C.unb64u(init["challenge"]))),
        "challenge_text": v2(qualifying=hashed(text, b"\\0", init["challenge"].encode())),
        "thumbprint": C.b64(hashlib.sha256(C.compact({k: device.ak.jwk[k] for k in ("e", "kty", "n")}).encode()).digest()),
        "modulus": C.b64(hashlib.sha256(C.unb64u(device.ak.jwk["n"])).digest()),
        "other_kernel": v2(report=lambda data: other.report(enclave, data)),
        "other_text": v2(report=lambda data: report(bytes(64))),
        "other_log": v2(log=device.log.replace(*[bootlog.sipa(0x000A0007, bootlog.le64(v)) for v in (1, 0)])),
    }))
finally:
    device.tpm.close()
`

describeVendorAgent('inspect request: messages of an agent that nobody here wrote', () => {
  let made: Readonly<Record<string, string>>
  const given = ['--challenge', toBase64Url(challenge)]

  beforeAll(async () => {
    const init = { challenge: toBase64Url(challenge), service_context: serviceContext }
    made = await askVendorAgent(PROGRAM, init)
  })

  const of = (name: string) => file(`${name}.jws`, made[name] ?? expect.fail(name))

  test.each(['quote', 'certify', 'v1'])(
    '%s: every step passes, or cannot be taken here',
    async (name) => {
      const args = [...given, '--device-key', made.device_key ?? '']
      const finding = await inspectVerified('request', of(name), ...args)
      expect(outcomes(finding)).toEqual({ ...ALL_PASS, enclave_report: 'passed' })
      expect(finding.device_key).toBe(made.device_key)
      expect(finding.remarks.map((remark: string) => remark.split(': ').slice(0, 2))).toEqual(
        ['service_context', 'attestation_key_certificate', 'service_context_use', 'rp_data'].map(
          (what) => ['not checked', what],
        ),
      )
      const values = finding.steps.flatMap(({ compared = [] }: TraceStep) => compared)
      expect(values.length).toBeGreaterThan(12)
      for (const { expected, found } of values) expect(found).toBe(expected)
    },
  )

  test('the quote of a basic request binds the key of the request', async () => {
    const finding = await inspectVerified('request', of('basic'))
    expect(outcomes(finding)).toEqual(ALL_PASS)
  })

  test('the body, the message in it, and the request itself are the same', async () => {
    const message = { payload: { request: made.quote } }
    const forms = [file('body', body(message)), file('inner', JSON.stringify(message, null, 2))]
    const { form: _, ...said } = await inspectVerified('request', of('quote'))
    for (const path of forms) expect(await inspectVerified('request', path)).toMatchObject(said)
  })

  test('a quote over the challenge alone is told beside what it had to be over', async () => {
    const finding = await inspectRefused('quote_nonce_mismatch', 'request', of('challenge_alone'))
    expect(finding.compared).toEqual([
      {
        what: 'qualifying data (extraData)',
        expected: expect.stringMatching(/^[0-9a-f]{64}$/),
        found: toHex(challenge),
      },
    ])
    // What does not need the quote is walked all the same; the log passes for nothing.
    expect(outcomes(finding)).toMatchObject({
      quote: 'failed',
      key_bindings: 'passed',
      boot_log: 'unchecked',
      enclave_report: 'passed',
    })
  })

  test.each([
    ['challenge_alone', 'the quote is over the challenge alone'],
    ['other_order', 'the challenge, 0x00 and the text of the request key, in this order'],
    ['no_zero', 'the text of the request key and the challenge, with no 0x00 between'],
    [
      'challenge_text',
      'the text of the request key, 0x00 and the text of the challenge in base64url',
    ],
  ])('%s: it is said what the quote is over instead', async (name, said) => {
    const finding = await inspectRefused('quote_nonce_mismatch', 'request', of(name))
    expect(finding.remarks[0]).toContain(said)
  })

  test.each([
    ['thumbprint', 'its JWK'],
    ['modulus', 'its modulus'],
  ])('a device key that is another digest, the %s, is told for what it is', async (name, said) => {
    const args = ['request', of('quote'), '--device-key', made[name] ?? '']
    const finding = await inspectRefused('request_device_key_differs', ...args)
    expect(finding.remarks[0]).toContain(said)
  })

  test('a basic request of version 1 binds its key nowhere', async () => {
    const finding = await inspectRefused('legacy_request_key_unbound', 'request', of('v1_basic'))
    expect(failed(finding).map(({ step }: TraceStep) => step)).toEqual(['request_key'])
  })

  test('a report by another secure kernel, or over other data', async () => {
    const kernel = await inspectRefused('report_signature_invalid', 'request', of('other_kernel'))
    expect(kernel.compared[0].expected).toContain('identity signing key RSA n=')
    const data = await inspectRefused('enclave_data_mismatch', 'request', of('other_text'))
    expect(data.compared[0]).toMatchObject({ found: '0'.repeat(128) })
  })

  test('a log in which HVCI is off, beside the digest of the event in which it is on', async () => {
    const reason = 'log_event_digest_mismatch'
    const finding = await inspectRefused(reason, 'request', of('other_log'))
    expect(finding.compared[0].what).toBe("sha256 of the event's data")
    expect(failed(finding).map(({ step }: TraceStep) => step)).toEqual(['boot_log'])
  })

  test('another challenge, or another device key, is named before what follows from it', async () => {
    const other = ['--challenge', toBase64(digest('sha256', challenge))]
    const wrong = await inspectRefused(
      'request_challenge_differs',
      'request',
      of('quote'),
      ...other,
    )
    expect(wrong.compared[0]).toMatchObject({ what: 'challenge', found: toHex(challenge) })
    const key = ['--device-key', toBase64(digest('sha256', challenge))]
    const named = await inspectRefused('request_device_key_differs', 'request', of('quote'), ...key)
    expect(named.compared[0]).toMatchObject({
      expected: made.device_key,
      found: toBase64(digest('sha256', challenge)),
    })
  })
})

describe('inspect request', () => {
  const keys = independentKeys()
  let device: VirtualDevice
  let other: VirtualDevice

  beforeAll(async () => {
    device = await startVirtualDevice({ name: 'one', keys })
    other = await startVirtualDevice({ name: 'two', keys })
  })

  const honest = (options = {}) => makeRequest(device, { challenge, serviceContext }, options)

  /** A `basic` request that was edited and signed again. */
  async function edited(edit: (data: Payload) => void, options = {}): Promise<string> {
    const payload = payloadOf(await honest({ withoutEnclave: true, ...options }))
    edit(payload.att_data)
    return file('edited', await signRequest(device.requestKey, 2, payload))
  }

  const certify = (data: Payload, by: VirtualDevice, nonce: Uint8Array, key = by.requestKey) => {
    const proof = by.tpm.certify({ key, nonce })
    Object.assign(data.request_key.info.tpm_certify, {
      public: toBase64Url(proof.public),
      certification: toBase64Url(proof.certification),
      signature: toBase64Url(proof.signature),
    })
  }

  test('takes the steps of the verifier, in its order, and no others', async () => {
    const known = ['request_key', ...REQUEST_STEPS, ...BUILT_IN_KINDS.flatMap(({ steps }) => steps)]
    const finding = await inspectVerified('request', file('honest', await honest()))
    const taken = finding.steps.map(({ step }: TraceStep) => step)
    expect(taken).toEqual(known.filter((step) => taken.includes(step)))
    expect(known.filter((step) => !taken.includes(step))).toEqual(['boot_before_hibernation'])
  })

  const nonce = (data: Payload) => boundNonce(data, { challenge, serviceContext })
  const certified = { binding: 'certify' } as const
  type Case = [
    reason: string,
    step: string,
    what: string,
    edit: (data: Payload) => void,
    options?: object,
  ]
  const CASES: readonly Case[] = [
    [
      'quote_signature_invalid',
      'quote',
      'signature',
      (data) => setQuote(data, other, { nonce: nonce(data) }),
    ],
    [
      'quote_digest_mismatch',
      'quote',
      'digest of the PCR values',
      (data) => {
        currentOf(data).pcrs[0].values[3].digest = toBase64Url(digest('sha256', challenge))
      },
    ],
    [
      'certify_nonce_mismatch',
      'key_bindings',
      'qualifying data (extraData)',
      (data) => certify(data, device, new Uint8Array(16)),
      certified,
    ],
    [
      'certify_signature_invalid',
      'key_bindings',
      'signature',
      (data) => certify(data, other, challenge, device.requestKey),
      certified,
    ],
    [
      'certified_key_mismatch',
      'key_bindings',
      'key of the request',
      (data) => certify(data, device, challenge, other.requestKey),
      certified,
    ],
    [
      'certify_name_mismatch',
      'key_bindings',
      'Name of the public area',
      (data) => {
        const { public: area } = data.request_key.info.tpm_certify
        certify(data, device, challenge, other.requestKey)
        data.request_key.info.tpm_certify.public = area
      },
      certified,
    ],
    [
      'log_pcr_mismatch',
      'boot_log',
      'sha256 PCR 4',
      (data) => {
        const elsewhere = recordedLog()
        currentOf(data).logs[0].log = toBase64Url(elsewhere)
      },
    ],
  ]

  /** The log of the device with one digest of PCR 4 changed. */
  function recordedLog(): Uint8Array {
    const { bytes, events } = device.bootLog
    const event = events.find(({ pcr }) => pcr === 4) ?? expect.fail('PCR 4 is extended')
    const log = Buffer.from(bytes)
    const at = log.indexOf(Buffer.from(event.digests.sha256))
    log[at] = (log[at] ?? 0) ^ 1
    return log
  }

  test.each(CASES)(
    '%s is found in the step %s, by %s',
    async (reason, step, what, edit, options) => {
      const finding = await inspectRefused(reason, 'request', await edited(edit, options))
      const [first, ...others] = failed(finding)
      expect(first).toEqual({
        ...{ step, outcome: 'failed', detail: reason },
        compared: finding.compared,
      })
      // Of PCR values that are not the quoted ones the log tells which.
      const details = others.map(({ detail }: TraceStep) => detail)
      expect(details).toEqual(reason === 'quote_digest_mismatch' ? ['log_pcr_mismatch'] : [])
      const [values] = finding.compared
      expect(values.what).toBe(what)
      expect(values.found).not.toBe(values.expected)
    },
  )

  test('a signature by another key than the one of the request', async () => {
    const payload = payloadOf(await honest({ withoutEnclave: true }))
    const path = file('stolen', await signRequest(other.requestKey, 2, payload))
    const finding = await inspectRefused('request_signature_invalid', 'request', path)
    expect(outcomes(finding)).toEqual({ ...ALL_PASS, request_signature: 'failed' })
  })

  test('several faults are all found, and the first one is the reason', async () => {
    const path = await edited((data) => {
      certify(data, device, new Uint8Array(16))
      setQuote(data, device, { nonce: new Uint8Array(16) })
    }, certified)
    const finding = await inspectRefused('quote_nonce_mismatch', 'request', path)
    const details = failed(finding).map(({ detail }: TraceStep) => detail)
    expect(details).toEqual(['quote_nonce_mismatch', 'certify_nonce_mismatch'])
  })

  test('aik_pub beside the certificate of another key', async () => {
    const { issue } = await makeAuthority()
    const certifiedDevice = await startVirtualDevice({ name: 'three', keys, issuer: issue })
    const payload = payloadOf(
      await makeRequest(certifiedDevice, { challenge, serviceContext }, { withoutEnclave: true }),
    )
    const named = payloadOf(await honest({ withoutEnclave: true }))
    currentOf(payload.att_data).aik_pub = currentOf(named.att_data).aik_pub
    const path = file('names', await signRequest(certifiedDevice.requestKey, 2, payload))
    const finding = await inspectRefused('aik_certificate_key_mismatch', 'request', path)
    expect(finding.compared[0]).toMatchObject({ what: 'aik_pub' })
  })

  test('with trust anchors the certificate of the key is checked, too', async () => {
    const { issue, anchorPem } = await makeAuthority()
    const anchors = ['--anchors', file('anchors.pem', anchorPem)]
    const uncertified = file('uncertified', await honest())
    await inspectRefused('aik_not_certified', 'request', uncertified, ...anchors)
    const real = await startVirtualDevice({ name: 'four', keys, issuer: issue })
    const request = await makeRequest(real, { challenge, serviceContext })
    const { steps } = JSON.parse(
      (await inspect('request', file('certified', request), ...anchors, '--json')).output,
    )
    const step = steps.find((one: TraceStep) => one.step === 'attestation_key_certificate')
    expect(step.outcome).not.toBe('unchecked')
    const wrong = ['--anchors', file('none.pem', 'no certificate')]
    await expect(inspect('request', uncertified, ...wrong)).rejects.toThrow(UsageError)
  })

  test('the missing authority of a certificate is named in words', async () => {
    const { issue } = await makeAuthority()
    const other = await issueCertificate({ subject: 'Another root', ca: true })
    const real = await startVirtualDevice({ name: 'five', keys, issuer: issue })
    const path = file('foreign', await makeRequest(real, { challenge, serviceContext }))
    const args = ['request', path, '--anchors', file('foreign.pem', other.pem)]
    const { output } = await inspect(...args)
    expect(output).toMatch(/\n {2}expected +the certificate of CN=/)
    expect(output).not.toContain('missingIssuers')
    expect(output).not.toContain('[\\"')
  })

  test('an authority that a service would fetch is nothing that can be checked here', async () => {
    const living = { notBefore: new Date('2020-01-01'), notAfter: new Date('2049-01-01') }
    const signs = { ...living, ca: true, keyUsage: ['keyCertSign'] } as const
    const root = await issueCertificate({ subject: 'Root', ...signs })
    const middle = await issueCertificate({ subject: 'Middle', issuer: root, ...signs })
    const key = await keys()
    const certify = async (...extensions: TestExtension[]) =>
      startVirtualDevice({
        ...{ name: 'six', keys, attestationKey: key },
        async issuer(publicKey) {
          const { der } = await issueCertificate({
            ...{ subject: 'Attestation key', issuer: middle, extensions, ...living },
            key: await publicPair(publicKey),
            ...{ keyUsage: ['digitalSignature'], extendedKeyUsage: ['2.23.133.8.3'] },
          })
          return der
        },
      })
    const certificateStep = async (device: VirtualDevice, pem: string) => {
      const path = file('fetched', await makeRequest(device, { challenge, serviceContext }))
      const args = ['request', path, '--anchors', file('fetched.pem', pem), '--json']
      const { steps } = JSON.parse((await inspect(...args)).output)
      return steps.find(({ step }: TraceStep) => step === 'attestation_key_certificate')
    }
    const url = 'http://aia.example/middle.cer'
    const named = await certify(caIssuers(url))
    expect(await certificateStep(named, root.pem)).toMatchObject({
      outcome: 'unchecked',
      detail: expect.stringMatching(
        /^only a service fetches .*CN=Middle.* from http:\/\/aia.example/,
      ),
    })
    expect(await certificateStep(named, root.pem + middle.pem)).toMatchObject({ outcome: 'passed' })
    // Where nothing says where it is nobody could fetch it.
    const unnamed = await certify()
    expect(await certificateStep(unnamed, root.pem)).toMatchObject({
      ...{ outcome: 'failed', detail: 'certificate_issuer_unknown' },
    })
  })

  /** A machine whose loaders measured other events, of which its TPM and its log agree. */
  async function measuring(
    change: (event: MeasuredEvent) => MeasuredEvent,
  ): Promise<VirtualDevice> {
    const recorded = await recordBoot(keys)
    const { startupLocality, events } = recorded.bootLog
    const bootLog = toBootLog(startupLocality, events.map(change))
    const recordedBoot = { ...recorded, bootLog }
    return startVirtualDevice({ name: 'measured', keys, recordedBoot })
  }

  test('a key of reports in another PCR is named where it stands', async () => {
    const id = Buffer.from('23000500', 'hex')
    const elsewhere = await measuring((event) =>
      event.pcr === 12 && Buffer.from(event.data).includes(id)
        ? digestEvent({ ...event, pcr: 13 })
        : event,
    )
    const path = file('pcr13', await makeRequest(elsewhere, { challenge, serviceContext }))
    const finding = await inspectRefused('enclave_signer_unknown', 'request', path)
    expect(finding.compared).toEqual([
      {
        what: 'identity signing key (IDKS)',
        expected: 'SIPAEVENT_VSM_IDKS_INFO (0x00050023) in a TRUSTBOUNDARY of PCR 12',
        found: expect.stringMatching(/^one in event \d+, PCR 13$/),
      },
    ])
  })

  test('a setting where none is read is remarked, and the evidence is good', async () => {
    // TRUSTBOUNDARY (0x40010001) becomes LOADEDMODULE_AGGREGATION (0x40010003). wbcl.h
    const hidden = await measuring((event) => {
      const data = Uint8Array.from(event.data)
      const isSettings = Buffer.from(data).includes(Buffer.from('0300050001000000', 'hex'))
      if (![12, 13].includes(event.pcr) || !isSettings) return event
      data[0] = 3
      return digestEvent({ ...event, data })
    })
    const path = file('hidden', await makeRequest(hidden, { challenge, serviceContext }))
    const { output } = await inspect('request', path, '--json')
    const { remarks } = JSON.parse(output)
    expect(remarks.join('\n')).toMatch(
      /logs\[0\]\.log, event \d+, PCR 1[23], inside LOADEDMODULE_AGGREGATION: .*TESTSIGNING.* not read/,
    )
    const log = file('hidden.log', hidden.bootLog.bytes)
    const alone = JSON.parse((await inspect('log', log, '--json')).output)
    expect(alone.remarks.join('\n')).toContain('inside LOADEDMODULE_AGGREGATION')
  })

  test('a log that claims Secure Boot beside an untouched digest names both digests', async () => {
    const weak = await startVirtualDevice({ name: 'weak', keys, boot: { secureBoot: false } })
    const liar = claimSecureBoot(weak, 'kept')
    const path = file('liar', await makeRequest(liar, { challenge, serviceContext }))
    const finding = await inspectRefused('log_event_digest_mismatch', 'request', path)
    expect(finding.compared[0].what).toBe("sha256 of the event's data")
  })

  test('a machine whose log measures no identity key has no signer of reports', async () => {
    const plain = await startVirtualDevice({ name: 'plain', keys, boot: { vbs: false } })
    const payload = payloadOf(
      await makeRequest(plain, { challenge, serviceContext }, { withoutEnclave: true }),
    )
    const request = await signVbsRequest(
      { ...plain, enclave: device.enclave, secureKernel: device.secureKernel } as VirtualDevice,
      2,
      payload.att_data,
    )
    await inspectRefused('enclave_signer_unknown', 'request', file('plain', request))
  })

  test('a service context of no form that there is', async () => {
    const path = await edited((data) => {
      data.service_context = 'nothing'
    })
    const finding = await inspectRefused('context_malformed', 'request', path)
    expect(outcomes(finding)).toEqual({ ...ALL_PASS, service_context: 'failed' })
  })

  test('the text names the first fault, and each step with its values', async () => {
    const path = await edited((data) => setQuote(data, device, { nonce: challenge }))
    const { output, status } = await inspect('request', path)
    expect(status).toBe(3)
    const nonce = `qualifying data \\(extraData\\)\n +expected [0-9a-f]{64}\n +found    ${toHex(challenge)}\n`
    expect(output).toMatch(
      new RegExp(
        `^REFUSED  quote_nonce_mismatch\n  member +request.att_data.tpm_att_data.current_attestation.quote\n  expected +qualifying data: HASH.*\n  ${nonce}Remark: the quote is over the challenge alone\n`,
      ),
    )
    expect(output).toMatch(
      new RegExp(`\nSteps\n[^]*  failed     quote: quote_nonce_mismatch\n +${nonce}`),
    )
    expect(output).toContain('\n  unchecked  service_context\n')
  })

  describeVectors('what was said to Azure Attestation', () => {
    const example = vectorJson('maa/tpm-protocol/spec-example-init-request.json')
    const exchange = vectorJson('maa/tpm-protocol/init-exchange-wus-2022-11-17.json')

    test.each([
      ['the body of the specification', JSON.stringify({ data: example.request_data })],
      ['the message in it', example.request_data_decoded],
      ['the body of a client', JSON.stringify(exchange.request)],
      ['the message in that', exchange.request_data_decoded],
    ])('%s asks for a challenge and brings nothing', async (_, message) => {
      const finding = await inspectVerified('request', file('init', message))
      expect(finding).toMatchObject({ verified: true, kind: 'init' })
    })

    test('a service context of Azure can be opened by Azure alone', async () => {
      const { payload } = JSON.parse(exchange.response_data_decoded)
      const theirs = fromBase64Url(payload.challenge) ?? expect.fail('a challenge')
      const sealed = { challenge: theirs, serviceContext: payload.service_context }
      const finding = await inspectVerified(
        'request',
        file('azure', await makeRequest(device, sealed)),
      )
      expect(outcomes(finding)).toMatchObject({ service_context: 'unchecked' })
    })
  })

  test.each([
    ['nothing', '', 'request_jws_malformed'],
    ['text', 'hello', 'request_jws_malformed'],
    ['an object of another kind', '{"a":1}', 'message_member_missing'],
    ['JSON that is cut off', '{"data":"', 'json_malformed'],
    ['a message without a request', '{"payload":{}}', 'message_member_invalid'],
    ['a request of two parts', body({ payload: { request: 'a.b' } }), 'request_jws_malformed'],
  ])('a file of %s is refused evidence', async (_, content, reason) => {
    await inspectRefused(reason, 'request', file('bad', content))
  })

  test('however a message is cut off, it is refused for a reason and nothing else happens', async () => {
    const request = await honest()
    const [header = '', text = ''] = request.split('.')
    const payload = Buffer.from(text, 'base64url').toString()
    const message = body({ payload: { request } })
    const cut = (from: string) => fc.nat(from.length - 1).map((end) => from.slice(0, end))
    // The inner document is cut where it is still one, too: signed again by its own key.
    const shapes = fc.oneof(
      cut(request),
      cut(message),
      cut(payload).map((rest) => `${header}.${toBase64Url(toUtf8(rest))}.AAAA`),
    )
    await fc.assert(
      fc.asyncProperty(shapes, async (content) => {
        const { status, output } = await inspect('request', file('cut', content), '--json')
        expect(status).toBe(3)
        expect(JSON.parse(output).reason).toMatch(/^[a-z_]+$/)
      }),
      { numRuns: 60 },
    )
  })

  test('however a structure in a request is cut off, the walk ends with a reason', async () => {
    const members = ['quote', 'signature', 'log', 'public', 'certification'] as const
    const shape = fc.record({
      member: fc.constantFrom(...members),
      share: fc.double({ min: 0, max: 0.99, noNaN: true }),
    })
    await fc.assert(
      fc.asyncProperty(shape, async ({ member, share }) => {
        const path = await edited((data) => {
          const places: Record<string, Json> = {
            quote: currentOf(data),
            signature: currentOf(data),
            log: currentOf(data).logs[0],
            public: data.request_key.info.tpm_certify,
            certification: data.request_key.info.tpm_certify,
          }
          const bytes = fromBase64Url(places[member][member]) ?? expect.fail(member)
          places[member][member] = toBase64Url(bytes.subarray(0, Math.floor(bytes.length * share)))
        }, certified)
        const { status, output } = await inspect('request', path, '--json')
        expect(status).toBe(3)
        expect(JSON.parse(output).reason).toMatch(/^[a-z_]+$/)
      }),
      { numRuns: 40 },
    )
  })

  test.each([
    ['without a file', []],
    ['with a file that is not there', ['nowhere']],
    ['with a device key of another length', ['x', '--device-key', 'AAAA']],
    ['with a challenge that is no base64', ['x', '--challenge', '!']],
  ])('is wrong usage %s', async (_, args) => {
    file('x', '')
    await expect(inspect('request', ...args)).rejects.toThrow(UsageError)
  })
})

describe('a message that was made to say what the command says', () => {
  const LINES = 'RSA\n  passed     made_up\n\nVERIFIED by countersign\n\u009b2J\u202e'
  type Vector = { readonly values: readonly { readonly name: string; readonly text?: string }[] }
  const vector: Vector = JSON.parse(readAgentVectors().get('runs/v2-vbs-certify.json') ?? '{}')
  const value = (name: string) => vector.values.find((one) => one.name === name)?.text ?? ''

  /** A request signed as it should be, whose key has a member that its type does not have. */
  async function hostile(member: string): Promise<string> {
    const payload = JSON.parse(value('request_payload'))
    payload.att_data.report_signed.request_key.jwk[member] = LINES
    const request = await signPs256({
      header: JSON.parse(value('request_header')),
      payload: toUtf8(JSON.stringify(payload)),
      key: keysOfDevice('v2-vbs-certify').request,
      chance: fixedChance('hostile'),
    })
    return file(`hostile-${member}.jws`, request)
  }

  test.each(['crv', 'x', 'kid', 'alg'])('prints no line of its own, by %s', async (member) => {
    const path = await hostile(member)
    const { output } = await inspect('request', path)
    expect(output).toMatch(/request_key/)
    expect(output).not.toMatch(/^VERIFIED by countersign/m)
    expect(output.split('\n').filter((line) => /^ *passed +made_up/.test(line))).toEqual([])
    expect(output).not.toMatch(/[\u0080-\u009f\p{Bidi_Control}]/u)
    const { output: json } = await inspect('request', path, '--json')
    expect(json).not.toMatch(/[\u0080-\u009f\p{Bidi_Control}]/u)
    expect(json).not.toMatch(/^ *passed/m)
    expect(JSON.parse(json).kind).toBe('request')
  })
})
