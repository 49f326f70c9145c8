import { createHash } from 'node:crypto'
import { SignJWT, UnsecuredJWT } from 'jose'
import { policyHashOf } from '../../../src/evidence/token/attestation-token.ts'
import { azureError, refuse } from './azure-errors.ts'
import type { ProviderKey } from './certificates.ts'
import type { Answer, ReceivedRequest } from './https-server.ts'
import { PolicyParsingError, type ReadPolicy, readPolicy } from './policy-reader.ts'
import { createPolicySigners, type PolicySigner } from './policy-signers.ts'

/** What a provider holds that has never been given a policy. */
const NO_POLICY = 'eyJhbGciOiJub25lIn0..'
const LIFETIME_SECONDS = 3600

export type PolicyInForce = ReadPolicy & {
  readonly text: string
  /** Who signed it, if anybody. */
  readonly signer: PolicySigner | undefined
}

/** The TPM policy of one provider, who may change it, and the interface to both. */
export type PolicyStore = {
  /** `undefined` while there is none, as in a new provider. */
  readonly inForce: () => PolicyInForce | undefined
  readonly hash: () => string
  /** Past the interface: unsigned, whatever the provider is. */
  readonly set: (text: string) => void
  /** `undefined` where the path is not of this interface. */
  readonly answer: (received: ReceivedRequest) => Promise<Answer | undefined>
}

export function createPolicyStore(input: {
  readonly url: () => string
  readonly regionalKey: () => Promise<ProviderKey>
  readonly clock: () => Date
  /** DER of the certificates that may sign policies; none: the provider is not isolated. */
  readonly signers: readonly Uint8Array[]
}): PolicyStore {
  const { url, clock } = input
  const signers = createPolicySigners(input.signers)
  let token = NO_POLICY
  let policy: PolicyInForce | undefined

  const sign = async (claims: Readonly<Record<string, unknown>>): Promise<Answer> => {
    const { kid, privateKey } = await input.regionalKey()
    const iat = Math.floor(clock().getTime() / 1000)
    const signed = await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'RS256', jku: `${url()}/certs`, kid, typ: 'JWT' })
      .setIssuer(url())
      .setIssuedAt(iat)
      .setNotBefore(iat)
      .setExpirationTime(iat + LIFETIME_SECONDS)
      .sign(privateKey)
    return { status: 200, body: { token: signed } }
  }

  const put = async (jws: string): Promise<Answer> => {
    const read = await signers.read(jws)
    if (!read.ok) return read.refusal
    const encoded = read.payload.AttestationPolicy
    if (typeof encoded !== 'string') {
      return refuse('InvalidOperation', 'Could not find "AttestationPolicy" claim in policy token')
    }
    const text = Buffer.from(encoded, 'base64url').toString('utf8')
    try {
      policy = { ...readPolicy(text), text, signer: read.signer }
    } catch (error) {
      if (!(error instanceof PolicyParsingError)) throw error
      return refuse('PolicyParsingError', error.message)
    }
    token = jws
    return await sign(describeChange('Updated', jws, read.signer))
  }

  const reset = async (jws: string): Promise<Answer> => {
    const read = await signers.read(jws)
    if (!read.ok) return read.refusal
    token = NO_POLICY
    policy = undefined
    return await sign(describeChange('Removed', jws, read.signer))
  }

  const changeSigners = async (jws: string, add: boolean): Promise<Answer> => {
    const changed = await signers.change(jws, add)
    return changed.ok ? await sign(changed.claims) : changed.refusal
  }

  return {
    inForce: () => policy,
    hash: () => policyHashOf(policy?.text ?? ''),
    set: (text) => {
      const payload = { AttestationPolicy: Buffer.from(text).toString('base64url') }
      policy = { ...readPolicy(text), text, signer: undefined }
      token = new UnsecuredJWT(payload).encode()
    },
    async answer({ method, path, body }) {
      const { pathname } = new URL(path, url())
      switch (`${method} ${pathname}`) {
        case 'GET /policies/Tpm':
          return await sign({ 'x-ms-policy': token })
        case 'PUT /policies/Tpm':
          return await put(body)
        case 'POST /policies/Tpm:reset':
          return await reset(body)
        case 'GET /certificates':
          return await sign({ 'x-ms-policy-certificates': { keys: signers.list() } })
        case 'POST /certificates:add':
          return await changeSigners(unquote(body), true)
        case 'POST /certificates:remove':
          return await changeSigners(unquote(body), false)
      }
      return pathname.startsWith('/policies/')
        ? azureError(400, 'InvalidParameter', 'The stand-in has policies for Tpm only.')
        : undefined
    },
  }
}

function describeChange(result: string, jws: string, signer: PolicySigner | undefined) {
  return {
    'x-ms-policy-result': result,
    'x-ms-policy-token-hash': createHash('sha256').update(jws).digest('base64url'),
    ...(signer === undefined ? {} : { 'x-ms-policy-signer': signer }),
  }
}

/** The interface to the signers takes JSON, so the text stands in quotes. */
function unquote(body: string): string {
  return body.startsWith('"') ? String(JSON.parse(body)) : body
}
