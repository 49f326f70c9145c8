import { RECOMMENDED_POLICY } from '../../src/azure/provider-policy/recommended.ts'
import { startAzure, trustStandIn } from '../support/azure/stand-in.ts'
import { say } from './variant.ts'

/** The provider that relay and floor both ask, in a process of its own. */
const azure = await startAzure()
trustStandIn(azure)
const provider = await azure.createProvider({ policy: RECOMMENDED_POLICY })
say({
  provider: provider.url,
  caPem: azure.caPem,
  accessToken: await requestAccessToken(),
  environment: azure.environment([provider.url]),
})

/** As the client would get it: OAuth 2.0 client credentials. */
async function requestAccessToken(): Promise<string> {
  const { authorityHost, tenantId, clientId, clientSecret } = azure
  const answer = await fetch(`${authorityHost}/${tenantId}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: 'https://attest.azure.net/.default',
    }),
  })
  const { access_token } = (await answer.json()) as { access_token: string }
  return access_token
}
