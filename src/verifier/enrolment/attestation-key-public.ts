import { toHex } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ParseFailure } from '../../evidence/bytes.ts'
import { withoutSize } from '../../evidence/tpm/endorsement-key.ts'
import { aikPubHash, importTpmKey, type TpmKeyFailure } from '../../evidence/tpm/key.ts'
import type { TpmObjectAttribute } from '../../evidence/tpm/object-attributes.ts'
import { parseTpmPublic } from '../../evidence/tpm/public-area.ts'

export const AK_PUBLIC_REASONS = ['ak_attributes_refused', 'ak_algorithm_refused'] as const

export type AkPublicFailure =
  | ParseFailure
  | TpmKeyFailure
  | {
      readonly reason: (typeof AK_PUBLIC_REASONS)[number]
      /** What is missing, or there and must not be. */
      readonly detail: string
    }

/** Made in the TPM, never to leave it, and for nothing but what the TPM itself states. */
const REQUIRED: readonly TpmObjectAttribute[] = [
  'fixedTPM',
  'fixedParent',
  'sensitiveDataOrigin',
  'restricted',
  'sign',
]
/** A key that also decrypts could be made to sign what looks like a certificate, or the reverse. */
const FORBIDDEN: readonly TpmObjectAttribute[] = ['decrypt', 'x509sign']

/** An attestation key as its TPM describes it. That there is such a key in a TPM is unproven. */
export type DescribedAk = {
  /** nameAlg ‖ digest of the public area, computed here. TPM 2.0 Part 1 §16 */
  readonly name: Uint8Array
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** SHA-256 of that: the device key. */
  readonly hash: Uint8Array
}

const PUBLIC_FORM = 'TPMT_PUBLIC or TPM2B_PUBLIC of an RSA or ECC key'
/** A SEQUENCE of two bytes of length, in which an AlgorithmIdentifier comes first. RFC 5280 §4.1.2.7 */
const SPKI = /^30(?:82....|81..|[0-7].)30/

/** What the bytes have to be, where they are something else that agents often take for it. */
function describeForm(bytes: Uint8Array): string | undefined {
  const [hex, text] = [toHex(bytes.subarray(0, 5)), Buffer.from(bytes.subarray(0, 10)).toString()]
  if (SPKI.test(hex)) return `${PUBLIC_FORM}: this is a SubjectPublicKeyInfo in DER`
  if (text === '-----BEGIN') return `${PUBLIC_FORM}: this is PEM`
  return text.startsWith('{') ? `${PUBLIC_FORM}: this is JSON` : undefined
}

/** Reads a TPMT_PUBLIC or TPM2B_PUBLIC, and refuses every key that is not an attestation key. */
export async function readAkPublic(
  bytes: Uint8Array,
): Promise<Result<DescribedAk, AkPublicFailure>> {
  const parsed = parseTpmPublic(withoutSize(bytes))
  if (!parsed.ok) {
    const { expected = PUBLIC_FORM } = parsed.failure
    return err({ ...parsed.failure, expected: describeForm(bytes) ?? expected })
  }
  const { attributes, nameAlgorithm, scheme, jwk, name } = parsed.value
  const wrong = [
    ...REQUIRED.filter((attribute) => !attributes[attribute]),
    ...FORBIDDEN.filter((attribute) => attributes[attribute]),
  ]
  if (wrong.length > 0) return err({ reason: 'ak_attributes_refused', detail: wrong.join(' ') })
  // Two objects of one name could be made where the digest is SHA-1.
  if (nameAlgorithm === 'sha1') return err({ reason: 'ak_algorithm_refused', detail: 'nameAlg' })
  const signs = scheme !== null && ['rsassa', 'rsapss', 'ecdsa'].includes(scheme.algorithm)
  if (!signs || scheme.hash === 'sha1') {
    return err({ reason: 'ak_algorithm_refused', detail: 'scheme' })
  }
  const key = await importTpmKey(jwk)
  if (!key.ok) return key
  const hash = await aikPubHash(key.value)
  if (!hash.ok) return hash
  return ok({ name, spki: await key.value.spkiDer(), hash: hash.value })
}
