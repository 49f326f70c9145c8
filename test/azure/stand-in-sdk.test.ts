import { createHash, X509Certificate } from 'node:crypto'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { AttestationClient, KnownAttestationType } from '@azure/attestation'
import { decodeJwt, decodeProtectedHeader, importX509, jwtVerify } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { toBase64Url } from '../../src/base/encoding.ts'
import { importKeySet } from '../../src/evidence/jws/key-set.ts'
import { policyHashOf } from '../../src/evidence/token/attestation-token.ts'
import { BUILT_IN_POLICY, ISSUED_CLAIMS } from '../../src/verifier/built-in-policy.ts'
import { INIT, NONCE, NOTHING_PERMITTED, SCOPE, useSdk } from '../support/azure/sdk-client.ts'
import { type StandInProvider, startAzure, trustStandIn } from '../support/azure/stand-in.ts'
import { toPem } from '../support/certificates.ts'
import { expectOk } from '../support/refusal.ts'

/** The SDKs go by the clock of the machine, so the stand-in does too. */
const trusted = getCACertificates('default')
const azure = await startAzure()
trustStandIn(azure)
afterAll(async () => {
  await azure.close()
  setDefaultCACertificates(trusted)
})

const { clientCertificatePem } = azure
const { administer, attest, ask, tokenFor } = useSdk(azure)
const TPM = KnownAttestationType.Tpm

const unsigned = (text: string) => {
  const payload = { AttestationPolicy: toBase64Url(Buffer.from(text)) }
  return `eyJhbGciOiJub25lIn0.${toBase64Url(Buffer.from(JSON.stringify(payload)))}.`
}

describe("Azure's client attests a device", () => {
  test.each([1, 2] as const)('by version %i, under a token of the documented shape', async (v) => {
    const provider = await azure.createProvider({ policy: BUILT_IN_POLICY })
    const report = await attest(provider, { version: v })
    const signers = await new AttestationClient(provider.url).getAttestationSigners()
    const header = decodeProtectedHeader(report)
    const signer = signers.find(({ keyId }) => keyId === header.kid)
    const [leaf = ''] = signer?.certificates ?? []
    const { payload } = await jwtVerify(report, await importX509(leaf, 'RS256'))
    expect(Object.keys(header).sort()).toEqual(['alg', 'kid', 'typ', 'x5c'])
    expect(header).toMatchObject({ alg: 'RS256', typ: 'JWT' })
    expect(header.x5c).toHaveLength(3)
    const { iat = 0, nbf = 0, exp = 0 } = payload
    expect([nbf - iat, exp - iat]).toEqual([-300, 345_600])
    expect(payload).toMatchObject({
      iss: provider.url,
      jti: expect.stringMatching(/^[0-9a-f]{40}$/),
      ver: '1.0',
      'x-ms-ver': '1.0',
      rp_data: NONCE,
      nonce: NONCE,
      cnf: { jwk: { kty: 'RSA' } },
      'x-ms-policy-hash': policyHashOf(BUILT_IN_POLICY),
      secureBootEnabled: true,
      vbsReportPresent: true,
      enclaveSvn: expect.any(Number),
      aikValidated: false,
    })
    expect(payload).not.toHaveProperty('evidence_digests')
    expect('x-ms-tpm-request-key' in payload).toBe(v === 2)
  })

  test('and its token has the claims that issuance rules name, and no others', async () => {
    const provider = await azure.createProvider()
    provider.setPolicy(
      'version=1.0; authorizationrules { => permit(); }; issuancerules {\n' +
        '  // issue(type="vbsEnabled", value=true)\n' +
        '  c:[type=="secureBootEnabled"] => issue(type = "secureBootEnabled", value=c.value);\n' +
        '  c:[type=="tpmVersion"] => issue(type="hardware", value=c.value);\n' +
        '  => issueproperty(type="hvciEnabled", value=1);\n};',
    )
    const claims = Object.keys(decodeJwt(await attest(provider)))
    expect(claims.filter((name) => ISSUED_CLAIMS.some((one) => one === name))).toEqual([
      'secureBootEnabled',
    ])
  })

  test.each([['none'], [NOTHING_PERMITTED]])('in vain under policy %s', async (policy) => {
    const provider = await azure.createProvider(policy === 'none' ? {} : { policy })
    const refusal: unknown = await attest(provider).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ statusCode: 400, code: 'PolicyEvaluationError' })
    expect(String(refusal)).toMatch(/^RestError: Attestation Enclave operation failed with 65518/)
    expect(String(refusal)).toContain('\r\n')
  })

  test('but not with a challenge of its own making', async () => {
    const provider = await azure.createProvider({ policy: BUILT_IN_POLICY })
    const sent = attest(provider, { challenge: new Uint8Array(16) })
    await expect(sent).rejects.toMatchObject({ statusCode: 400, code: 'InvalidParameter' })
  })

  test.each(['2020-10-01', '2022-08-01', '2025-06-01'])('at api-version %s', async (version) => {
    const provider = await azure.createProvider()
    const body = JSON.stringify({ data: toBase64Url(Buffer.from(INIT)) })
    const path = `/attest/Tpm?api-version=${version}`
    expect((await ask(provider, path, { method: 'POST', body, headers: {} })).status).toBe(401)
    const headers = { authorization: `Bearer ${await tokenFor(SCOPE)}` }
    const answer = await ask(provider, path, { method: 'POST', body, headers })
    expect(answer).toMatchObject({ status: 200, body: { data: expect.any(String) } })
    const other = await ask(provider, '/attest/Tpm?api-version=2018', {
      method: 'POST',
      body,
      headers,
    })
    expect(other.body.error.code).toBe('InvalidParameter')
  })
})

describe('keys', () => {
  test('are a padded regional one and two with chains, of which the former has expired', async () => {
    const provider = await azure.createProvider()
    const set = (await (await fetch(`${provider.url}/certs`)).json()) as {
      keys: { kid: string; x5c: string[] }[]
    }
    const shape = set.keys.map((key) => [Object.keys(key).join(), key.x5c.length])
    expect(shape).toEqual([1, 3, 3].map((length) => ['x5c,kid,kty', length]))
    const [regional, signing, former] = set.keys.map(({ kid, x5c }) => {
      const chain = x5c.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
      return { kid, leaf: chain[0] as X509Certificate, chain }
    })
    const spki = regional?.leaf.publicKey.export({ type: 'spki', format: 'der' }) as Buffer
    const hashed = createHash('sha256').update(`${toPem(spki, 'PUBLIC KEY')}\0`)
    expect(regional?.kid).toBe(hashed.digest('base64'))
    expect(regional?.kid).toMatch(/=$/)
    expect(regional?.leaf.subject).toBe(`CN=${provider.url}`)
    expect(regional?.leaf.validTo).toContain('2050')
    for (const { kid, leaf, chain } of [signing, former].flatMap((key) => key ?? [])) {
      expect(kid).toBe(createHash('sha1').update(leaf.raw).digest('base64url'))
      expect(leaf.keyUsage).toEqual(['1.3.6.1.4.1.311.76.50.3'])
      expect(chain.map((one, at) => one.verify((chain[at + 1] ?? one).publicKey))).toEqual([
        true,
        true,
        true,
      ])
    }
    expect((former?.leaf.validToDate.getTime() ?? 0) < Date.now()).toBe(true)
    expect((signing?.leaf.validToDate.getTime() ?? 0) > Date.now()).toBe(true)
    expect(expectOk(await importKeySet(set)).ignored).toEqual([])
  })

  test('are shared by providers, until one of them rotates', async () => {
    const [one, other] = [await azure.createProvider(), await azure.createProvider()]
    const kidsOf = async ({ url }: StandInProvider) =>
      (await new AttestationClient(url).getAttestationSigners()).map(({ keyId }) => keyId)
    const before = await kidsOf(one)
    expect((await kidsOf(other))[0]).toBe(before[0])
    one.rotateKeys()
    const after = await kidsOf(one)
    expect([after[0], after[2]]).toEqual([before[0], before[2]])
    expect(after[1]).not.toBe(before[1])
    one.setPolicy(BUILT_IN_POLICY)
    expect(decodeProtectedHeader(await attest(one)).kid).toBe(after[1])
  })

  test('sign on after their certificate has expired', async () => {
    const provider = await azure.createProvider({ policy: BUILT_IN_POLICY })
    provider.expireLeaf()
    const { kid = '', x5c: [leaf = ''] = [] } = decodeProtectedHeader(await attest(provider))
    const listed = await importKeySet(await (await fetch(`${provider.url}/certs`)).json())
    expect(expectOk(listed).keys.has(kid)).toBe(true)
    const { validToDate } = new X509Certificate(Buffer.from(leaf, 'base64'))
    expect(validToDate.getTime()).toBeLessThan(Date.now())
  })
})

describe("Azure's administration client", () => {
  test('finds no policy, sets one, reads it and resets it', async () => {
    const provider = await azure.createProvider()
    const client = administer(provider)
    const set = await client.setPolicy(TPM, BUILT_IN_POLICY)
    const jws = unsigned(BUILT_IN_POLICY)
    const hash = createHash('sha256').update(jws).digest()
    expect(set.body.policyResolution).toBe('Updated')
    expect(Buffer.from(set.body.policyTokenHash)).toEqual(hash)
    expect((await client.getPolicy(TPM)).body).toBe(BUILT_IN_POLICY)
    expect(provider.attestationPolicyHash()).toBe(policyHashOf(BUILT_IN_POLICY))
    await attest(provider)
    expect((await client.resetPolicy(TPM)).body.policyResolution).toBe('Removed')
    await expect(attest(provider)).rejects.toMatchObject({ code: 'PolicyEvaluationError' })
    const { body } = await ask(provider, '/policies/Tpm?api-version=2020-10-01')
    expect(decodeJwt(body.token)['x-ms-policy']).toBe('eyJhbGciOiJub25lIn0..')
  })

  test('is told of syntax errors and of what is no JWS', async () => {
    const provider = await azure.createProvider()
    const broken = administer(provider).setPolicy(TPM, BUILT_IN_POLICY.replace(');', ')'))
    await expect(broken).rejects.toMatchObject({ statusCode: 400, code: 'PolicyParsingError' })
    const path = '/policies/Tpm?api-version=2020-10-01'
    const headers = { authorization: `Bearer ${await tokenFor(SCOPE)}` }
    const text = await ask(provider, path, { method: 'PUT', body: 'version=1.0;', headers })
    expect(text).toMatchObject({ status: 400, body: { error: { code: 'InvalidOperation' } } })
  })

  test('can sign policies, and an isolated provider takes no others', async () => {
    const isolated = await azure.createProvider({ isolated: true })
    const client = administer(isolated)
    const { certificatePem: certificate, privateKeyPem: privateKey } = isolated.policySigner
    await expect(client.setPolicy(TPM, BUILT_IN_POLICY)).rejects.toMatchObject({
      statusCode: 400,
      code: 'InvalidOperation',
    })
    const [foreign, key = ''] = clientCertificatePem.split(/(?=-----BEGIN PRIVATE)/)
    const asAnother = { certificate: foreign ?? '', privateKey: key }
    await expect(client.setPolicy(TPM, BUILT_IN_POLICY, asAnother)).rejects.toMatchObject({
      statusCode: 400,
      code: 'InvalidParameter',
    })
    const set = await client.setPolicy(TPM, BUILT_IN_POLICY, { certificate, privateKey })
    expect(set.body.policySigner?.certificates).toHaveLength(1)
    expect((await client.getPolicy(TPM)).body).toBe(BUILT_IN_POLICY)
    expect(decodeJwt(await attest(isolated))).toHaveProperty('x-ms-policy-signer')
    await expect(client.resetPolicy(TPM)).rejects.toMatchObject({ code: 'InvalidOperation' })
    await client.resetPolicy(TPM, { certificate, privateKey })
    expect(isolated.attestationPolicyHash()).toBe(policyHashOf(''))
  })

  test('manages the signers of an isolated provider, and of no other', async () => {
    const isolated = await azure.createProvider({ isolated: true })
    const client = administer(isolated)
    const { certificatePem, privateKeyPem } = isolated.policySigner
    const [added = ''] = clientCertificatePem.split(/(?=-----BEGIN PRIVATE)/)
    const change = await client.addPolicyManagementCertificate(added, privateKeyPem, certificatePem)
    expect(change.body.certificateResolution).toBe('IsPresent')
    expect((await client.getPolicyManagementCertificates()).body).toHaveLength(2)
    await client.removePolicyManagementCertificate(added, privateKeyPem, certificatePem)
    expect((await client.getPolicyManagementCertificates()).body).toHaveLength(1)
    const shared = administer(await azure.createProvider())
    expect((await shared.getPolicyManagementCertificates()).body).toEqual([])
    await expect(
      shared.addPolicyManagementCertificate(added, privateKeyPem, certificatePem),
    ).rejects.toMatchObject({ statusCode: 400, code: 'InvalidOperation' })
  })
})
