import { z } from 'zod'
import { type AiaPlace, KNOWN_AIA_HOSTS, readAiaPlace } from '../aia/hosts.ts'
import { oneOf } from '../base/fields.ts'
import { EK_KINDS, type EkKind } from '../evidence/tpm/endorsement-key.ts'
import { readTrustAnchors } from './trust-anchors.ts'

/** Names of known roots, PEM, or both: see `readTrustAnchors`. */
const trustAnchors = z.string().superRefine((text, context) => {
  try {
    readTrustAnchors(text)
  } catch (error) {
    const message = error instanceof Error ? error.message : 'cannot be read'
    context.addIssue({ code: 'custom', message })
  }
})

/** PEM alone: the anchor of an endorsement key is asked for when nobody sends it any more. */
const ekTrustAnchors = trustAnchors.refine(
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
const aiaPlaces = z
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

/** Who vouches for keys of devices. */
export type CertificateConfig = {
  /** Whom AK certificates must chain to: names, PEM or both; `undefined` leaves hardware unproven. */
  readonly akTrustAnchors: string | undefined
  readonly akTrustAnchorsFile: string | undefined
  /** `lax`: under those anchors a certificate makes an attestation key without saying so. */
  readonly akCertificatePurpose: 'required' | 'lax'
  /** Where certificates of authorities may be fetched from that other certificates name. */
  readonly aiaPlaces: readonly AiaPlace[]
  /** PEM bundle of who vouches for endorsement keys; without it no TPM can enrol its keys here. */
  readonly ekTrustAnchors: string | undefined
  readonly ekTrustAnchorsFile: string | undefined
  /** The kinds of endorsement keys that name a TPM. */
  readonly ekKeyTypes: readonly EkKind[]
}

/** Whose certificates count for the keys of devices, and where missing ones are fetched. */
export const certificateSettings = {
  AK_TRUST_ANCHORS: trustAnchors.optional(),
  AK_TRUST_ANCHORS_FILE: z.string().min(1).optional(),
  AK_CERTIFICATE_PURPOSE: oneOf(['required', 'lax']).default('required'),
  AIA_HOSTS: aiaPlaces,
  EK_TRUST_ANCHORS: ekTrustAnchors.optional(),
  EK_TRUST_ANCHORS_FILE: z.string().min(1).optional(),
  EK_KEY_TYPES: z
    .string()
    .default('rsa-2048')
    .transform((text) => text.split(','))
    .pipe(z.array(oneOf(EK_KINDS)).min(1)),
}

type Settings = z.infer<z.ZodObject<typeof certificateSettings>>

export function readCertificateConfig(settings: Settings): CertificateConfig {
  return {
    akTrustAnchors: settings.AK_TRUST_ANCHORS,
    akTrustAnchorsFile: settings.AK_TRUST_ANCHORS_FILE,
    akCertificatePurpose: settings.AK_CERTIFICATE_PURPOSE,
    aiaPlaces: settings.AIA_HOSTS,
    ekTrustAnchors: settings.EK_TRUST_ANCHORS,
    ekTrustAnchorsFile: settings.EK_TRUST_ANCHORS_FILE,
    ekKeyTypes: settings.EK_KEY_TYPES,
  }
}
