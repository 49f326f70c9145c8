import type { ReferenceValues } from './appraisal/reference-values.ts'
import { listAnchorsAt } from './appraisal/trust-anchors.ts'
import { equalBytes } from './digest.ts'
import { type Certificate, parsePemBundle } from './evidence/x509/certificate.ts'
import { fingerprintOf } from './evidence/x509/fingerprint.ts'
import type { AikTrust } from './verifier/attestation-key.ts'

/**
 * AK_TRUST_ANCHORS: certificates that are their own issuer are anchors, the others help to reach
 * these and the anchors of reference values.
 */
export function readTrustAnchors(pem: string | undefined): AikTrust {
  if (pem === undefined) return { anchors: [], intermediates: [] }
  const bundle = parsePemBundle(pem)
  if (!bundle.ok) throw new Error(`AK_TRUST_ANCHORS: ${bundle.failure.reason}`)
  const isAnchor = ({ issuer, subject }: Certificate) => equalBytes(issuer, subject)
  const anchors = bundle.value.filter(isAnchor)
  if (anchors.length === 0) throw new Error('AK_TRUST_ANCHORS: holds no self-signed certificate')
  return { anchors, intermediates: bundle.value.filter((one) => !isAnchor(one)) }
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
  // Those that are listed first: where a chain can end at either, it ends at what is believed later.
  const listed = referenceValues.flatMap((values) => listAnchorsAt(values.anchors, now.getTime()))
  for (const anchor of [...listed, ...configured.anchors])
    anchors.set(fingerprintOf(anchor), anchor)
  return {
    anchors: [...anchors.values()],
    intermediates: configured.intermediates,
    isRequired:
      configured.anchors.length > 0 || referenceValues.every((values) => values.anchors.size > 0),
  }
}
