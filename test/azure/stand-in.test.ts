import {
  AttestationAdministrationClient,
  AttestationClient,
  KnownAttestationType,
} from '@azure/attestation'
import { ClientSecretCredential } from '@azure/identity'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { RECOMMENDED_POLICY } from '../../src/azure/policy/recommended.ts'
import { toBase64Url } from '../../src/encoding.ts'
import { importKeySet } from '../../src/evidence/key-set.ts'
import { makeAttestationRequest } from '../../src/simulator/attestation-request.ts'
import { createClientCertificate } from '../support/azure/certificates.ts'
import { startAzure, trustStandIn } from '../support/azure/stand-in.ts'
import { expectOk } from '../support/refusal.ts'
import { START, startDevice } from '../support/service.ts'
import { vectorJson } from '../support/vectors.ts'

const azure = await startAzure({ clock: () => START })
afterAll(() => azure.close())
trustStandIn(azure)

const { tenantId, clientId, clientSecret, authorityHost } = azure
const credential = (secret = clientSecret) =>
  new ClientSecretCredential(tenantId, clientId, secret, {
    authorityHost,
    disableInstanceDiscovery: true,
  })

const clientOf = (url: string) => new AttestationClient(url, credential())

describe("Azure's own client", () => {
  test('attests a device in two messages, and gets a token of the documented form', async () => {
    const provider = await azure.createProvider({ policy: RECOMMENDED_POLICY })
    const client = clientOf(provider.url)
    const init = JSON.stringify({ payload: { type: 'aikcert' } })
    const { payload } = JSON.parse(await client.attestTpm(init))
    const recorded = vectorJson('maa/tpm-protocol/init-exchange-wus-2022-11-17.json') as {
      response_data_decoded: string
    }
    const { payload: real } = JSON.parse(recorded.response_data_decoded)
    expect(Object.keys(payload)).toEqual(Object.keys(real))
    expect(payload.challenge).toHaveLength(real.challenge.length)

    const request = await makeAttestationRequest({
      device: await startDevice(),
      version: 2,
      binding: 'quote',
      challenge: Buffer.from(payload.challenge, 'base64url'),
      serviceContext: payload.service_context,
      rpId: provider.url,
      rpData: toBase64Url(Buffer.from('nonce')),
    })
    const answer = await client.attestTpm(JSON.stringify({ payload: { request } }))
    const { report } = JSON.parse(answer).payload
    const header = decodeProtectedHeader(report)
    expect(header).toEqual({ typ: 'JWT', alg: 'RS256', x5c: header.x5c, kid: header.kid })
    expect(header.x5c).toHaveLength(3)
    expect(Buffer.from(header.kid ?? '', 'base64url')).toHaveLength(20)
    const claims = decodeJwt(report)
    const [sample] = [
      vectorJson('maa/docs-samples/tpm-token-healthattestation-csp.decoded.json') as {
        payload: Record<string, number>
      },
    ]
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(
      (sample?.payload.exp ?? 0) - (sample?.payload.iat ?? 0),
    )
    expect(claims).toMatchObject({
      iss: provider.url,
      nonce: toBase64Url(Buffer.from('nonce')),
      'x-ms-policy-hash': provider.policyHash(),
      secureBootEnabled: true,
      enclaveFlags: 0,
    })
    expect(claims).not.toHaveProperty('evidence_digests')
  })

  test('gets no token under a policy that permits nothing, or under none', async () => {
    const provider = await azure.createProvider()
    await expect(
      attest(clientOf(provider.url)),
      'a provider starts without a policy',
    ).rejects.toMatchObject({ statusCode: 400, code: 'PolicyEvaluationError' })
  })

  test('gets only the claims that the policy issues', async () => {
    const policy =
      'version=1.2; authorizationrules { => permit(); }; issuancerules { c:[type=="vbsEnabled"] => issue(type="vbsEnabled", value=c.value); };'
    const provider = await azure.createProvider({ policy })
    const claims = decodeJwt(await attest(clientOf(provider.url)))
    expect(claims.vbsEnabled).toBe(true)
    expect(claims).not.toHaveProperty('secureBootEnabled')
  })

  test('is turned away without a token, and by Entra with the wrong secret', async () => {
    const provider = await azure.createProvider({ policy: RECOMMENDED_POLICY })
    await expect(attest(new AttestationClient(provider.url))).rejects.toMatchObject({
      statusCode: 401,
    })
    const wrong = new AttestationClient(provider.url, credential('wrong'))
    await expect(attest(wrong)).rejects.toMatchObject({ name: 'AuthenticationRequiredError' })
  })
})

describe("Azure's own administration client", () => {
  test('reads, replaces and removes the policy', async () => {
    const provider = await azure.createProvider()
    const client = new AttestationAdministrationClient(provider.url, credential(), {
      validationOptions: { validateExpirationTime: false, validateNotBeforeTime: false },
    })
    const tpm = KnownAttestationType.Tpm
    const set = await client.setPolicy(tpm, RECOMMENDED_POLICY)
    expect(set.body.policyResolution).toBe('Updated')
    expect((await client.getPolicy(tpm)).body).toBe(RECOMMENDED_POLICY)
    await client.resetPolicy(tpm)
    expect(provider.policyHash()).not.toBe('')
  })

  test('cannot publish an unsigned policy at an isolated provider', async () => {
    const signer = await createSigner()
    const provider = await azure.createProvider({ policySigners: [signer] })
    const client = new AttestationAdministrationClient(provider.url, credential())
    await expect(
      client.setPolicy(KnownAttestationType.Tpm, RECOMMENDED_POLICY),
    ).rejects.toMatchObject({ statusCode: 400 })
  })
})

test('the key set has the two kinds of keys and nothing but kid, kty and x5c', async () => {
  const provider = await azure.createProvider()
  const set = (await (await fetch(`${provider.url}/certs`)).json()) as { keys: object[] }
  expect(new Set(set.keys.flatMap((key) => Object.keys(key)))).toEqual(
    new Set(['x5c', 'kid', 'kty']),
  )
  const { keys, ignored } = expectOk(await importKeySet(set))
  expect(ignored).toEqual([])
  const kids = [...keys.keys()]
  expect(kids.filter((kid) => kid.endsWith('='))).toHaveLength(1)
  expect(kids.filter((kid) => Buffer.from(kid, 'base64url').length === 20)).toHaveLength(2)
})

async function createSigner(): Promise<Uint8Array> {
  const { certificate } = await createClientCertificate('policy signer')
  return certificate.der
}

async function attest(client: AttestationClient): Promise<string> {
  const { payload } = JSON.parse(await client.attestTpm('{"payload":{"type":"aikcert"}}'))
  const request = await makeAttestationRequest({
    device: await startDevice(),
    version: 1,
    binding: 'quote',
    challenge: Buffer.from(payload.challenge, 'base64url'),
    serviceContext: payload.service_context,
    rpId: 'https://relying.example',
    rpData: toBase64Url(Buffer.from('nonce')),
  })
  const answer = await client.attestTpm(JSON.stringify({ payload: { request } }))
  return JSON.parse(answer).payload.report
}
