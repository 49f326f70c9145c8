import { createHash } from 'node:crypto'
import { compactVerify, importX509 } from 'jose'
import { toPem } from '../certificates.ts'
import { refuse } from './azure-errors.ts'
import type { Answer } from './https-server.ts'

/** A certificate as Azure's tokens name it. */
export type PolicySigner = { readonly kty: 'RSA' | 'EC'; readonly x5c: readonly string[] }

type Json = Readonly<Record<string, unknown>>
type Refused = { readonly ok: false; readonly refusal: Answer }
type ReadJws = { readonly ok: true; readonly payload: Json; readonly signer?: PolicySigner }

export type PolicySigners = {
  /** A JWS that the provider takes: of an isolated one, signed by a certificate on its list. */
  readonly read: (jws: string) => Promise<ReadJws | Refused>
  readonly list: () => readonly PolicySigner[]
  /** Adds or removes the certificate that a JWS names in `policyCertificate`. */
  readonly change: (
    jws: string,
    add: boolean,
  ) => Promise<{ readonly ok: true; readonly claims: Json } | Refused>
}

/** A provider that starts with signers is isolated; one that starts with none never gets any. */
export function createPolicySigners(initial: readonly Uint8Array[]): PolicySigners {
  const isIsolated = initial.length > 0
  let listed = initial.map((der) => Buffer.from(der).toString('base64'))

  const read = async (jws: string): Promise<ReadJws | Refused> => {
    const decoded = decode(jws)
    if (decoded === undefined) {
      return no('InvalidOperation', 'Malformed JWT: Could not find first period in the token.')
    }
    const { header, payload, signature } = decoded
    if (header.alg === 'none' && signature === '') {
      if (!isIsolated) return { ok: true, payload }
      return no('InvalidOperation', 'The policy must be signed.')
    }
    const [leaf] = Array.isArray(header.x5c) ? (header.x5c as unknown[]) : []
    if (typeof leaf !== 'string' || (isIsolated && !listed.includes(leaf))) {
      return no('InvalidParameter', 'Unable to find issuer certificate')
    }
    if (!(await isSignedBy(jws, leaf, String(header.alg)))) {
      return no('InvalidParameter', 'The signature of the policy is not valid.')
    }
    return { ok: true, payload, signer: describe(leaf, String(header.alg)) }
  }

  return {
    read,
    list: () => listed.map((leaf) => describe(leaf, 'RS256')),
    async change(jws, add) {
      if (!isIsolated) {
        return no('InvalidOperation', "RETURN_IF_TRUE('(GetPolicyRootCertificates().empty())')")
      }
      const signed = await read(jws)
      if (!signed.ok) return signed
      const leaf = certificateIn(signed.payload)
      if (leaf === undefined) {
        return no('InvalidOperation', 'Could not find "maa-policyCertificate" claim')
      }
      listed = [...listed.filter((one) => one !== leaf), ...(add ? [leaf] : [])]
      const der = Buffer.from(leaf, 'base64')
      const claims = {
        'x-ms-certificate-thumbprint': createHash('sha1').update(der).digest('hex'),
        'x-ms-policycertificates-result': add ? 'IsPresent' : 'IsAbsent',
      }
      return { ok: true, claims }
    },
  }
}

function no(code: 'InvalidOperation' | 'InvalidParameter', detail: string): Refused {
  return { ok: false, refusal: refuse(code, detail) }
}

/** An empty payload, as in the JWS that resets a policy, is an empty object. */
function decode(jws: string) {
  const [first = '', second = '', signature, ...rest] = jws.split('.')
  if (signature === undefined || rest.length > 0) return undefined
  try {
    const header = JSON.parse(Buffer.from(first, 'base64url').toString('utf8')) as Json
    const text = Buffer.from(second, 'base64url').toString('utf8')
    const payload = JSON.parse(text === '' ? '{}' : text) as Json
    return { header, payload, signature }
  } catch {
    return undefined
  }
}

async function isSignedBy(jws: string, leaf: string, alg: string): Promise<boolean> {
  try {
    await compactVerify(jws, await importX509(toPem(Buffer.from(leaf, 'base64')), alg))
    return true
  } catch {
    return false
  }
}

function describe(leaf: string, alg: string): PolicySigner {
  return { kty: alg.startsWith('ES') ? 'EC' : 'RSA', x5c: [leaf] }
}

/** Azure has had two names for the claim. */
function certificateIn(payload: Json): string | undefined {
  const jwk = (payload.policyCertificate ?? payload['maa-policyCertificate']) as Json | undefined
  const [leaf] = Array.isArray(jwk?.x5c) ? (jwk.x5c as unknown[]) : []
  return typeof leaf === 'string' ? leaf : undefined
}
