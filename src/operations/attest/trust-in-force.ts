import type { ReferenceValues } from '../../appraisal/reference-values.ts'
import { listAnchorsAt, listLaxAnchorsAt } from '../../appraisal/trust-anchors.ts'
import type { Certificate } from '../../evidence/x509/certificate.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import type { AikTrust } from '../../verifier/kinds/tpm/attestation-key.ts'
import { hasAnchors } from '../../verifier/steps/certified-path.ts'

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
  const time = now.getTime()
  const anchors = new Map<string, Certificate>()
  const listed = referenceValues.map((values) => listAnchorsAt(values.anchors, time))
  const lax = referenceValues.flatMap((values) => listLaxAnchorsAt(values.anchors, time))
  // Those that are listed first: where a chain can end at either, it ends at what is believed later.
  for (const anchor of [...listed.flatMap((one) => one.certificates), ...configured.anchors])
    anchors.set(fingerprintOf(anchor), anchor)
  const known = [...listed.flatMap((one) => one.known), ...(configured.knownAnchors ?? [])]
  return {
    anchors: [...anchors.values()],
    knownAnchors: new Set(known.filter((fingerprint) => !anchors.has(fingerprint))),
    laxAnchors: new Set([...(configured.laxAnchors ?? []), ...lax]),
    intermediates: configured.intermediates,
    isRequired:
      hasAnchors(configured) ||
      (configured.enrolment?.ekAnchors.size ?? 0) > 0 ||
      referenceValues.every((values) => values.requiresHardware),
    enrolment: configured.enrolment,
  }
}
