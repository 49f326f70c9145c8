import { type Compared, comparison } from '../../base/comparison.ts'
import { equalBytes, type HashAlgorithm } from '../../base/digest.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ParseFailure } from '../bytes.ts'
import { type CertifyInfo, parseTpmsAttest, type TpmsAttest } from './attest.ts'
import { compareNonce, type Freshness, isFresh } from './freshness.ts'
import { importTpmKey, type TpmKey, type TpmKeyFailure } from './key.ts'
import type { TpmObjectAttribute } from './object-attributes.ts'
import { parseTpmPublic, type TpmPublic } from './public-area.ts'
import {
  acceptsSignatureHash,
  compareSigner,
  parseTpmtSignature,
  type SignatureTolerance,
  verifyTpmtSignature,
} from './signature.ts'

export const CERTIFY_REASONS = [
  'certify_type_wrong',
  'certify_signature_algorithm_refused',
  'certify_signature_invalid',
  'certify_nonce_mismatch',
  'certify_name_mismatch',
  'certify_attributes_missing',
] as const

/** Why a key is not believed to live in the TPM. */
export type CertifyFailure =
  | ParseFailure
  | TpmKeyFailure
  | { readonly reason: 'certify_type_wrong'; readonly kind: TpmsAttest['attested']['kind'] }
  | {
      readonly reason: 'certify_signature_algorithm_refused'
      readonly scheme: string
      readonly hash: HashAlgorithm
    }
  | ({
      readonly reason:
        | 'certify_signature_invalid'
        | 'certify_nonce_mismatch'
        | 'certify_name_mismatch'
    } & Compared)
  | {
      readonly reason: 'certify_attributes_missing'
      readonly missing: readonly TpmObjectAttribute[]
    }

/** Without these a key could have been made elsewhere or be moved away. TPM 2.0 Part 1 §25.2 */
const REQUIRED: readonly TpmObjectAttribute[] = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin']

declare const verified: unique symbol

/**
 * Verified: `key` says that the object with this public area is loaded in its TPM, was created in it
 * and cannot leave it. Only `verifyCertification` makes one.
 */
export type VerifiedCertifiedKey = {
  readonly attest: TpmsAttest & { readonly attested: CertifyInfo }
  readonly publicArea: TpmPublic
  readonly [verified]: true
}

/**
 * Verifies a TPM2_Certify: structure, magic, type, signature, nonce, then that the certified Name is
 * that of `publicArea` (a TPMT_PUBLIC) and that its attributes keep the key inside. TPM 2.0 Part 3
 * §18.2
 */
export async function verifyCertification(
  input: {
    certification: Uint8Array
    signature: Uint8Array
    key: JsonWebKey | TpmKey
    publicArea: Uint8Array
  } & Freshness &
    SignatureTolerance,
): Promise<Result<VerifiedCertifiedKey, CertifyFailure>> {
  const parsed = parseTpmsAttest(input.certification)
  if (!parsed.ok) return parsed
  const signature = parseTpmtSignature(input.signature)
  if (!signature.ok) return signature
  const publicArea = parseTpmPublic(input.publicArea)
  if (!publicArea.ok) return publicArea
  const { attested, ...rest } = parsed.value
  if (attested.kind !== 'certify') return err({ reason: 'certify_type_wrong', kind: attested.kind })
  const { scheme, hash } = signature.value
  if (!acceptsSignatureHash(hash, input)) {
    return err({ reason: 'certify_signature_algorithm_refused', scheme, hash })
  }
  const key = await importTpmKey(input.key)
  if (!key.ok) return key
  const message = input.certification
  const signed = { ...input, key: key.value, signature: signature.value, message }
  if (!(await verifyTpmtSignature(signed))) {
    const compared = () => compareSigner(key.value, signature.value)
    return err({ reason: 'certify_signature_invalid', compared })
  }
  if (!isFresh(rest.extraData, input)) {
    const compared = () => compareNonce(rest.extraData, input)
    return err({ reason: 'certify_nonce_mismatch', compared })
  }
  const { name } = publicArea.value
  if (!equalBytes(attested.name, name)) {
    const compared = () => [comparison('Name of the public area', attested.name, name)]
    return err({ reason: 'certify_name_mismatch', compared })
  }
  const missing = REQUIRED.filter((attribute) => !publicArea.value.attributes[attribute])
  if (missing.length > 0) return err({ reason: 'certify_attributes_missing', missing })
  const certified = { attest: { ...rest, attested }, publicArea: publicArea.value }
  return ok(certified as VerifiedCertifiedKey)
}
