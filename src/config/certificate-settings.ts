import { z } from 'zod'
import { type AiaPlace, KNOWN_AIA_HOSTS, readAiaPlace } from '../aia/hosts.ts'
import { readTrustAnchors } from './trust-anchors.ts'

/** Names of known roots, PEM, or both: see `readTrustAnchors`. */
export const trustAnchors = z.string().superRefine((text, context) => {
  try {
    readTrustAnchors(text)
  } catch (error) {
    const message = error instanceof Error ? error.message : 'cannot be read'
    context.addIssue({ code: 'custom', message })
  }
})

/** PEM alone: the anchor of an endorsement key is asked for when nobody sends it any more. */
export const ekTrustAnchors = trustAnchors.refine(
  (text) => !namesKnownRoots(text),
  'must hold certificates in PEM, and no names of roots',
)

function namesKnownRoots(text: string): boolean {
  try {
    return (readTrustAnchors(text).knownAnchors?.size ?? 0) > 0
  } catch {
    // Told already.
    return false
  }
}

/** Stands for the whole list that comes with this version. */
const DEFAULT = 'default'
/** Nothing is fetched: all issuers are in the configuration, or agents send them. */
const NONE = 'none'

/** Where certificates may be fetched from that others name. */
export const aiaPlaces = z
  .string()
  .default(DEFAULT)
  .transform((text, context): readonly AiaPlace[] => {
    const words = text.split(',').map((word) => word.trim())
    if (words.length === 1 && words[0] === NONE) return []
    return words.flatMap((word) => {
      if (word === DEFAULT) return KNOWN_AIA_HOSTS.flatMap((known) => readAiaPlace(known) ?? [])
      const place = word === NONE ? undefined : readAiaPlace(word)
      if (place !== undefined) return [place]
      const message = `${word || 'an empty word'} is no HOST[:PORT][/FOLDER/] in small letters, default or none`
      context.addIssue({ code: 'custom', message })
      return []
    })
  })
