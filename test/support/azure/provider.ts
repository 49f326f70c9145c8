import { azureError } from './azure-errors.ts'
import { createClientCertificate, type ProviderKey } from './certificates.ts'
import type { Entra } from './entra.ts'
import {
  type Answer,
  type ReceivedRequest,
  startHttpsServer,
  type TlsIdentity,
} from './https-server.ts'
import type { Outage, OutageOptions } from './outages.ts'
import { createPolicyStore } from './policies.ts'
import { createProviderKeys, listKeys } from './provider-keys.ts'
import { createTpmProtocol } from './tpm-protocol.ts'

export type ProviderOptions = {
  /** Text of the TPM policy; none unless told otherwise, as Azure creates providers. */
  readonly policy?: string
  /** Whether policies must be signed, at first by `policySigner`. */
  readonly isolated?: boolean
  /** DER of certificates that may sign policies in its place, which makes the provider isolated. */
  readonly policySigners?: readonly Uint8Array[]
  readonly clock?: () => Date
}

/** One attestation provider. */
export type StandInProvider = {
  /** `iss` of its tokens. */
  readonly url: string
  readonly requests: readonly ReceivedRequest[]
  /** Of the TPM policy in force. */
  readonly attestationPolicyHash: () => string
  readonly setPolicy: (text: string) => void
  /** Who may sign the policies of an isolated provider. */
  readonly policySigner: { readonly certificatePem: string; readonly privateKeyPem: string }
  readonly fail: (how: Outage, options?: OutageOptions) => void
  /** Ends every outage. */
  readonly recover: () => void
  /** Another key signs from now on, and the one before is no longer listed. */
  readonly rotateKeys: () => void
  /** The key gets a certificate, and with it a `kid`, that has expired: listed, and still signing. */
  readonly expireLeaf: () => void
  readonly close: () => Promise<void>
}

const AUDIENCE = 'https://attest.azure.net'
/** Of the recordings. */
const SERVICE_VERSION = { 'x-ms-maa-service-version': '1.11.02134.501' }

export async function startProvider(input: {
  readonly tls: TlsIdentity
  readonly entra: Entra
  /** Of the tenant. */
  readonly authority: string
  readonly options: ProviderOptions
}): Promise<StandInProvider> {
  const { entra, options } = input
  const { clock = () => new Date() } = options
  const signer = await createClientCertificate('policy signer')
  const isolated = options.isolated ? [signer.certificate.der] : []
  let url = ''
  const keys = createProviderKeys({ url: () => url, clock })
  const policies = createPolicyStore({
    url: () => url,
    regionalKey: async () => (await keys.current()).regional,
    clock,
    signers: options.policySigners ?? isolated,
  })
  if (options.policy !== undefined) policies.set(options.policy)

  const answer = async (received: ReceivedRequest): Promise<Answer> => {
    const { pathname } = new URL(received.path, url)
    if (received.method === 'GET') {
      if (pathname === '/certs') return { status: 200, body: listKeys(await keys.current()) }
      if (pathname === '/.well-known/openid-configuration') {
        return { status: 200, body: describe(url) }
      }
    }
    const token = /^Bearer (.+)$/.exec(received.authorization ?? '')?.[1]
    if (token === undefined || !(await entra.isAccessToken(token, AUDIENCE))) {
      return turnAway(input.authority, token !== undefined)
    }
    if (pathname === '/attest/Tpm' && received.method === 'POST') return await protocol(received)
    return (await policies.answer(received)) ?? azureError(404, 'NotFound', 'Not found.')
  }

  const server = await startHttpsServer({
    tls: input.tls,
    answer: async (received) => {
      const given = await answer(received)
      return { ...given, headers: { ...SERVICE_VERSION, ...given.headers } }
    },
  })
  url = server.url
  const key = async (): Promise<ProviderKey> => (await keys.current()).signing
  const protocol = await createTpmProtocol({
    url: () => url,
    key,
    policy: policies.inForce,
    attestationPolicyHash: policies.hash,
    clock,
  })
  return {
    ...server,
    attestationPolicyHash: policies.hash,
    setPolicy: policies.set,
    policySigner: {
      certificatePem: signer.certificate.pem,
      privateKeyPem: signer.privateKeyPem,
    },
    rotateKeys: keys.rotate,
    expireLeaf: keys.expireLeaf,
  }
}

/** No token, one that is not ours or has expired, or one for another resource. */
function turnAway(authority: string, isInvalid: boolean): Answer {
  const challenge = `Bearer authorization_uri="${authority}", resource="${AUDIENCE}"`
  const error = isInvalid ? ', error="invalid_token"' : ''
  return {
    ...azureError(401, 'Unauthorized', 'Authorization to requested resource failed'),
    headers: { 'www-authenticate': challenge + error },
  }
}

/** As recorded: it speaks of SGX although the provider does TPMs. */
function describe(url: string) {
  return {
    response_types_supported: ['token', 'none'],
    id_token_signing_alg_values_supported: ['RS256'],
    revocation_endpoint: `${url}/revoke`,
    issuer: url,
    jwks_uri: `${url}/certs`,
    claims_supported: [
      ...['cnf', 'nonce', 'x-ms-ver', 'x-ms-attestation-type', 'x-ms-policy-hash'],
      ...['x-ms-policy-signer', 'x-ms-sgx-is-debuggable', 'x-ms-sgx-mrenclave'],
      ...['x-ms-sgx-mrsigner', 'x-ms-sgx-svn', 'x-ms-sgx-ehd', 'x-ms-sgx-collateral'],
      ...['is-debuggable', 'sgx-mrsigner', 'sgx-mrenclave', 'product-id', 'svn', 'tee'],
    ],
  }
}
