import type { AttestationPolicyHash } from '../evidence/token/attestation-token.ts'
import { BUILT_IN_POLICY_HASH } from '../verifier/built-in-policy.ts'
import type { AttestationClaims } from './claims.ts'
import { isVouched } from './hardware.ts'
import type { PolicyPin, ReferenceValues } from './reference-values.ts'
import { countsAt } from './validity.ts'

/** Whether evidence that was believed when it was recorded would be believed again. */
export type Origin =
  | 'accepted'
  /** Its verifier's policy is not, or no longer, among the pins. */
  | 'policy_not_pinned'
  /**
   * The root behind its attestation key is not, or no longer, among the trust anchors, or not for
   * certificates that leave the purpose of the key out.
   */
  | 'anchor_not_listed'
  /** Nobody vouched for its hardware, which is required now. */
  | 'hardware_unproven'

type OriginClaims = Pick<
  AttestationClaims,
  'aikEnrolled' | 'aikPurposeNamed' | 'aikTrustAnchor' | 'aikValidated'
>

/**
 * Holds where recorded evidence comes from against reference values. The token was verified when it
 * was recorded; this says whether its verifier and its root of trust still count at `now`.
 *
 * Tokens of the built-in verifier need no pin, as this service issues them itself. Where trust
 * anchors are listed, theirs must be among them; where none are, the configuration decided when the
 * token was made. Every other token needs a pin of its issuer and policy.
 *
 * Where hardware has to be proven, our own verifier must have vouched for it; a provider, which looks
 * at certificates itself under the policy that is pinned, must not have said that nobody does.
 */
export function appraiseOrigin(input: {
  readonly issuer: string
  readonly attestationPolicyHash: AttestationPolicyHash
  readonly claims: OriginClaims
  readonly referenceValues: ReferenceValues
  readonly now: Date
}): Origin {
  const { issuer, attestationPolicyHash, claims, referenceValues } = input
  const now = input.now.getTime()
  const { requiresHardware } = referenceValues
  const pins = referenceValues.pinsByIssuer.get(issuer)
  // Whoever gives the text of the built-in policy to a provider has to pin it like any other.
  if (attestationPolicyHash === BUILT_IN_POLICY_HASH && pins === undefined) {
    if (requiresHardware && !isVouched(claims)) return 'hardware_unproven'
    return isAnchorListed(claims, referenceValues, now) ? 'accepted' : 'anchor_not_listed'
  }
  if (!isPolicyPinned(attestationPolicyHash, pins, now)) return 'policy_not_pinned'
  return requiresHardware && claims.aikValidated === false ? 'hardware_unproven' : 'accepted'
}

function isAnchorListed(
  { aikEnrolled, aikPurposeNamed, aikTrustAnchor: fingerprint }: OriginClaims,
  { anchors }: ReferenceValues,
  now: number,
): boolean {
  // Who vouches for endorsement keys is configured, and was asked when the token was made.
  if (anchors.size === 0 || aikEnrolled === true) return true
  const entries = fingerprint === undefined ? undefined : anchors.get(fingerprint)
  if (entries === undefined) return false
  for (const entry of entries) {
    const isForPurpose = aikPurposeNamed !== false || entry.attestationKeyPurpose === 'lax'
    if (isForPurpose && countsAt(entry, now)) return true
  }
  return false
}

function isPolicyPinned(
  hash: AttestationPolicyHash,
  pins: readonly PolicyPin[] | undefined,
  now: number,
): boolean {
  if (pins === undefined) return false
  for (const pin of pins) if (pin.hash === hash && countsAt(pin, now)) return true
  return false
}
