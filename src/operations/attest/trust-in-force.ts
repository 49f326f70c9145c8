import { ANCHOR_NAMES, readAnchorWord } from '../../appraisal/known-anchors.ts'
import type { ReferenceValues } from '../../appraisal/reference-values.ts'
import { listAnchorsAt, listLaxAnchorsAt } from '../../appraisal/trust-anchors.ts'
import type { Config } from '../../config/config.ts'
import { type Certificate, parsePemBundle } from '../../evidence/x509/certificate.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import { isSameName } from '../../evidence/x509/name.ts'
import type { AikTrust } from '../../verifier/steps/attestation-key.ts'
import { hasAnchors } from '../../verifier/steps/certified-path.ts'

/** A first line of words: comments of PEM files have other characters, and more than one word. */
const WORDS = /^[ \t]*([A-Za-z0-9:-]+(?:[ \t]*,[ \t]*[A-Za-z0-9:-]+)*)[ \t]*(?:\r?\n|$)/

/**
 * AK_TRUST_ANCHORS: names of known anchors on the first line, as `readAnchorWord` takes them, or
 * certificates in PEM, or both. Certificates that are their own issuer are anchors, the others help
 * to reach these and the anchors of reference values. `purpose` holds for the anchors among the
 * certificates, as `attestation_key_purpose` does for one of reference values. Throws an error that
 * says what is wrong.
 */
export function readTrustAnchors(
  text: string | undefined,
  purpose: 'required' | 'lax' = 'required',
): AikTrust {
  if (text === undefined) return { anchors: [], intermediates: [] }
  const [line = '', words] = WORDS.exec(text) ?? []
  const knownAnchors = new Set(words === undefined ? [] : readAnchorWords(words))
  const pem = text.slice(line.length)
  if (knownAnchors.size > 0 && pem.trim() === '') {
    return { anchors: [], knownAnchors, intermediates: [] }
  }
  const bundle = parsePemBundle(pem)
  if (!bundle.ok) throw new Error(`must hold certificates in PEM (${bundle.failure.detail})`)
  const isAnchor = ({ issuer, subject }: Certificate) => isSameName(issuer, subject)
  const anchors = bundle.value.filter(isAnchor)
  if (anchors.length === 0 && knownAnchors.size === 0) {
    throw new Error('holds no self-signed certificate')
  }
  return {
    anchors,
    knownAnchors,
    laxAnchors: new Set(purpose === 'lax' ? anchors.map(fingerprintOf) : []),
    intermediates: bundle.value.filter((one) => !isAnchor(one)),
  }
}

function readAnchorWords(words: string): readonly string[] {
  return words.split(',').flatMap((padded) => {
    const word = padded.trim()
    const fingerprints = readAnchorWord(word)
    if (fingerprints !== undefined) return fingerprints
    const known = [...ANCHOR_NAMES, 'sha256:…'].join(', ')
    throw new Error(`${word} names no known root: say one of ${known}, or give certificates in PEM`)
  })
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

/** Whether the configuration says that hardware has to be proven, whatever reference values list. */
export function requiresHardware({
  akTrustAnchors,
  ekTrustAnchors,
}: Pick<Config, 'akTrustAnchors' | 'ekTrustAnchors'>): boolean {
  return (akTrustAnchors ?? ekTrustAnchors) !== undefined
}
