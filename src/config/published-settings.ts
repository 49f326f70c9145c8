import { fromBase64 } from '../base/encoding.ts'
import {
  isPublishedKey,
  isPublishedRoot,
  isPublishedSecret,
  PUBLISHED_KEY,
} from '../base/published-keys.ts'
import { readTrustAnchors } from './trust-anchors.ts'

const SECRETS = ['SECRET_KEY', 'SECRET_KEY_PREVIOUS']
const ANCHORS = ['AK_TRUST_ANCHORS', 'EK_TRUST_ANCHORS']

/** A line for each setting that holds a key of the vectors: with it anybody is the service, or a device. */
export function publishedKeyMistakes(
  given: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const secrets = SECRETS.filter((name) => {
    const bytes = fromBase64(given[name] ?? '')
    return bytes !== undefined && isPublishedSecret(bytes)
  }).map((name) => `${name}: ${PUBLISHED_KEY}: make one of your own (openssl rand -base64 32)`)
  const anchors = ANCHORS.filter((name) => hasPublishedKey(given[name])).map(
    (name) => `${name}: ${PUBLISHED_KEY}: give the roots of those who make your devices`,
  )
  return [...secrets, ...anchors]
}

function hasPublishedKey(text: string | undefined): boolean {
  try {
    const { anchors, intermediates, knownAnchors = new Set() } = readTrustAnchors(text)
    const isGiven = [...anchors, ...intermediates].some(({ spki }) => isPublishedKey(spki))
    return isGiven || [...knownAnchors].some(isPublishedRoot)
  } catch {
    // What cannot be read is told as a mistake of its own.
    return false
  }
}
