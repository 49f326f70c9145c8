import { randomBytes, randomUUID } from 'node:crypto'
import { exportJWK, jwtVerify, SignJWT } from 'jose'
import { type AssertionIssuer, type ClientAssertions, checkAssertion } from './client-assertions.ts'
import {
  type Answer,
  type FailingServer,
  type ReceivedRequest,
  startHttpsServer,
  type TlsIdentity,
} from './https-server.ts'
import { rsaKey } from './rsa-keys.ts'

export type EntraClient = {
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  readonly assertions: ClientAssertions
}

export type TokenForm = Readonly<Record<string, string>>

export type Entra = FailingServer & {
  readonly tokenRequests: readonly { readonly form: TokenForm }[]
  /** Whether this is an access token of ours, of this time, for that audience. */
  readonly isAccessToken: (token: string, audience: string) => Promise<boolean>
}

/** Resources that Entra knows. A provider must refuse tokens for the others. */
const RESOURCES = [
  'https://attest.azure.net',
  'https://management.azure.com',
  'https://vault.azure.net',
]
const LIFETIME_SECONDS = 3599
const KID = 'stand-in-entra'

type Refusal = readonly [status: number, error: string, aadsts: number, text: string]

const REFUSALS = {
  tenant: [400, 'invalid_request', 90002, 'Tenant not found.'],
  grant: [400, 'unsupported_grant_type', 70003, 'The app requested an unsupported grant type.'],
  client: [400, 'unauthorized_client', 700016, 'Application was not found in the directory.'],
  credential: [
    401,
    'invalid_client',
    7000216,
    "'client_assertion' or 'client_secret' is required.",
  ],
  secret: [401, 'invalid_client', 7000215, 'Invalid client secret provided.'],
  scope: [400, 'invalid_scope', 1002012, 'The scope must be a resource with /.default suffixed.'],
  resource: [
    400,
    'invalid_resource',
    500011,
    'The resource principal was not found in the tenant.',
  ],
} as const satisfies Readonly<Record<string, Refusal>>

/** Entra for one tenant with one application: client credentials and what MSAL asks before. */
export async function startEntra(input: {
  readonly tls: TlsIdentity
  readonly client: EntraClient
  readonly clock: () => Date
}): Promise<Entra> {
  const { client, clock } = input
  const tokenRequests: { form: TokenForm }[] = []
  const { privateKey, publicKey } = await rsaKey('entra')
  const server = await startHttpsServer({ tls: input.tls, answer: (request) => answer(request) })
  const base = `${server.url}/${client.tenantId}`
  const issuer = `${base}/v2.0`
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: KID, use: 'sig' }] }
  const documents: Readonly<Record<string, unknown>> = {
    [`/${client.tenantId}/v2.0/.well-known/openid-configuration`]: describeTenant(base),
    [`/${client.tenantId}/discovery/v2.0/keys`]: jwks,
    '/common/discovery/instance': describeInstance(base, new URL(server.url).host),
  }

  const answer = async ({ method, path, body }: ReceivedRequest): Promise<Answer> => {
    const { pathname } = new URL(path, server.url)
    const document = documents[pathname]
    if (document !== undefined) return { status: 200, body: document }
    if (method !== 'POST' || !pathname.endsWith('/oauth2/v2.0/token')) {
      return pathname.startsWith(`/${client.tenantId}/`)
        ? { status: 404, body: {} }
        : refuse(REFUSALS.tenant)
    }
    const form = Object.fromEntries(new URLSearchParams(body))
    tokenRequests.push({ form })
    if (!pathname.startsWith(`/${client.tenantId}/`)) return refuse(REFUSALS.tenant)
    return answerTokenRequest(form)
  }

  const answerTokenRequest = async (form: TokenForm): Promise<Answer> => {
    if (form.grant_type !== 'client_credentials') return refuse(REFUSALS.grant)
    if (form.client_id !== client.clientId) return refuse(REFUSALS.client)
    const audiences = [`${base}/oauth2/v2.0/token`, issuer]
    const refused = await checkCredential(form, { client, audiences, now: clock() })
    if (refused !== undefined) return refuse(refused)
    const resource = resourceOf(form.scope ?? '')
    if (resource === undefined) return refuse(REFUSALS.scope)
    if (!RESOURCES.includes(resource)) return refuse(REFUSALS.resource)
    const expiry = { expires_in: LIFETIME_SECONDS, ext_expires_in: LIFETIME_SECONDS }
    const accessToken = await issueAccessToken(resource)
    return { status: 200, body: { token_type: 'Bearer', ...expiry, access_token: accessToken } }
  }

  const issueAccessToken = (audience: string): Promise<string> => {
    const iat = Math.floor(clock().getTime() / 1000)
    const { clientId, tenantId } = client
    return new SignJWT({ appid: clientId, idtyp: 'app', oid: clientId, tid: tenantId, ver: '1.0' })
      .setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid: KID })
      .setIssuer(issuer)
      .setSubject(clientId)
      .setAudience(audience)
      .setJti(randomBytes(16).toString('base64url'))
      .setIssuedAt(iat)
      .setNotBefore(iat - 300)
      .setExpirationTime(iat + LIFETIME_SECONDS)
      .sign(privateKey)
  }

  return {
    ...server,
    tokenRequests,
    async isAccessToken(token, audience) {
      try {
        const currentDate = clock()
        await jwtVerify(token, publicKey, { issuer, audience, currentDate, algorithms: ['RS256'] })
        return true
      } catch {
        return false
      }
    },
  }
}

/** A secret, or an assertion of the client's certificate or of a workload's cluster. */
async function checkCredential(
  form: TokenForm,
  { client, audiences, now }: { client: EntraClient; audiences: readonly string[]; now: Date },
): Promise<Refusal | undefined> {
  const { client_secret: secret, client_assertion: assertion } = form
  if (secret !== undefined) return secret === client.clientSecret ? undefined : REFUSALS.secret
  const isBearer =
    form.client_assertion_type === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  if (assertion === undefined || !isBearer) return REFUSALS.credential
  const asked: AssertionIssuer = { clientId: client.clientId, audiences, now }
  const refused = await checkAssertion(assertion, client.assertions, asked)
  return refused === undefined ? undefined : [401, 'invalid_client', ...refused]
}

/** The resource of the one scope that client credentials may ask for. */
function resourceOf(scope: string): string | undefined {
  const own = ['openid', 'profile', 'offline_access']
  const [first, ...more] = scope.split(' ').filter((name) => !own.includes(name))
  if (first === undefined || more.length > 0) return undefined
  return /^(.+)\/\.default$/.exec(first)?.[1]
}

function refuse([status, error, code, text]: Refusal): Answer {
  const [trace, correlation] = [randomUUID(), randomUUID()]
  const timestamp = `${new Date().toISOString().slice(0, 19).replace('T', ' ')}Z`
  const body = {
    error,
    error_description: `AADSTS${code}: ${text} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
    error_codes: [code],
    timestamp,
    trace_id: trace,
    correlation_id: correlation,
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
  }
  return { status, body }
}

function describeTenant(base: string) {
  return {
    token_endpoint: `${base}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: [
      'client_secret_post',
      'private_key_jwt',
      'client_secret_basic',
    ],
    jwks_uri: `${base}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: `${base}/v2.0`,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    end_session_endpoint: `${base}/oauth2/v2.0/logout`,
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'tid', 'ver'],
  }
}

function describeInstance(base: string, host: string) {
  return {
    tenant_discovery_endpoint: `${base}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  }
}
