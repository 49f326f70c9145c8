import { AttestationAdministrationClient, AttestationClient } from '@azure/attestation'
import { ClientSecretCredential } from '@azure/identity'
import { makeAttestationRequest } from '../../../src/simulator/attestation-request.ts'
import { startDevice } from '../service.ts'
import type { AzureStandIn, StandInProvider } from './stand-in.ts'

export const SCOPE = 'https://attest.azure.net/.default'
export const INIT = '{"payload":{"type":"aikcert"}}'
export const NONCE = Buffer.from('nonce of a test').toString('base64url')
export const NOTHING_PERMITTED = 'version=1.0;authorizationrules{};issuancerules{};'

/** What a customer does with Azure's own SDKs, unchanged, done with the stand-in. */
export function useSdk({ tenantId, clientId, clientSecret, authorityHost }: AzureStandIn) {
  const authority = { authorityHost, disableInstanceDiscovery: true }
  const withSecret = (secret = clientSecret) =>
    new ClientSecretCredential(tenantId, clientId, secret, authority)
  const tokenFor = async (scope: string) => (await withSecret().getToken(scope)).token
  return {
    authority,
    withSecret,
    tokenFor,
    administer: ({ url }: StandInProvider) =>
      new AttestationAdministrationClient(url, withSecret()),
    /** Both messages of a healthy device; gives the token. */
    async attest(
      { url }: StandInProvider,
      options: { readonly version?: 1 | 2; readonly challenge?: Uint8Array } = {},
    ): Promise<string> {
      const client = new AttestationClient(url, withSecret())
      const init = JSON.parse(await client.attestTpm(INIT)).payload
      const request = await makeAttestationRequest({
        device: await startDevice(),
        version: 2,
        challenge: Buffer.from(init.challenge, 'base64url'),
        serviceContext: init.service_context,
        rpId: 'https://relying-party.example',
        rpData: NONCE,
        ...options,
      })
      const answer = await client.attestTpm(JSON.stringify({ payload: { request } }))
      return JSON.parse(answer).payload.report
    },
    /** Past the SDKs, with a good token unless told otherwise. */
    async ask({ url }: StandInProvider, path: string, init: RequestInit = {}) {
      const headers = { authorization: `Bearer ${await tokenFor(SCOPE)}` }
      const answer = await fetch(url + path, { headers, ...init })
      return { status: answer.status, headers: answer.headers, body: await answer.json() }
    },
  }
}
