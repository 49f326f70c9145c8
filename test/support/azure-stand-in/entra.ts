import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { jwtVerify, SignJWT } from 'jose'
import type { TlsIdentity } from './certificates.ts'
import { type Answer, type Received, type RunningServer, startHttpsServer } from './https-server.ts'

export type EntraClient = {
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  /** PEM of the certificate that its assertions are signed with. */
  readonly certificate: string
}

export type Entra = RunningServer & {
  readonly tokenRequests: readonly { readonly form: Readonly<Record<string, string>> }[]
  /** The audience of an access token of ours that is still good, or `undefined`. */
  readonly audienceOf: (accessToken: string) => Promise<string | undefined>
  readonly issueAccessToken: (audience: string) => Promise<string>
}

const LIFETIME_SECONDS = 3599

/** Entra's token endpoint (OAuth 2.0 client credentials) for one tenant with one client. */
export async function startEntra(tls: TlsIdentity, client: EntraClient): Promise<Entra> {
  const secret = randomBytes(32)
  const tokenRequests: { form: Readonly<Record<string, string>> }[] = []
  const issueAccessToken = (audience: string) =>
    new SignJWT({ appid: client.clientId, jti: randomBytes(8).toString('hex') })
      .setProtectedHeader({ alg: 'HS256' })
      .setAudience(audience)
      .setExpirationTime(`${LIFETIME_SECONDS}s`)
      .sign(secret)

  const server = await startHttpsServer(tls, async (received) => {
    const { pathname } = new URL(received.path, 'https://localhost')
    const tenant = `/${client.tenantId}`
    if (pathname === `${tenant}/v2.0/.well-known/openid-configuration`) return discover()
    if (pathname !== `${tenant}/oauth2/v2.0/token`) return { status: 404, body: {} }
    const form = Object.fromEntries(new URLSearchParams(received.body))
    tokenRequests.push({ form })
    return answerTokenRequest(received, form)
  })

  const discover = (): Answer => {
    const base = `${server.url}/${client.tenantId}`
    const body = {
      token_endpoint: `${base}/oauth2/v2.0/token`,
      authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
      issuer: `${base}/v2.0`,
      jwks_uri: `${base}/discovery/v2.0/keys`,
    }
    return { status: 200, body }
  }

  const answerTokenRequest = async (
    received: Received,
    form: Readonly<Record<string, string>>,
  ): Promise<Answer> => {
    if (form.grant_type !== 'client_credentials') return refuse('unsupported_grant_type', 70003)
    if (form.client_id !== client.clientId) return refuse('unauthorized_client', 700016)
    const path = received.path.split('?')[0]
    if (!(await isProven(form, { client, endpoint: server.url + path }))) {
      return refuse('invalid_client', 7000215)
    }
    const scopes = (form.scope ?? '').split(' ').filter((scope) => scope.endsWith('/.default'))
    const [scope, ...more] = scopes
    if (scope === undefined || more.length > 0) return refuse('invalid_scope', 70011)
    const access_token = await issueAccessToken(scope.slice(0, -'/.default'.length))
    const expires = { expires_in: LIFETIME_SECONDS, ext_expires_in: LIFETIME_SECONDS }
    return { status: 200, body: { token_type: 'Bearer', ...expires, access_token } }
  }

  return {
    ...server,
    tokenRequests,
    issueAccessToken,
    async audienceOf(accessToken) {
      try {
        const { payload } = await jwtVerify(accessToken, secret, { algorithms: ['HS256'] })
        return typeof payload.aud === 'string' ? payload.aud : undefined
      } catch {
        return undefined
      }
    },
  }
}

/** A secret, or an assertion that the client's certificate signed (RFC 7523 §2.2). */
async function isProven(
  form: Readonly<Record<string, string>>,
  { client, endpoint }: { readonly client: EntraClient; readonly endpoint: string },
): Promise<boolean> {
  if (form.client_secret !== undefined) return form.client_secret === client.clientSecret
  if (form.client_assertion_type !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') {
    return false
  }
  const certificate = new X509Certificate(client.certificate)
  const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url')
  try {
    const { protectedHeader } = await jwtVerify(
      form.client_assertion ?? '',
      certificate.publicKey,
      {
        algorithms: ['PS256', 'RS256'],
        issuer: client.clientId,
        subject: client.clientId,
        audience: endpoint,
        requiredClaims: ['exp', 'jti'],
      },
    )
    return protectedHeader['x5t#S256'] === thumbprint
  } catch {
    return false
  }
}

function refuse(error: string, code: number): Answer {
  const status = error === 'invalid_client' || error === 'unauthorized_client' ? 401 : 400
  const error_description = `AADSTS${code}: ${error}. Trace ID: 0c2a… Correlation ID: 7f1e…`
  return { status, body: { error, error_description, error_codes: [code] } }
}
