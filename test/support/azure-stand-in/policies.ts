import { createHash } from 'node:crypto'
import { compactVerify, importX509, SignJWT, UnsecuredJWT } from 'jose'
import { policyHashOf } from '../../../src/evidence/attestation-token.ts'
import { toPem } from '../certificates.ts'
import { azureError } from './azure-errors.ts'
import type { PublishedKey } from './certificates.ts'
import type { Answer, Received } from './https-server.ts'

/** What a provider holds that has never been given a policy. */
const NO_POLICY = 'eyJhbGciOiJub25lIn0..'
const LIFETIME_SECONDS = 3600

/** The TPM policy of one provider and the interface to it. */
export type PolicyStore = {
  /** `undefined` while there is none. */
  readonly text: () => string | undefined
  readonly hash: () => string
  readonly set: (text: string) => void
  readonly answer: (received: Received) => Promise<Answer>
}

export function createPolicyStore(input: {
  readonly url: () => string
  readonly regionalKey: () => PublishedKey
  readonly clock: () => Date
  /** DER of the certificates that may sign policies; none: policies are unsigned. */
  readonly signers: readonly Uint8Array[]
}): PolicyStore {
  const { url, regionalKey, clock, signers } = input
  let token = NO_POLICY
  let text: string | undefined

  const sign = async (claims: Readonly<Record<string, unknown>>): Promise<Answer> => {
    const { kid, privateKey } = regionalKey()
    const iat = Math.floor(clock().getTime() / 1000)
    const signed = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', jku: `${url()}/certs`, kid, typ: 'JWT' })
      .setIssuer(url())
      .setIssuedAt(iat)
      .setNotBefore(iat)
      .setExpirationTime(iat + LIFETIME_SECONDS)
      .sign(privateKey)
    return { status: 200, body: { token: signed } }
  }

  const put = async (jws: string): Promise<Answer> => {
    const accepted = await readPolicyToken(jws, signers)
    if (accepted === undefined) return azureError(400, 'InvalidParameter')
    if (!accepted.includes('authorizationrules')) return azureError(400, 'PolicyParsingError')
    token = jws
    text = accepted
    return sign({ 'x-ms-policy-result': 'Updated', 'x-ms-policy-token-hash': hashOf(jws) })
  }

  return {
    text: () => text,
    hash: () => policyHashOf(text ?? ''),
    set: (given) => {
      const payload = { AttestationPolicy: Buffer.from(given).toString('base64url') }
      token = new UnsecuredJWT(payload).encode()
      text = given
    },
    async answer({ method, path, body }) {
      const { pathname } = new URL(path, url())
      if (pathname === '/policies/Tpm' && method === 'GET') return sign({ 'x-ms-policy': token })
      if (pathname === '/policies/Tpm' && method === 'PUT') return put(body)
      if (pathname === '/policies/Tpm:reset' && method === 'POST') {
        token = NO_POLICY
        text = undefined
        return sign({ 'x-ms-policy-result': 'Removed' })
      }
      if (pathname === '/certificates' && method === 'GET') {
        const keys = signers.map((der) => ({
          kty: 'RSA',
          x5c: [Buffer.from(der).toString('base64')],
        }))
        return sign({ 'x-ms-policy-certificates': { keys } })
      }
      return azureError(404, 'NotFound')
    },
  }
}

/** The policy's text, or `undefined` where the provider would not take it. */
async function readPolicyToken(
  jws: string,
  signers: readonly Uint8Array[],
): Promise<string | undefined> {
  const [header = '', payload = '', signature] = jws.split('.')
  const { alg, x5c } = JSON.parse(Buffer.from(header, 'base64url').toString())
  const { AttestationPolicy: text } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  if (typeof text !== 'string') return undefined
  const policy = Buffer.from(text, 'base64url').toString('utf8')
  if (signers.length === 0) return alg === 'none' && signature === '' ? policy : undefined
  const der = Buffer.from(String(x5c?.[0]), 'base64')
  if (!signers.some((signer) => Buffer.from(signer).equals(der))) return undefined
  try {
    await compactVerify(jws, await importX509(toPem(der), 'RS256'), { algorithms: ['RS256'] })
    return policy
  } catch {
    return undefined
  }
}

function hashOf(jws: string): string {
  return createHash('sha256').update(jws).digest('base64url')
}
