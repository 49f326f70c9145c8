import { CompactSign } from 'jose'
import {
  createPolicyToken,
  hashPolicyToken,
} from '../../../src/azure/provider-policy/policy-token.ts'
import { toBase64, toUtf8 } from '../../../src/base/encoding.ts'
import { type IssuedCertificate, issueCertificate, toPem } from '../../support/certificates.ts'

export const NOW = new Date('2025-06-01T12:00:00Z')
export const URL_OF_PROVIDER = 'https://contoso.eus.attest.azure.net'
export const AUTHORITY = 'https://login.contoso.example'
export const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'

export type Claims = Readonly<Record<string, unknown>>
export type Sent = {
  readonly method: string
  readonly url: string
  readonly authorization: string | null
  readonly contentType: string | null
  readonly body: string
}

/**
 * The policy interface of a provider, and Entra, behind `fetch`: real keys and signatures, in the
 * forms that are recorded of Azure. What it says and does can be bent by a test.
 */
export type FakeProvider = {
  readonly fetch: typeof fetch
  readonly sent: Sent[]
  /** JWS of the policy in force. */
  policyToken: string
  /** Claims of its answers, on top of the right ones; `undefined` takes one away. */
  bend: Claims
  header: Claims
  /** Comes before every other answer. */
  intercept: ((sent: Sent) => Response | undefined | Promise<Response>) | undefined
  /** Whether what is published is kept. */
  keepsPolicy: boolean
  readonly sign: (claims: Claims, header?: Claims, key?: CryptoKey) => Promise<string>
  readonly setPolicy: (text: string) => Promise<void>
}

export const EMPTY_POLICY = 'eyJhbGciOiJub25lIn0..'
/** One for all: RSA keys take their time. */
export const certificate = await issueCertificate({
  subject: URL_OF_PROVIDER,
  key: { kind: 'rsa' },
  notAfter: new Date('2048-12-31T00:00:00Z'),
})
export const KID = 'XxRc2vLh1E5FrsNawnRH3PzuFgqg3q7NvCdnjoJHBGE='

export async function pemOfKey(key: CryptoKey): Promise<string> {
  return toPem(new Uint8Array(await crypto.subtle.exportKey('pkcs8', key)), 'PRIVATE KEY')
}

export function keySetOf(kid: string, ...chain: IssuedCertificate[]): unknown {
  return { keys: [{ kid, kty: 'RSA', x5c: chain.map(({ der }) => toBase64(der)) }] }
}

export function createFakeProvider(
  options: { readonly clock?: () => Date; readonly url?: string } = {},
): FakeProvider {
  const { clock = () => NOW, url = URL_OF_PROVIDER } = options
  const sign: FakeProvider['sign'] = (claims, header = {}, key = certificate.keys.privateKey) => {
    const iat = Math.floor(clock().getTime() / 1000)
    const payload = { iss: url, iat, nbf: iat, exp: iat + 3600, ...claims }
    return new CompactSign(toUtf8(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'RS256', jku: `${url}/certs`, kid: KID, typ: 'JWT', ...header })
      .sign(key)
  }
  const answer = async (claims: Claims): Promise<Response> => {
    return Response.json({ token: await sign({ ...claims, ...fake.bend }, fake.header) })
  }
  const fake: FakeProvider = {
    sent: [],
    policyToken: EMPTY_POLICY,
    bend: {},
    header: {},
    intercept: undefined,
    keepsPolicy: true,
    sign,
    async setPolicy(text) {
      fake.policyToken = await createPolicyToken(text, undefined)
    },
    async fetch(target, init) {
      const request = new Request(target, init)
      const sent = {
        method: request.method,
        url: request.url,
        authorization: request.headers.get('authorization'),
        contentType: request.headers.get('content-type'),
        body: await request.text(),
      }
      fake.sent.push(sent)
      const bent = await fake.intercept?.(sent)
      if (bent !== undefined) return bent
      if (sent.url.startsWith(AUTHORITY)) return answerAsEntra(sent)
      if (sent.url === `${url}/certs`) return Response.json(keySetOf(KID, certificate))
      if (!sent.url.startsWith(`${url}/policies/Tpm?api-version=`)) return refuse(404, 'NotFound')
      if (sent.authorization !== 'Bearer token of Entra') return refuse(401, 'Unauthorized')
      if (sent.method === 'GET') return answer({ 'x-ms-policy': fake.policyToken })
      if (fake.keepsPolicy) fake.policyToken = sent.body
      return answer({
        'x-ms-policy-result': 'Updated',
        'x-ms-policy-token-hash': hashPolicyToken(sent.body),
      })
    },
  }
  return fake
}

/** An error of Azure, with the kind of message that must not be repeated. */
export function refuse(status: number, code: string, headers: HeadersInit = {}): Response {
  const message = 'Attestation Enclave operation failed with 65518: Exception(0)\r\n'
  return Response.json({ error: { code, message } }, { status, headers })
}

function answerAsEntra({ url }: Sent): Response {
  if (url.includes('/.well-known/openid-configuration')) {
    const base = `${AUTHORITY}/${TENANT}`
    return Response.json({
      issuer: `${base}/v2.0`,
      authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
      token_endpoint: `${base}/oauth2/v2.0/token`,
      jwks_uri: `${base}/discovery/v2.0/keys`,
    })
  }
  const token = { access_token: 'token of Entra', token_type: 'Bearer', expires_in: 3600 }
  return Response.json(token)
}
