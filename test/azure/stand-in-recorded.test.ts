import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { AttestationClient } from '@azure/attestation'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, expect, test } from 'vitest'
import { INIT, NOTHING_PERMITTED, useSdk } from '../support/azure/sdk-client.ts'
import { startAzure, trustStandIn } from '../support/azure/stand-in.ts'
import { describeVectors, vectorJson, vectorText } from '../support/vectors.ts'

/** The SDKs go by the clock of the machine, so the stand-in does too. */
const trusted = getCACertificates('default')
const azure = await startAzure()
trustStandIn(azure)
afterAll(async () => {
  await azure.close()
  setDefaultCACertificates(trusted)
})

const { attest, ask, withSecret } = useSdk(azure)

describeVectors('as recorded', () => {
  const recorded = (path: string) => vectorJson(`maa/${path}`) as Record<string, unknown>

  test('the discovery document', async () => {
    const { url } = await azure.createProvider()
    const real = recorded('openid/openid-configuration-sharedwus-2022-11-17.json')
    const own = (await (await fetch(`${url}/.well-known/openid-configuration`)).json()) as object
    const urls = { issuer: url, jwks_uri: `${url}/certs`, revocation_endpoint: `${url}/revoke` }
    expect(own).toEqual({ ...real, ...urls })
  })

  test('the error of a policy that permits nothing, headers included', async () => {
    const provider = await azure.createProvider({ policy: NOTHING_PERMITTED })
    const refusal = (await attest(provider).catch((error: unknown) => error)) as {
      response: { bodyAsText: string; headers: Iterable<[string, string]> }
    }
    const real = recorded('errors/error-PolicyEvaluationError-400.json')
    expect(JSON.parse(refusal.response.bodyAsText)).toEqual(real.body)
    const names = [...refusal.response.headers].map(([name]) => name.toLowerCase())
    const expected = Object.keys(real.headers as object).map((name) => name.toLowerCase())
    expect(names).toEqual(expect.arrayContaining(expected))
  })

  test('the answer about a policy that is not there', async () => {
    const provider = await azure.createProvider()
    const real = recorded('tokens/GetPolicy_Shared_Tpm--1-GET-policies_Tpm.decoded.json') as {
      header: object
      payload: Record<string, number>
    }
    const { body } = await ask(provider, '/policies/Tpm?api-version=2020-10-01')
    const payload = decodeJwt(body.token) as Record<string, number>
    expect(Object.keys(decodeProtectedHeader(body.token)).sort()).toEqual(
      Object.keys(real.header).sort(),
    )
    expect(Object.keys(payload).sort()).toEqual(Object.keys(real.payload).sort())
    const lifetimes = [payload, real.payload].map(({ exp = 0, iat = 0, nbf = 0 }) => [
      exp - iat,
      nbf - iat,
    ])
    expect(lifetimes[0]).toEqual(lifetimes[1])
  })

  test('the documented policies can be published', async () => {
    const provider = await azure.createProvider()
    for (const number of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      provider.setPolicy(vectorText(`maa/policy/tpm-attestation-sample-policies-${number}.txt`))
    }
    expect(provider.attestationPolicyHash()).toMatch(/^[\w-]{43}$/)
  })

  test('the challenge', async () => {
    const provider = await azure.createProvider()
    const client = new AttestationClient(provider.url, withSecret())
    const { payload } = JSON.parse(await client.attestTpm(INIT))
    const [real] = vectorJson('maa/tpm-protocol/challenge-responses-history.json') as {
      decoded: { payload: Record<string, string> }
    }[]
    expect(Object.keys(payload)).toEqual(Object.keys(real?.decoded.payload ?? {}))
    expect(payload.challenge).toHaveLength(real?.decoded.payload.challenge?.length ?? 0)
  })
})
