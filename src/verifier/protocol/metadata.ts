import { BUILT_IN_KINDS } from '../kinds/built-in.ts'
import { type EvidenceKind, listIssuedClaims } from '../kinds/kind.ts'

/** A signing key as `/certs` publishes it: Azure Attestation's keys have exactly these members. */
export type PublishedCertificate = {
  readonly kid: string
  /** Standard base64 DER, leaf first. */
  readonly x5c: readonly string[]
}

export type CertificateSet = {
  readonly keys: readonly {
    readonly x5c: readonly string[]
    readonly kid: string
    readonly kty: 'RSA'
  }[]
}

export type OpenIdConfiguration = {
  readonly response_types_supported: readonly string[]
  readonly id_token_signing_alg_values_supported: readonly string[]
  readonly issuer: string
  readonly jwks_uri: string
  readonly claims_supported: readonly string[]
}

/** Claims that every token has, beside what its evidence gives. */
const COMMON_CLAIMS = [
  'cnf',
  'nonce',
  'rp_data',
  'x-ms-ver',
  'x-ms-policy-hash',
  'x-ms-tpm-request-key',
  'x-ms-tpm-other-keys',
]

/** The body of `GET {issuer}/certs`. */
export function listCertificates(keys: readonly PublishedCertificate[]): CertificateSet {
  return { keys: keys.map(({ x5c, kid }) => ({ x5c, kid, kty: 'RSA' })) }
}

/**
 * The body of `GET {issuer}/.well-known/openid-configuration`, with Azure Attestation's members but
 * for `revocation_endpoint`: there is none to name.
 */
export function describeIssuer(
  issuer: string,
  kinds: readonly EvidenceKind[] = BUILT_IN_KINDS,
): OpenIdConfiguration {
  return {
    response_types_supported: ['token', 'none'],
    id_token_signing_alg_values_supported: ['RS256'],
    issuer,
    jwks_uri: `${issuer}/certs`,
    claims_supported: [...COMMON_CLAIMS, ...listIssuedClaims(kinds)],
  }
}
