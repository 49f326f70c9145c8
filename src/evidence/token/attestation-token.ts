import { digest, equalBytes } from '../../base/digest.ts'
import { fromBase64Url, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { isNumericDate } from '../../base/numeric-date.ts'
import { type Err, err, ok, type Result } from '../../base/result.ts'
import { isJsonObject, type JsonObject } from '../jws/compact-jws.ts'
import { type ConfirmationKey, readConfirmationKey } from '../jws/confirmation-key.ts'
import { verifyJwsSignature } from '../jws/jws-signature.ts'
import type { IssuerKey, KeySet } from '../jws/key-set.ts'
import { MAX_NAME_CHARS, MAX_NONCE_CHARS } from '../limits.ts'
import type { AttestationTokenKind, DecodedAttestationToken } from './attestation-token-kind.ts'

/**
 * Why an attestation token is refused, in the order in which it is checked: the first two by
 * `decodeAttestationToken`, the others by `verifyAttestationToken`.
 */
export const ATTESTATION_TOKEN_REASONS = [
  'token_too_large',
  'token_malformed',
  'token_draft',
  'token_algorithm_refused',
  'token_type_refused',
  'token_critical_header',
  'token_issuer_unknown',
  'token_key_unknown',
  'token_key_not_yet_valid',
  'token_key_expired',
  'token_signature_invalid',
  'token_policy_answer',
  'token_version_refused',
  'token_claims_malformed',
  'token_policy_missing',
  'policy_not_pinned',
  'token_expired',
  'token_not_yet_valid',
  'token_issued_in_future',
  'token_too_old',
  'token_nonce_malformed',
  'token_nonce_mismatch',
  'token_confirmation_malformed',
] as const

export type AttestationTokenFailure = {
  readonly reason: (typeof ATTESTATION_TOKEN_REASONS)[number]
  /** The value or claim concerned, cut to a length that logs can bear. Hostile text. */
  readonly detail?: string
}

/** What makes a text the name of an attestation policy for the compiler. No value has it. */
declare const attestationPolicy: unique symbol

/**
 * The name of a policy of a provider of Azure Attestation, or of the built-in verifier, as
 * `x-ms-policy-hash` has it: see `policyHashOf`. It is no hash of a document of ours, and the
 * compiler takes neither for the other.
 */
export type AttestationPolicyHash = string & { readonly [attestationPolicy]: true }

/** Whose tokens are believed, under which of its policies. */
export type TokenIssuer = {
  /** Compared character by character with `iss`. */
  readonly issuer: string
  readonly keys: KeySet
  /** An empty list accepts nothing; `unpinned` is for explaining tokens, not for trusting them. */
  readonly attestationPolicyHashes: readonly AttestationPolicyHash[] | 'unpinned'
}

export type VerifyTokenOptions = {
  readonly issuers: readonly TokenIssuer[]
  readonly now: Date
  /** Counted from `iat`, whatever `exp` allows. */
  readonly maxAgeSeconds: number
  readonly clockSkewSeconds: number
}

/** Not exported, so that no other file can make a `VerifiedAttestationToken`. */
const verified: unique symbol = Symbol('verified')

/**
 * A token that passed every check of `verifyAttestationToken`, which alone makes one. Its claims are
 * not appraised.
 */
export type VerifiedAttestationToken = {
  readonly [verified]: true
  readonly issuer: string
  readonly payload: JsonObject
  /** What the device sent as `rp_data`, decoded. Whether it is a nonce of ours is not checked. */
  readonly nonce: Uint8Array | undefined
  /** The attested key, whose possession is still to be proven. */
  readonly confirmation: ConfirmationKey | undefined
  readonly kind: AttestationTokenKind
  readonly attestationPolicyHash: AttestationPolicyHash
  /** Absent in TPM and VBS tokens. */
  readonly attestationType: string | undefined
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly jti: string
}

type Refused = Err<AttestationTokenFailure>
type Times = { readonly issuedAt: number; readonly notBefore: number; readonly expiresAt: number }

const MAX_DETAIL_CHARS = 128

/**
 * Verifies a token of Azure Attestation or of the built-in verifier. RFC 7515, RFC 7519 §7.2.
 *
 * The key is found by `kid` in the key set of the configured issuer that equals `iss`; the header's
 * `jku`, `jwk`, `x5c` and `x5u` are never looked at. The issuer pin is needed because all Azure
 * providers of a region sign with one key, and the policy pin because the provider's policy decides
 * what a claim means.
 */
export async function verifyAttestationToken(
  token: DecodedAttestationToken,
  options: VerifyTokenOptions,
): Promise<Result<VerifiedAttestationToken, AttestationTokenFailure>> {
  const { compact, header, payload, signature } = token
  const refusedHeader = checkHeader(header)
  if (refusedHeader !== undefined) return refusedHeader
  const issuer = options.issuers.find((one) => one.issuer === payload.iss)
  if (issuer === undefined) return refuse('token_issuer_unknown', payload.iss)
  const key = typeof header.kid === 'string' ? issuer.keys.keys.get(header.kid) : undefined
  if (key === undefined) return refuse('token_key_unknown', header.kid)
  const refusedKey = checkKeyValidity(key, options)
  if (refusedKey !== undefined) return refusedKey
  const signed = { compact, signature, key: key.key, algorithm: 'RS256' } as const
  if (!(await verifyJwsSignature(signed))) return refuse('token_signature_invalid', key.kid)
  return readClaims(token, issuer, options)
}

/**
 * The name of an attestation policy in `x-ms-policy-hash`: the policy text is wrapped in base64url
 * before and after hashing.
 */
export function policyHashOf(policyText: string): AttestationPolicyHash {
  const wrapped = toBase64Url(toUtf8(policyText))
  return asAttestationPolicyHash(toBase64Url(digest('sha256', toUtf8(wrapped))))
}

/** For a text that somebody else says is one: a token, a row of ours, an administrator's pin. */
export function asAttestationPolicyHash(text: string): AttestationPolicyHash {
  return text as AttestationPolicyHash
}

function checkHeader(header: JsonObject): Refused | undefined {
  // Azure answers a request with a draft policy by an unsigned token.
  if (header.alg === 'none') return refuse('token_draft')
  if (header.alg !== 'RS256') return refuse('token_algorithm_refused', header.alg)
  if (typeof header.typ !== 'string' || header.typ.toUpperCase() !== 'JWT') {
    return refuse('token_type_refused', header.typ)
  }
  return Object.hasOwn(header, 'crit') ? refuse('token_critical_header') : undefined
}

/** Azure lists keys for months after their certificates have expired. */
function checkKeyValidity(key: IssuerKey, options: VerifyTokenOptions): Refused | undefined {
  const { validity } = key
  if (validity === undefined) return undefined
  const { notBefore, notAfter } = validity
  const now = options.now.getTime()
  const skew = options.clockSkewSeconds * 1000
  if (!(now + skew >= notBefore.getTime())) return refuse('token_key_not_yet_valid', key.kid)
  return now - skew <= notAfter.getTime() ? undefined : refuse('token_key_expired', key.kid)
}

function readClaims(
  { payload, kind }: DecodedAttestationToken,
  issuer: TokenIssuer,
  options: VerifyTokenOptions,
): Result<VerifiedAttestationToken, AttestationTokenFailure> {
  if (kind === 'policy_answer') return refuse('token_policy_answer')
  if (payload['x-ms-ver'] !== '1.0') return refuse('token_version_refused', payload['x-ms-ver'])
  const times = readTimes(payload)
  const { jti, 'x-ms-attestation-type': attestationType } = payload
  if (times === undefined) return refuse('token_claims_malformed', 'iat, nbf, exp')
  if (!isName(jti)) return refuse('token_claims_malformed', 'jti')
  if (attestationType !== undefined && !isName(attestationType)) {
    return refuse('token_claims_malformed', 'x-ms-attestation-type')
  }
  const attestationPolicyHash = payload['x-ms-policy-hash']
  if (!isName(attestationPolicyHash)) return refuse('token_policy_missing')
  const refused = checkPolicy(attestationPolicyHash, issuer) ?? checkTimes(times, options)
  if (refused !== undefined) return refused
  const nonce = readNonce(payload)
  if (!nonce.ok) return nonce
  const confirmation = readConfirmation(payload)
  if (!confirmation.ok) return confirmation
  return ok({
    [verified]: true,
    issuer: issuer.issuer,
    payload: Object.freeze(payload),
    nonce: nonce.value,
    confirmation: confirmation.value,
    kind,
    attestationPolicyHash: asAttestationPolicyHash(attestationPolicyHash),
    attestationType,
    issuedAt: new Date(times.issuedAt * 1000),
    expiresAt: new Date(times.expiresAt * 1000),
    jti,
  })
}

function checkPolicy(
  attestationPolicyHash: string,
  { attestationPolicyHashes }: TokenIssuer,
): Refused | undefined {
  const isPinned =
    attestationPolicyHashes === 'unpinned' ||
    attestationPolicyHashes.some((pinned) => pinned === attestationPolicyHash)
  if (isPinned) return undefined
  return refuse('policy_not_pinned', attestationPolicyHash)
}

function readTimes({ iat, nbf, exp }: JsonObject): Times | undefined {
  if (!isNumericDate(iat) || !isNumericDate(nbf) || !isNumericDate(exp)) return undefined
  return { issuedAt: iat, notBefore: nbf, expiresAt: exp }
}

/** Written so that a clock or an option that is no number refuses. */
function checkTimes(times: Times, options: VerifyTokenOptions): Refused | undefined {
  const { maxAgeSeconds, clockSkewSeconds: skew } = options
  const { issuedAt, notBefore, expiresAt } = times
  const now = options.now.getTime() / 1000
  if (!(now < expiresAt + skew)) return refuse('token_expired', expiresAt)
  if (!(now >= notBefore - skew)) return refuse('token_not_yet_valid', notBefore)
  if (!(now >= issuedAt - skew)) return refuse('token_issued_in_future', issuedAt)
  return now <= issuedAt + maxAgeSeconds + skew ? undefined : refuse('token_too_old', issuedAt)
}

/** `nonce` is the newer name of `rp_data`; a token with both must mean one value. */
function readNonce(payload: JsonObject): Result<Uint8Array | undefined, AttestationTokenFailure> {
  const texts = [payload.nonce, payload.rp_data].filter((text) => text !== undefined)
  const values: Uint8Array[] = []
  for (const text of texts) {
    const tooLong = typeof text !== 'string' || text.length > MAX_NONCE_CHARS
    const bytes = tooLong ? undefined : fromBase64Url(text)
    if (bytes === undefined) return refuse('token_nonce_malformed')
    values.push(bytes)
  }
  const [nonce, other] = values
  if (nonce !== undefined && other !== undefined && !equalBytes(nonce, other)) {
    return refuse('token_nonce_mismatch')
  }
  return ok(nonce)
}

function readConfirmation(
  payload: JsonObject,
): Result<VerifiedAttestationToken['confirmation'], AttestationTokenFailure> {
  if (payload.cnf === undefined) return ok(undefined)
  const key = isJsonObject(payload.cnf) ? readConfirmationKey(payload.cnf.jwk) : undefined
  return key === undefined ? refuse('token_confirmation_malformed') : ok(key)
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_NAME_CHARS
}

function refuse(reason: AttestationTokenFailure['reason'], detail?: unknown): Refused {
  if (detail === undefined) return err({ reason })
  // Only of plain values: what an object turns into is up to whoever wrote it.
  const isPlain = typeof detail === 'string' || typeof detail === 'number'
  return err({ reason, detail: isPlain ? `${detail}`.slice(0, MAX_DETAIL_CHARS) : typeof detail })
}
