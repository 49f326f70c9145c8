import { isNumericDate } from '../../base/numeric-date.ts'
import { type Err, err, ok, type Result } from '../../base/result.ts'
import { MAX_NAME_CHARS, MAX_PROOF_CHARS } from '../limits.ts'
import { hasPrivateMembers } from '../x509/rsa-public-key.ts'
import { type CompactJws, decodeCompactJws, isJsonObject, type JsonObject } from './compact-jws.ts'
import {
  type ConfirmationKey,
  isSameJwk,
  type ProvableJwk,
  readProvableJwk,
} from './confirmation-key.ts'
import { normalizeHttpTarget } from './http-target.ts'
import { importJwsKey, type JwsAlgorithm, verifyJwsSignature } from './jws-signature.ts'

/** Why a proof of possession is refused, in the order in which it is checked. */
export const PROOF_REASONS = [
  'proof_too_large',
  'proof_malformed',
  'proof_type_refused',
  'proof_critical_header',
  'proof_key_private',
  'proof_key_malformed',
  'proof_algorithm_refused',
  'proof_key_mismatch',
  'proof_signature_invalid',
  'proof_claims_malformed',
  'proof_method_mismatch',
  'proof_url_mismatch',
  'proof_issued_in_future',
  'proof_too_old',
  'proof_nonce_mismatch',
] as const

export type ProofFailure = {
  readonly reason: (typeof PROOF_REASONS)[number]
  /** The header parameter or claim at fault, such as `dpop.htu`. */
  readonly member?: string
  readonly expected?: string
}

export type ProofExpectation = {
  /** A DPoP proof, RFC 9449 §4.2. */
  readonly proof: string
  /** The attested key: that of a verified token. */
  readonly confirmation: ConfirmationKey
  readonly method: string
  /** Where the request came to, as clients know it. Query and fragment do not count. */
  readonly url: string
  /** What the proof's `nonce` must equal. */
  readonly nonce: string
  readonly now: Date
  readonly maxAgeSeconds: number
  readonly clockSkewSeconds: number
}

/** `jti` is for whoever wants each proof used once; our nonce is spent once anyway. */
export type VerifiedProof = { readonly jti: string; readonly thumbprint: string }

/** By kind of key, what a proof may be signed with. */
const ALGORITHMS: Readonly<Record<'RSA' | 'EC', readonly JwsAlgorithm[]>> = {
  RSA: ['PS256', 'RS256'],
  EC: ['ES256'],
}

/**
 * Verifies that whoever sent the request holds the attested key. RFC 9449 §4.3, all checks but `ath`,
 * since no access token is presented here. The key in the proof's header must be the attested one
 * (RFC 7638 thumbprint), so the header chooses nothing.
 */
export async function verifyConfirmationProof(
  input: ProofExpectation,
): Promise<Result<VerifiedProof, ProofFailure>> {
  const { confirmation } = input
  const isAttested = (jwk: ProvableJwk) => isSameJwk(jwk, confirmation.jwk)
  const proven = await verifyProof({ ...input, isExpected: isAttested })
  if (!proven.ok) return proven
  const { jti, nonce } = proven.value
  // Last, so that its refusal says all else was right.
  if (nonce === input.nonce) return ok({ jti, thumbprint: confirmation.thumbprint })
  return refuse('proof_nonce_mismatch', 'nonce', 'the nonce of the token')
}

export type ProofOfAKey = Omit<ProofExpectation, 'confirmation' | 'nonce'> & {
  /** Whether the key in the proof's header is one that may have made it. */
  readonly isExpected: (jwk: ProvableJwk) => boolean
}

/**
 * A proof that the key in its header made for this request, lately. What it says of an access token and of
 * a nonce is still to be held against them, and nobody has looked whether it came before.
 */
export type ProvenKey = {
  readonly jwk: ProvableJwk
  readonly jti: string
  /** Seconds since 1970. */
  readonly iat: number
  readonly ath: unknown
  readonly nonce: unknown
}

/** Verifies a proof for this request (RFC 9449 §4.3) but for `ath`, `nonce` and single use. */
export async function verifyProof(input: ProofOfAKey): Promise<Result<ProvenKey, ProofFailure>> {
  if (input.proof.length > MAX_PROOF_CHARS) return err({ reason: 'proof_too_large' })
  const jws = decodeCompactJws(input.proof)
  if (jws === undefined) return err({ reason: 'proof_malformed' })
  const header = checkHeader(jws.header, input.isExpected)
  if (!header.ok) return header
  const { jwk, algorithm } = header.value
  if (!(await isSignedBy(jwk, { compact: input.proof, jws, algorithm }))) {
    return err({ reason: 'proof_signature_invalid' })
  }
  const { jti, ath, nonce } = jws.payload
  if (!isName(jti)) return refuse('proof_claims_malformed', 'jti', CLAIM_FORMS.jti)
  const checked = checkClaims(jws.payload, input)
  return checked.ok ? ok({ jwk, jti, iat: checked.value, ath, nonce }) : checked
}

/** The key of the proof, and the algorithm that it is to be verified with. */
function checkHeader(
  header: JsonObject,
  isExpected: ProofOfAKey['isExpected'],
): Result<{ readonly jwk: ProvableJwk; readonly algorithm: JwsAlgorithm }, ProofFailure> {
  if (header.typ !== 'dpop+jwt') return refuse('proof_type_refused', 'typ', 'dpop+jwt')
  if (Object.hasOwn(header, 'crit')) return refuse('proof_critical_header', 'crit', 'no crit')
  if (isJsonObject(header.jwk) && hasPrivateMembers(header.jwk)) {
    return refuse('proof_key_private', 'jwk', 'public members alone')
  }
  const jwk = readProvableJwk(header.jwk)
  if (jwk === undefined) {
    return refuse('proof_key_malformed', 'jwk', 'an RSA key of 2048 bits or more, or P-256')
  }
  const algorithm = ALGORITHMS[jwk.kty].find((known) => known === header.alg)
  if (algorithm === undefined) {
    return refuse('proof_algorithm_refused', 'alg', ALGORITHMS[jwk.kty].join(' or '))
  }
  if (isExpected(jwk)) return ok({ jwk, algorithm })
  return refuse('proof_key_mismatch', 'jwk', 'the key in cnf of the token')
}

async function isSignedBy(
  jwk: ProvableJwk,
  proof: {
    readonly compact: string
    readonly jws: CompactJws
    readonly algorithm: JwsAlgorithm
  },
): Promise<boolean> {
  const { compact, jws, algorithm } = proof
  // A point that is not on its curve can be in nobody's possession.
  const key = await importJwsKey(jwk, algorithm).catch(() => undefined)
  if (key === undefined) return false
  return verifyJwsSignature({ compact, signature: jws.signature, key, algorithm })
}

/** RFC 9449 §4.3 steps 8, 9 and 11. Answers when the proof was made, in seconds since 1970. */
function checkClaims(
  { htm, htu, iat }: JsonObject,
  expected: ProofOfAKey,
): Result<number, ProofFailure> {
  const now = expected.now.getTime() / 1000
  const { maxAgeSeconds, clockSkewSeconds: skew } = expected
  if (typeof htm !== 'string' || typeof htu !== 'string' || !isNumericDate(iat)) {
    const claim = typeof htm !== 'string' ? 'htm' : typeof htu !== 'string' ? 'htu' : 'iat'
    return refuse('proof_claims_malformed', claim, CLAIM_FORMS[claim])
  }
  const { method, url } = expected
  if (htm !== method) return refuse('proof_method_mismatch', 'htm', method)
  if (!isSameTarget(htu, url)) return refuse('proof_url_mismatch', 'htu', url)
  if (!(iat <= now + skew)) return refuse('proof_issued_in_future', 'iat', `at most ${now + skew}`)
  const oldest = now - maxAgeSeconds - skew
  return iat >= oldest ? ok(iat) : refuse('proof_too_old', 'iat', `at least ${oldest}`)
}

const CLAIM_FORMS = {
  jti: `text of 1 to ${MAX_NAME_CHARS} characters`,
  htm: 'text',
  htu: 'text',
  iat: 'seconds since 1970',
} as const

function refuse(
  reason: ProofFailure['reason'],
  member: string,
  expected: string,
): Err<ProofFailure> {
  return err({ reason, member: `dpop.${member}`, expected })
}

/** Nearly every agent writes the URL as it is published, and two of one text need no parsing. */
function isSameTarget(htu: string, url: string): boolean {
  if (htu === url) return true
  // Ours is made of a setting, which may be written with letters of other scripts.
  const target = URL.canParse(url) ? normalizeHttpTarget(new URL(url).href) : undefined
  if (target === undefined) throw new TypeError('the url of the request is not absolute')
  return normalizeHttpTarget(htu) === target
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_NAME_CHARS
}
