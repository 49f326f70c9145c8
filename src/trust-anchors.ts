import type { ReferenceValues } from './appraisal/reference-values.ts'
import { listAnchorsAt, listLaxAnchorsAt } from './appraisal/trust-anchors.ts'
import { type Certificate, parsePemBundle } from './evidence/x509/certificate.ts'
import { fingerprintOf } from './evidence/x509/fingerprint.ts'
import { isSameName } from './evidence/x509/name.ts'
import type { AikTrust } from './verifier/attestation-key.ts'

/**
 * AK_TRUST_ANCHORS: certificates that are their own issuer are anchors, the others help to reach
 * these and the anchors of reference values. `purpose` holds for all of these anchors, as
 * `attestation_key_purpose` does for one of reference values.
 */
export function readTrustAnchors(
  pem: string | undefined,
  purpose: 'required' | 'lax' = 'required',
): AikTrust {
  if (pem === undefined) return { anchors: [], intermediates: [] }
  const bundle = parsePemBundle(pem)
  if (!bundle.ok) throw new Error(`AK_TRUST_ANCHORS: ${bundle.failure.reason}`)
  const isAnchor = ({ issuer, subject }: Certificate) => isSameName(issuer, subject)
  const anchors = bundle.value.filter(isAnchor)
  if (anchors.length === 0) throw new Error('AK_TRUST_ANCHORS: holds no self-signed certificate')
  return {
    anchors,
    laxAnchors: new Set(purpose === 'lax' ? anchors.map(fingerprintOf) : []),
    intermediates: bundle.value.filter((one) => !isAnchor(one)),
  }
}

/**
 * Whom the built-in verifier believes at `now`: what is configured, and what any of the reference
 * values lists that decide for some device. Which of them decide for this one is known only when it
 * hands in its token, and then `appraiseOrigin` holds the anchor against those. So a key without an
 * anchor is refused here only if none of them would believe it.
 */
export function trustUnder(
  configured: AikTrust,
  referenceValues: readonly ReferenceValues[],
  now: Date,
): AikTrust {
  const anchors = new Map<string, Certificate>()
  const lax = referenceValues.flatMap((values) => listLaxAnchorsAt(values.anchors, now.getTime()))
  // Those that are listed first: where a chain can end at either, it ends at what is believed later.
  const listed = referenceValues.flatMap((values) => listAnchorsAt(values.anchors, now.getTime()))
  for (const anchor of [...listed, ...configured.anchors])
    anchors.set(fingerprintOf(anchor), anchor)
  return {
    anchors: [...anchors.values()],
    laxAnchors: new Set([...(configured.laxAnchors ?? []), ...lax]),
    intermediates: configured.intermediates,
    isRequired:
      configured.anchors.length > 0 || referenceValues.every((values) => values.anchors.size > 0),
  }
}
