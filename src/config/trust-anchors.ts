import { ANCHOR_NAMES, readAnchorWord } from '../appraisal/known-anchors.ts'
import { BUILT_IN } from '../azure/settings.ts'
import { type Certificate, parsePemBundle } from '../evidence/x509/certificate.ts'
import { fingerprintOf } from '../evidence/x509/fingerprint.ts'
import { isSameName } from '../evidence/x509/name.ts'
import type { AikTrust } from '../verifier/kinds/tpm/attestation-key.ts'

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
 * Whether nobody can pass off a simulated device: our own verifier has anchors or is not used.
 * Reference values can list anchors besides; nothing is known of those here.
 */
export function provesHardware(config: {
  readonly verifiers: readonly string[]
  readonly akTrustAnchors?: string | undefined
  readonly ekTrustAnchors?: string | undefined
}): boolean {
  return !config.verifiers.includes(BUILT_IN) || requiresHardware(config)
}

/** Whether the configuration says that hardware has to be proven, whatever reference values list. */
export function requiresHardware({
  akTrustAnchors,
  ekTrustAnchors,
}: {
  readonly akTrustAnchors?: string | undefined
  readonly ekTrustAnchors?: string | undefined
}): boolean {
  return (akTrustAnchors ?? ekTrustAnchors) !== undefined
}
