import { SignJWT } from 'jose'
import { toBase64Url, toHex } from '../../base/encoding.ts'
import { BUILT_IN_POLICY_HASH } from '../built-in-policy.ts'
import { TOKEN_BACKDATE_SECONDS, TOKEN_ID_BYTES } from '../limits.ts'
import type { PublishedCertificate } from '../protocol/metadata.ts'
import type { EvidenceDigests, VerifiedEvidence } from './verify-evidence.ts'

/** The key that tokens are signed with, and how `/certs` publishes it. RSA of 2048 bits or more. */
export type TokenSigningKey = PublishedCertificate & { readonly privateKey: CryptoKey }

const FORMAT_VERSION = '1.0'

/**
 * Writes verified evidence as an attestation token: a JWT of the shape that Azure Attestation gives
 * to TPM and VBS evidence. Claims that were not measured are absent.
 */
export function issueToken(input: {
  readonly evidence: VerifiedEvidence
  readonly issuer: string
  readonly key: TokenSigningKey
  readonly lifetimeMs: number
  readonly now: Date
  /** 20 fresh random bytes. */
  readonly tokenId: Uint8Array
  /** Kept by the relying party in place of the evidence; Azure's tokens have nothing like it. */
  readonly digests: EvidenceDigests
}): Promise<string> {
  const { evidence, key, tokenId } = input
  if (tokenId.length !== TOKEN_ID_BYTES)
    throw new TypeError(`a token id has ${TOKEN_ID_BYTES} bytes`)
  const iat = Math.floor(input.now.getTime() / 1000)
  const payload = {
    nbf: iat - TOKEN_BACKDATE_SECONDS,
    exp: iat + Math.floor(input.lifetimeMs / 1000),
    iat,
    iss: input.issuer,
    jti: toHex(tokenId),
    ver: FORMAT_VERSION,
    'x-ms-ver': FORMAT_VERSION,
    ...listBindings(evidence),
    ...listClaims(evidence),
    evidence_digests: input.digests,
  }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'RS256', kid: key.kid, typ: 'JWT', x5c: [...key.x5c] })
    .sign(key.privateKey)
}

/** Whom and what the token is bound to. `rp_data` is the older name of `nonce`; Azure sends both. */
function listBindings(evidence: VerifiedEvidence): Record<string, unknown> {
  const rpData = evidence.rpData === undefined ? undefined : toBase64Url(evidence.rpData)
  const { requestKey, otherKeys } = evidence.attester.keys
  const { key, boundBy } = evidence.requestKey
  return {
    ...(rpData === undefined ? {} : { rp_data: rpData, nonce: rpData }),
    // RFC 7800: `cnf` says that the attester holds the key, which of an unbound one nobody knows.
    ...(boundBy === 'none' ? {} : { cnf: { jwk: key.jwk } }),
    'x-ms-policy-hash': BUILT_IN_POLICY_HASH,
    ...(requestKey === undefined ? {} : { 'x-ms-tpm-request-key': requestKey }),
    ...(otherKeys.length === 0 ? {} : { 'x-ms-tpm-other-keys': otherKeys }),
  }
}

/** The claims in their one order. */
function listClaims(evidence: VerifiedEvidence): Record<string, unknown> {
  const names = Object.keys(evidence.claims).sort()
  return Object.fromEntries(names.map((name) => [name, evidence.claims[name]]))
}
