import { decodeJwt, decodeProtectedHeader, importX509, jwtVerify } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { CLAIM_NAMES } from '../../src/appraisal/claims.ts'
import { readAttestationClaims } from '../../src/appraisal/read-claims.ts'
import { digest } from '../../src/base/digest.ts'
import { toBase64Url } from '../../src/base/encoding.ts'
import { importKeySet } from '../../src/evidence/jws/key-set.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice, type VirtualDevice } from '../../src/simulator/virtual-device.ts'
import { BUILT_IN_POLICY_HASH, ISSUED_CLAIMS } from '../../src/verifier/built-in-policy.ts'
import { BUILT_IN_KINDS } from '../../src/verifier/kinds/built-in.ts'
import { listCertificates } from '../../src/verifier/protocol/metadata.ts'
import { REQUEST_STEPS } from '../../src/verifier/steps/trace.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'
import { verifyToken } from '../support/verify-token.ts'
import {
  ISSUER,
  makeAuthority,
  makeRequest,
  makeVerifier,
  NOW,
  type Payload,
  payloadOf,
  RP_DATA,
  readData,
  signRequest,
  type TestVerifier,
} from './harness.ts'

let authority: Awaited<ReturnType<typeof makeAuthority>>
let verifier: TestVerifier
let device: VirtualDevice

beforeAll(async () => {
  authority = await makeAuthority()
  verifier = await makeVerifier()
  device = await startVirtualDevice({
    name: 'healthy',
    keys: independentKeys(),
    issuer: authority.issue,
  })
})

async function attest(options: Parameters<typeof makeRequest>[2] = {}, config = {}) {
  const request = await makeRequest(device, await verifier.challenge(), options)
  const answer = expectOk(await verifier.send({ request }, { config }))
  const token: string = readData(answer.data).payload.report
  return { answer, token, claims: decodeJwt<Payload>(token) }
}

describe('initial message', () => {
  test('gets a challenge of 16 bytes and another one each time', async () => {
    const [one, two] = [await verifier.challenge(), await verifier.challenge()]
    expect(one.challenge).toHaveLength(16)
    expect(one.challenge).not.toEqual(two.challenge)
    expect(one.serviceContext).not.toBe(two.serviceContext)
  })
})

describe('attestation', () => {
  test.each([
    [1, 'vbs'],
    [2, 'basic'],
    [2, 'vbs'],
  ] as const)('of a healthy device, version %d %s', async (version, type) => {
    const { claims } = await attest({ version, withoutEnclave: type === 'basic' })
    expect(claims).toMatchObject({
      aikPubHash: device.deviceKey,
      aikValidated: false,
      tpmVersion: 2,
      secureBootEnabled: true,
      vbsEnabled: true,
      hvciEnabled: true,
      testSigningDisabled: true,
      vbsReportPresent: type === 'vbs',
      cnf: { jwk: publicJwk(device.requestKey) },
    })
    expect('enclaveAuthorId' in claims).toBe(type === 'vbs')
    expect('x-ms-tpm-request-key' in claims).toBe(version === 2)
  })

  test('by a request whose key nothing binds is refused, before anything else is looked at', async () => {
    const options = { version: 1, withoutEnclave: true } as const
    const request = await makeRequest(device, await verifier.challenge(), options)
    const failure = expectRefusal(await verifier.send({ request }), 'legacy_request_key_unbound')
    expect(failure).toMatchObject({ trace: [], provenAik: undefined })
  })

  test.each([
    ['in the header of the statement', 0, 'Magic'],
    ['in the quote of the statement', undefined, 'magic'],
  ] as const)('a fault %s is in the trace, with what was there', async (_, at, field) => {
    const challenge = await verifier.challenge()
    const honest = payloadOf(await makeRequest(device, challenge, { version: 1 }))
    const tpm = honest.att_data.report_signed.tpm_att_data
    const statement = Buffer.from(tpm.current_claim, 'base64url')
    const place = at ?? 24 + statement.readUInt32LE(12)
    statement.writeUInt32LE(0, place)
    tpm.current_claim = statement.toString('base64url')
    const request = await signRequest(device.requestKey, 1, honest)
    const refused = await verifier.send({ request }, { tracesValues: true })
    const failure = expectRefusal(refused, 'unexpected_value')
    expect(failure).toMatchObject({ field, offset: place })
    expect(failure.trace).toMatchObject([
      {
        ...{ step: 'message', outcome: 'failed', detail: 'unexpected_value' },
        compared: [{ what: expect.stringMatching(`${field}$`), found: '0x00000000 (0)' }],
      },
    ])
  })

  test('where such requests are accepted, their tokens confirm no key', async () => {
    const options = { version: 1, withoutEnclave: true } as const
    const { claims } = await attest(options, { legacyUnboundRequestKey: 'accept' })
    expect(claims).toMatchObject({ aikPubHash: device.deviceKey, vbsReportPresent: false })
    expect(claims).not.toHaveProperty('cnf')
    expect(claims).not.toHaveProperty('x-ms-tpm-request-key')
    const bound = await attest({}, { legacyUnboundRequestKey: 'accept' })
    expect(bound.claims).toMatchObject({ cnf: { jwk: publicJwk(device.requestKey) } })
  })

  test('the token is signed by the published key and bound to time, issuer and policy', async () => {
    const { token, claims } = await attest()
    const { kid, x5c } = verifier.keys.tokenSigning
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'RS256', kid, typ: 'JWT', x5c })
    const pem = `-----BEGIN CERTIFICATE-----\n${x5c[0]}\n-----END CERTIFICATE-----`
    await jwtVerify(token, await importX509(pem, 'RS256'), {
      issuer: ISSUER,
      algorithms: ['RS256'],
      currentDate: NOW,
    })
    const iat = NOW.getTime() / 1000
    expect(claims).toMatchObject({ iat, nbf: iat - 300, exp: iat + 28_800, iss: ISSUER })
    expect(claims).toMatchObject({ ver: '1.0', 'x-ms-ver': '1.0' })
    expect(claims.jti).toMatch(/^[0-9a-f]{40}$/)
    expect(claims['x-ms-policy-hash']).toBe(BUILT_IN_POLICY_HASH)
    expect(claims).toMatchObject({ rp_data: RP_DATA, nonce: RP_DATA })
  })

  test('the token passes every check of a relying party', async () => {
    const keys = expectOk(await importKeySet(listCertificates([verifier.keys.tokenSigning])))
    const attestationPolicyHashes = [BUILT_IN_POLICY_HASH]
    for (const version of [1, 2] as const) {
      const { token, claims } = await attest({ version })
      const verified = expectOk(
        await verifyToken(token, {
          issuers: [{ issuer: ISSUER, keys, attestationPolicyHashes }],
          now: NOW,
          maxAgeSeconds: 3_600,
          clockSkewSeconds: 0,
        }),
      )
      expect(toBase64Url(verified.nonce ?? Uint8Array.of())).toBe(RP_DATA)
      expect(verified.confirmation?.jwk).toEqual(publicJwk(device.requestKey))
      expect(verified.payload).toEqual(claims)
      const appraisable = expectOk(readAttestationClaims(verified.payload))
      expect(appraisable).toMatchObject({ aikPubHash: device.deviceKey, enclaveSvn: 5 })
    }
  })

  test('every claim that is issued is one that relying parties know', () => {
    expect([...ISSUED_CLAIMS].sort()).toEqual([...CLAIM_NAMES].sort())
  })

  test('no two tokens share an id, and the lifetime is configured', async () => {
    const one = await attest({}, { tokenLifetimeMs: 60_000 })
    const two = await attest()
    expect(one.claims.jti).not.toBe(two.claims.jti)
    expect(one.claims.exp - one.claims.iat).toBe(60)
  })

  test('enclave claims are those of the report', async () => {
    const { claims } = await attest()
    const { enclave } = device
    if (enclave === null) expect.fail('the device has an enclave')
    expect(claims).toMatchObject({
      enclaveAuthorId: toBase64Url(enclave.authorId),
      enclaveOwnerId: toBase64Url(enclave.ownerId),
      enclaveFamilyId: toBase64Url(enclave.familyId),
      enclaveImageId: toBase64Url(enclave.imageId),
      enclaveUniqueId: toBase64Url(enclave.uniqueId),
      enclaveSvn: 5,
      enclavePlatformSvn: 1,
      enclaveSecureKernelSvn: 1,
      enclaveFlags: 0,
    })
    expect(claims.enclaveImageId).toHaveLength(22)
    expect(claims.enclaveAuthorId).toHaveLength(43)
  })

  test('what was measured as switched off is issued as such, not refused', async () => {
    const weak = await startVirtualDevice({
      name: 'weak',
      keys: independentKeys(),
      boot: { secureBoot: false, testSigning: true, bitlockerUnlock: 0 },
      enclave: { flags: 1 },
    })
    const request = await makeRequest(weak, await verifier.challenge())
    const answer = expectOk(await verifier.send({ request }))
    expect(decodeJwt(readData(answer.data).payload.report)).toMatchObject({
      secureBootEnabled: false,
      testSigningDisabled: false,
      bitlockerEnabled: false,
      enclaveFlags: 1,
    })
  })

  test('without rp_data the token has neither rp_data nor nonce', async () => {
    const challenge = await verifier.challenge()
    const payload = payloadOf(await makeRequest(device, challenge, { withoutEnclave: true }))
    delete payload.att_data.rp_data
    const request = await signRequest(device.requestKey, 2, payload)
    const answer = expectOk(await verifier.send({ request }))
    const claims = decodeJwt(readData(answer.data).payload.report)
    expect(Object.keys(claims)).not.toEqual(expect.arrayContaining(['rp_data']))
    expect(Object.keys(claims)).not.toEqual(expect.arrayContaining(['nonce']))
  })

  test('the record names the device, the steps and digests of the evidence, and no evidence', async () => {
    const { answer } = await attest()
    if (answer.kind !== 'report') expect.fail('not a report')
    expect(Buffer.from(answer.deviceKey).toString('base64')).toBe(device.deviceKey)
    expect(answer.digests.boot_log).toBe(toBase64Url(digest('sha256', device.bootLog.bytes)))
    expect(Object.keys(answer.digests)).toEqual(['quote', 'boot_log', 'enclave_report'])
    const steps = [...REQUEST_STEPS, ...BUILT_IN_KINDS.flatMap((kind) => kind.steps)]
    const taken = steps.filter((step) => step !== 'boot_before_hibernation')
    expect(answer.trace.map(({ step }) => step)).toEqual(taken)
    expect(answer.trace.every(({ outcome }) => outcome === 'passed')).toBe(true)
    expect(JSON.stringify(answer.trace).length).toBeLessThan(2_000)
  })
})

describe('keys', () => {
  test('a request key in the quote', async () => {
    const { claims } = await attest()
    expect(claims['x-ms-tpm-request-key']).toEqual({
      jwk: publicJwk(device.requestKey),
      info: { tpm_quote: { hash_alg: 'sha-256' } },
    })
  })

  test('a request key certified by the TPM', async () => {
    const { claims } = await attest({ binding: 'certify' })
    expect(claims['x-ms-tpm-request-key'].info).toEqual({
      tpm_certify: { name_alg: 11, obj_attr: 0x00040072, auth_policy: '' },
    })
  })

  test.each([
    ['sha-384', 'sha384'],
    ['sha-512', 'sha512'],
  ] as const)('a quote bound by %s, over the text of the key as written', async (name, hash) => {
    const challenge = await verifier.challenge()
    const payload = payloadOf(await makeRequest(device, challenge, { withoutEnclave: true }))
    const { n, e } = publicJwk(device.requestKey)
    const jwkText = `{ "n":"${n}",\n  "kty":"RSA", "use":"sig", "e":"${e}" }`
    const nonce = digest(hash, Buffer.from(jwkText), Uint8Array.of(0), challenge.challenge)
    const quote = device.tpm.quote({ nonce, bank: 'sha256' })
    const current = payload.att_data.tpm_att_data.current_attestation
    current.quote = toBase64Url(quote.attest)
    current.signature = toBase64Url(quote.signature)
    payload.att_data.request_key = { jwk: '@', info: { tpm_quote: { hash_alg: name } } }
    const text = JSON.stringify(payload).replace('"@"', () => jwkText)
    const request = await signRequest(device.requestKey, 2, text)
    const answer = expectOk(await verifier.send({ request }))
    const claims = decodeJwt<Payload>(readData(answer.data).payload.report)
    expect(claims['x-ms-tpm-request-key'].info.tpm_quote.hash_alg).toBe(name)
    expect(claims.cnf.jwk).toEqual({ kty: 'RSA', n, e })
  })

  test('other keys: one that the TPM certified, one that nobody vouches for', async () => {
    const keys = independentKeys()
    const [certified, plain] = [await keys(), await keys()]
    const challenge = await verifier.challenge()
    const payload = payloadOf(await makeRequest(device, challenge, { withoutEnclave: true }))
    const proof = device.tpm.certify({ key: certified, nonce: challenge.challenge })
    const info = {
      public: toBase64Url(proof.public),
      certification: toBase64Url(proof.certification),
      signature: toBase64Url(proof.signature),
    }
    payload.att_data.other_keys = [
      { jwk: publicJwk(certified), info: { tpm_certify: info } },
      { jwk: publicJwk(plain) },
    ]
    const request = await signRequest(device.requestKey, 2, payload)
    const answer = expectOk(await verifier.send({ request }))
    expect(decodeJwt(readData(answer.data).payload.report)['x-ms-tpm-other-keys']).toEqual([
      {
        jwk: publicJwk(certified),
        info: { tpm_certify: { name_alg: 11, obj_attr: 0x00040072, auth_policy: '' } },
      },
      { jwk: publicJwk(plain) },
    ])
  })

  test('an elliptic-curve attestation key', async () => {
    const { generateKeyPairSync } = await import('node:crypto')
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const rsa = independentKeys()
    let first = true
    const keys = async () => {
      if (!first) return rsa()
      first = false
      return privateKey
    }
    const ecDevice = await startVirtualDevice({ name: 'ec', keys, issuer: authority.issue })
    const request = await makeRequest(ecDevice, await verifier.challenge())
    const config = { trust: authority.trust }
    const answer = expectOk(await verifier.send({ request }, { config }))
    const claims = decodeJwt(readData(answer.data).payload.report)
    expect(claims).toMatchObject({ aikPubHash: ecDevice.deviceKey, aikValidated: true })
  })
})

describe('certified attestation keys', () => {
  test('a chain to a configured anchor is stated in the token', async () => {
    const { claims } = await attest({}, { trust: authority.trust })
    expect(claims.aikValidated).toBe(true)
  })

  test('the certificate alone names the key', async () => {
    const challenge = await verifier.challenge()
    const payload = payloadOf(await makeRequest(device, challenge, { withoutEnclave: true }))
    delete payload.att_data.tpm_att_data.current_attestation.aik_pub
    const request = await signRequest(device.requestKey, 2, payload)
    const answer = expectOk(await verifier.send({ request }))
    expect(decodeJwt(readData(answer.data).payload.report).aikPubHash).toBe(device.deviceKey)
  })
})

describe('claims of the agent itself', () => {
  test('custom claims named like platform claims change nothing', async () => {
    const plain = await startVirtualDevice({
      name: 'secure boot off',
      keys: independentKeys(),
      boot: { secureBoot: false, hvci: false },
    })
    const challenge = await verifier.challenge()
    const payload = payloadOf(await makeRequest(plain, challenge, { withoutEnclave: true }))
    payload.att_data.custom_claims = [
      { name: 'secureBootEnabled', value: 'true', value_type: 'boolean' },
      { name: 'aikValidated', value: true, value_type: 'boolean' },
      { name: 'enclaveAuthorId', value: 'AAAA', value_type: 'string' },
      { name: 'iss', value: 'https://other.example', value_type: 'string' },
    ]
    const request = await signRequest(plain.requestKey, 2, payload)
    const answer = expectOk(await verifier.send({ request }))
    const claims = decodeJwt(readData(answer.data).payload.report)
    expect(claims).toMatchObject({ secureBootEnabled: false, aikValidated: false, iss: ISSUER })
    expect('enclaveAuthorId' in claims).toBe(false)
  })
})

describeVectors('shape of a documented TPM token', () => {
  // Microsoft's sample is of a `basic` request of version 1: Azure puts into `cnf` what nothing binds.
  test('our version 1 token has every member of it but cnf, in this order', async () => {
    const { payload } = vectorJson('maa/docs-samples/tpm-token-healthattestation-csp.decoded.json')
    const options = { version: 1, withoutEnclave: true } as const
    const { claims } = await attest(options, { legacyUnboundRequestKey: 'accept' })
    const names = Object.keys(claims)
    const theirs = Object.keys(payload).filter((name) => name !== 'cnf')
    expect(names.filter((name) => theirs.includes(name))).toEqual(theirs)
    for (const name of theirs) expect(typeof claims[name]).toBe(typeof payload[name])
    expect(claims.nbf - claims.iat).toBe(payload.nbf - payload.iat)
    expect(payload.jti).toHaveLength(claims.jti.length)
  })
})
