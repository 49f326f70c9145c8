import { beforeAll, describe, expect, test } from 'vitest'
import { comparisonsOf } from '../../src/base/comparison.ts'
import { digest } from '../../src/base/digest.ts'
import { toBase64Url, toHex, toUtf8 } from '../../src/base/encoding.ts'
import { ok } from '../../src/base/result.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice, type VirtualDevice } from '../../src/simulator/virtual-device.ts'
import { type CertificateRequest, issueCertificate } from '../support/certificates.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import {
  attackerOf,
  boundNonce,
  type Challenge,
  currentOf,
  makeAuthority,
  makeRequest,
  makeVerifier,
  NOW,
  type Payload,
  payloadOf,
  payloadText,
  setQuote,
  signRequest,
  type TestVerifier,
} from './harness.ts'

const keys = independentKeys()
let authority: Awaited<ReturnType<typeof makeAuthority>>
let verifier: TestVerifier
let device: VirtualDevice
let other: VirtualDevice
let attack: ReturnType<typeof attackerOf>

beforeAll(async () => {
  authority = await makeAuthority()
  verifier = await makeVerifier()
  device = await startVirtualDevice({ name: 'one', keys, issuer: authority.issue })
  other = await startVirtualDevice({ name: 'two', keys, issuer: authority.issue })
  attack = attackerOf(verifier, device)
})

describe('freshness', () => {
  test('answering after the challenge expired', async () => {
    const request = await makeRequest(device, await verifier.challenge())
    const late = new Date(NOW.getTime() + 300_000)
    expectRefusal(await verifier.send({ request }, { now: late }), 'context_expired')
  })

  test('the context of another verifier', async () => {
    const request = await makeRequest(device, await verifier.challenge())
    const keys = { serviceContext: [new Uint8Array(32)] as const }
    expectRefusal(await verifier.send({ request }, { keys }), 'context_foreign')
  })

  test('a second message to one challenge, whatever it holds', async () => {
    const challenge = await verifier.challenge()
    expectOk(await verifier.send({ request: await makeRequest(device, challenge) }))
    for (const by of [device, other]) {
      const request = await makeRequest(by, challenge, { withoutEnclave: true })
      const failure = expectRefusal(await verifier.send({ request }), 'context_spent')
      // Anybody can send a copy.
      expect(failure).toMatchObject({ provenAik: undefined })
    }
  })

  test('a message whose quote is not over the challenge uses it up for nobody', async () => {
    const challenge = await verifier.challenge()
    const old = await makeRequest(device, await verifier.challenge(), { withoutEnclave: true })
    const payload = payloadOf(old)
    payload.att_data.challenge = toBase64Url(challenge.challenge)
    payload.att_data.service_context = challenge.serviceContext
    const request = await signRequest(device.requestKey, 2, payload)
    expectRefusal(await verifier.send({ request }), 'quote_nonce_mismatch')
    expectOk(await verifier.send({ request: await makeRequest(device, challenge) }))
  })

  test('an old challenge beside a new context', async () => {
    const old = await verifier.challenge()
    const fresh = await verifier.challenge()
    const mixed = { challenge: old.challenge, serviceContext: fresh.serviceContext }
    const request = await makeRequest(device, mixed)
    const failure = expectRefusal(await verifier.send({ request }), 'context_challenge_mismatch')
    expect(comparisonsOf(failure)).toEqual([
      { what: 'challenge', expected: toHex(fresh.challenge), found: toHex(old.challenge) },
    ])
  })

  test('an old quote in a request for a new challenge', async () => {
    const old = payloadOf(await makeRequest(device, await verifier.challenge()))
    const result = await attack((data) => {
      const { quote, signature } = currentOf(old.att_data.report_signed)
      Object.assign(currentOf(data), { quote, signature })
    })
    const failure = expectRefusal(result, 'quote_nonce_mismatch')
    expect(failure).toMatchObject({ provenAik: undefined })
  })

  test('an old platform claim in a version 1 request', async () => {
    const result = await attack(
      (data) => {
        data.tpm_att_data.current_claim = toBase64Url(device.tpm.claimPlatform(new Uint8Array(16)))
      },
      { version: 1 },
    )
    expectRefusal(result, 'quote_nonce_mismatch')
  })
})

describe('identity', () => {
  test('the quote of another device under this AK', async () => {
    const result = await attack((data, challenge) => {
      setQuote(data, other, { nonce: boundNonce(data, challenge) })
    })
    expectRefusal(result, 'quote_signature_invalid')
  })

  test('the whole evidence of a healthy device under a key of ours', async () => {
    const challenge = await verifier.challenge()
    const payload = payloadOf(await makeRequest(other, challenge, { withoutEnclave: true }))
    payload.att_data.request_key.jwk = publicJwk(device.requestKey)
    const request = await signRequest(device.requestKey, 2, payload)
    expectRefusal(await verifier.send({ request }), 'quote_nonce_mismatch')
  })

  /**
   * A limit of the protocol: a verifier that an agent trusts chooses its challenge, and may choose the
   * hash over a key of its own and a challenge of ours. An agent must ask its TPM for no such thing,
   * as ours does not; the report of an enclave cannot be had by it either way.
   */
  test('the quote of an agent over a challenge that is the hash over a key of ours', async () => {
    const challenge = await verifier.challenge()
    const lure = async (withoutEnclave: boolean) => {
      const payload = payloadOf(await makeRequest(device, challenge, { withoutEnclave: true }))
      payload.att_data.request_key.jwk = publicJwk(other.requestKey)
      setQuote(payload.att_data, device, { nonce: boundNonce(payload.att_data, challenge) })
      if (withoutEnclave) return signRequest(other.requestKey, 2, payload)
      const theirs = payloadOf(await makeRequest(device, challenge))
      const vsm_report = theirs.att_data.vsm_report
      const att_data = { report_signed: payload.att_data, vsm_report }
      return signRequest(other.requestKey, 2, { att_type: 'vbs', att_data })
    }
    const asVbs = await verifier.send({ request: await lure(false) })
    expectRefusal(asVbs, 'enclave_data_mismatch')
    const spendContext = async () => ok(true as const)
    expectOk(await verifier.send({ request: await lure(true) }, { spendContext }))
  })

  test('a request key written anew after it was quoted', async () => {
    const result = await attack((data) => {
      const { kty, n, e } = data.request_key.jwk
      data.request_key.jwk = { e, kty, n }
    })
    expectRefusal(result, 'quote_nonce_mismatch')
  })

  test('a request signed by another key than it names', async () => {
    const challenge = await verifier.challenge()
    for (const version of [1, 2] as const) {
      const text = payloadText(await makeRequest(device, challenge, { version }))
      const request = await signRequest(other.requestKey, version, text)
      expectRefusal(await verifier.send({ request }), 'request_signature_invalid')
    }
  })

  test('a version 2 payload under a version 1 header, and the reverse', async () => {
    const challenge = await verifier.challenge()
    for (const version of [1, 2] as const) {
      for (const withoutEnclave of [false, true]) {
        const options = { version, withoutEnclave }
        const text = payloadText(await makeRequest(device, challenge, options))
        const request = await signRequest(device.requestKey, version === 1 ? 2 : 1, text)
        expectRefusal(await verifier.send({ request }), 'message_member_misplaced')
      }
    }
  })

  test('weak, even and other unusable keys', async () => {
    const bad = (jwk: Payload) =>
      attack((data) => {
        Object.assign(data.request_key.jwk, jwk)
      })
    expectRefusal(await bad({ n: toBase64Url(new Uint8Array(128).fill(255)) }), 'tpm_key_weak')
    expectRefusal(await bad({ n: '' }), 'tpm_key_malformed')
    expectRefusal(await bad({ e: 'Aw' }), 'tpm_key_weak')
    expectRefusal(
      await bad({ n: toBase64Url(new Uint8Array(700).fill(255)) }),
      'tpm_key_unsupported',
    )
    const aik = await attack((data) => {
      currentOf(data).aik_pub = { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }
    })
    expectRefusal(aik, 'tpm_key_unsupported')
  })
})

describe('attestation key certificates', () => {
  const validity = {
    notBefore: new Date(NOW.getTime() - 1_000),
    notAfter: new Date(NOW.getTime() + 1_000),
  }
  const certifyAk = async (request: Partial<CertificateRequest>) => {
    const spki = new Uint8Array(device.tpm.attestationKey.export({ type: 'spki', format: 'der' }))
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    const publicKey = await crypto.subtle.importKey('spki', spki, algorithm, true, ['verify'])
    const key = { publicKey, privateKey: publicKey }
    const subject = 'AK'
    const issued = await issueCertificate({ subject, key, ...validity, ...request })
    return toBase64Url(issued.der)
  }
  const send = async (edit: (data: Payload) => void, now = NOW) => {
    const challenge = await verifier.challenge()
    const payload = payloadOf(await makeRequest(device, challenge, { withoutEnclave: true }))
    edit(payload.att_data)
    const request = await signRequest(device.requestKey, 2, payload)
    return verifier.send({ request }, { config: { trust: authority.trust }, now })
  }

  test('neither key nor certificate', async () => {
    const result = await send((data) => {
      delete currentOf(data).aik_pub
      delete currentOf(data).aik_cert
    })
    expectRefusal(result, 'aik_missing')
  })

  test('the certificate of another device beside this AK', async () => {
    const certificate = toBase64Url(other.attestationCertificate ?? new Uint8Array())
    const result = await send((data) => {
      currentOf(data).aik_cert = certificate
    })
    expectRefusal(result, 'aik_certificate_key_mismatch')
  })

  test('the certificate of another device alone', async () => {
    const result = await send((data) => {
      delete currentOf(data).aik_pub
      currentOf(data).aik_cert = toBase64Url(other.attestationCertificate ?? new Uint8Array())
    })
    expectRefusal(result, 'quote_signature_invalid')
  })

  test('no certificate where anchors are configured; the attempt is attributable', async () => {
    const result = await send((data) => {
      delete currentOf(data).aik_cert
    })
    const failure = expectRefusal(result, 'aik_not_certified')
    expect(failure).toMatchObject({
      provenAik: { deviceKey: Buffer.from(device.deviceKey, 'base64') },
    })
  })

  test('a certificate of an authority that nobody configured', async () => {
    const elsewhere = await issueCertificate({ subject: 'Unknown root', ca: true, ...validity })
    const certificate = await certifyAk({ issuer: elsewhere, extendedKeyUsage: ['2.23.133.8.3'] })
    const result = await send((data) => {
      currentOf(data).aik_cert = certificate
    })
    expectRefusal(result, 'certificate_issuer_unknown')
  })

  test('an expired certificate', async () => {
    const inTwoYears = new Date(NOW.getTime() + 2 * 365 * 86_400_000)
    const challenge = await challengeAt(inTwoYears)
    const request = await makeRequest(device, challenge, { withoutEnclave: true })
    const config = { trust: authority.trust }
    const result = await verifier.send({ request }, { config, now: inTwoYears })
    expectRefusal(result, 'certificate_expired')
  })

  test('bytes that are no certificate', async () => {
    const result = await send((data) => {
      currentOf(data).aik_cert = 'AAAA'
    })
    expectRefusal(result, 'certificate_malformed')
  })
})

async function challengeAt(now: Date): Promise<Challenge> {
  const answer = expectOk(await verifier.send({ type: 'aikcert' }, { now }))
  const { payload } = JSON.parse(Buffer.from(answer.data, 'base64url').toString())
  return {
    challenge: Buffer.from(payload.challenge, 'base64url'),
    serviceContext: payload.service_context,
  }
}

describe('messages', () => {
  test('an unknown or missing api-version, whatever the message says', async () => {
    expectRefusal(
      await verifier.send({ type: 'aikcert' }, { apiVersion: '' }),
      'api_version_missing',
    )
    const preview = { apiVersion: '2018-09-01-preview' }
    expectRefusal(await verifier.send({ type: 'aikcert' }, preview), 'api_version_unsupported')
  })

  test.each(['none', 'RS256', 'HS256'])('a request whose header says %s', async (alg) => {
    const honest = await makeRequest(device, await verifier.challenge())
    const header = toBase64Url(toUtf8(JSON.stringify({ alg, typ: 'attReqV2' })))
    const request = [header, ...honest.split('.').slice(1)].join('.')
    expectRefusal(await verifier.send({ request }), 'request_algorithm_unsupported')
    const unsigned = `${request.slice(0, request.lastIndexOf('.'))}.`
    expectRefusal(await verifier.send({ request: unsigned }), 'request_algorithm_unsupported')
  })

  test('a refusal keeps no evidence', async () => {
    const request = await makeRequest(device, await verifier.challenge())
    const late = new Date(NOW.getTime() + 300_000)
    const result = await verifier.send({ request }, { now: late })
    expect(JSON.stringify(result).length).toBeLessThan(1_000)
    expect(result).toMatchObject({
      failure: {
        digests: { boot_log: toBase64Url(digest('sha256', device.bootLog.bytes)) },
        trace: [{ step: 'service_context', outcome: 'failed', detail: 'context_expired' }],
      },
    })
  })
})
