import { CompactSign, importPKCS8 } from 'jose'
import { digest } from '../../base/digest.ts'
import { fromBase64Url, fromUtf8, toBase64, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { parseJsonObject } from '../../evidence/jws/compact-jws.ts'
import { parsePemBundle } from '../../evidence/x509/certificate.ts'
import { readSubjectPublicKey } from '../../evidence/x509/public-key.ts'

/** Signs policies for providers in isolated mode, which know the certificate. */
export type PolicySigner = {
  /** RSASSA-PKCS1-v1_5 with SHA-256. */
  readonly privateKey: CryptoKey
  /** The signer's certificate first, base64 of DER. */
  readonly x5c: readonly string[]
}

/** What a JWS says about a policy. Whether its signature is good is the provider's to say. */
export type StoredPolicy = {
  /** `undefined`: the empty policy, under which nothing is attested. */
  readonly text: string | undefined
  readonly isSigned: boolean
}

export const POLICY_SIGNER_REASONS = ['policy_signer_unusable'] as const

export type PolicySignerFailure = {
  readonly reason: (typeof POLICY_SIGNER_REASONS)[number]
  readonly problem: string
}

/** The JWS in which a policy is published: unsigned, or with the signer's certificates. */
export async function createPolicyToken(
  text: string,
  signer: PolicySigner | undefined,
): Promise<string> {
  const payload = JSON.stringify({ AttestationPolicy: toBase64Url(toUtf8(text)) })
  if (signer === undefined) {
    const header = JSON.stringify({ alg: 'none' })
    return `${toBase64Url(toUtf8(header))}.${toBase64Url(toUtf8(payload))}.`
  }
  return await new CompactSign(toUtf8(payload))
    .setProtectedHeader({ alg: 'RS256', x5c: [...signer.x5c] })
    .sign(signer.privateKey)
}

/** The policy in such a JWS; `undefined` for what is none. */
export function readPolicyToken(token: string): StoredPolicy | undefined {
  const [head, body, signature, ...more] = token.split('.', 4)
  if (head === undefined || body === undefined || signature === undefined || more.length > 0) {
    return undefined
  }
  const header = readObject(head)
  if (header === undefined) return undefined
  const isSigned = header.alg !== 'none'
  if (isSigned !== (signature !== '')) return undefined
  if (body === '') return { text: undefined, isSigned }
  const { AttestationPolicy: wrapped } = readObject(body) ?? {}
  const bytes =
    typeof wrapped === 'string' ? fromBase64Url(wrapped.replace(/={1,2}$/, '')) : undefined
  const text = bytes && fromUtf8(bytes)
  if (text === undefined) return undefined
  return { text: text === '' ? undefined : text, isSigned }
}

/** How a provider names a published JWS in its answer: `x-ms-policy-token-hash`. */
export function hashPolicyToken(token: string): string {
  return toBase64Url(digest('sha256', toUtf8(token)))
}

/** Takes a PKCS#8 RSA key and the certificates of the policy signer, both in PEM. */
export async function readPolicySigner(input: {
  readonly keyPem: string
  readonly certificatePem: string
}): Promise<Result<PolicySigner, PolicySignerFailure>> {
  const unusable = (problem: string) => err({ reason: 'policy_signer_unusable', problem } as const)
  const certificates = parsePemBundle(input.certificatePem)
  const leaf = certificates.ok ? certificates.value[0] : undefined
  if (!certificates.ok || leaf === undefined) return unusable('the certificate is not one in PEM')
  const key = await importKey(input.keyPem)
  if (key === undefined) {
    return unusable('the key is not an RSA key in PKCS#8 (openssl pkcs8 -topk8 -nocrypt makes one)')
  }
  const certified = readSubjectPublicKey(leaf.spki)
  const { n } = await crypto.subtle.exportKey('jwk', key)
  if (!certified.ok || certified.value.kty !== 'RSA' || certified.value.n !== n) {
    return unusable('the certificate is of another key')
  }
  return ok({ privateKey: key, x5c: certificates.value.map(({ der }) => toBase64(der)) })
}

async function importKey(pem: string): Promise<CryptoKey | undefined> {
  try {
    return await importPKCS8(pem, 'RS256', { extractable: true })
  } catch {
    return undefined
  }
}

function readObject(part: string) {
  const bytes = fromBase64Url(part)
  const text = bytes && fromUtf8(bytes)
  return text === undefined ? undefined : parseJsonObject(text)
}
