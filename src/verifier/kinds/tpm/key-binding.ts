import { type Compared, type Comparison, comparison, showKey } from '../../../base/comparison.ts'
import { digest } from '../../../base/digest.ts'
import { toBase64Url, toUtf8 } from '../../../base/encoding.ts'
import { inMember } from '../../../base/located.ts'
import { err, type Failure, ok, type Result } from '../../../base/result.ts'
import { hashAlgorithmId } from '../../../evidence/tpm/algorithms.ts'
import { parseTpmsAttest } from '../../../evidence/tpm/attest.ts'
import {
  type CERTIFY_REASONS,
  type CertifyFailure,
  verifyCertification,
} from '../../../evidence/tpm/certify.ts'
import { compareNonce } from '../../../evidence/tpm/freshness.ts'
import { importTpmKey, type TpmKey, type TpmKeyFailure } from '../../../evidence/tpm/key.ts'
import { parseTpmPublic } from '../../../evidence/tpm/public-area.ts'
import { aboutJwk, isSameKey } from '../../protocol/public-jwk.ts'
import type { KeyCertification, RequestData } from '../../protocol/request-data.ts'

export const CERTIFIED_KEY_REASONS = ['certified_key_mismatch'] as const

export type KeyBindingFailure =
  | ({
      readonly reason: (typeof CERTIFIED_KEY_REASONS)[number]
      readonly member: string
    } & Compared)
  | CertifyFailure
  | TpmKeyFailure

/** A key of the request as the token states it, `info` in the form of Azure's policy object. */
export type TokenKey = {
  readonly jwk: Readonly<JsonWebKey>
  readonly info?: QuoteKeyInfo | CertifiedKeyInfo
}

export type QuoteKeyInfo = { readonly tpm_quote: { readonly hash_alg: string } }

export type CertifiedKeyInfo = {
  readonly tpm_certify: {
    /** TPM_ALG_ID. */
    readonly name_alg: number
    /** TPMA_OBJECT as a number. */
    readonly obj_attr: number
    readonly auth_policy: string
  }
}

/** Keys whose binding to the TPM, where they claim one, was verified. */
export type BoundKeys = {
  /** Absent in version 1, which knows no key information. */
  readonly requestKey: TokenKey | undefined
  readonly otherKeys: readonly TokenKey[]
}

/**
 * What the quote must carry as qualifying data: the challenge, or for a key that the quote itself
 * vouches for HASH(UTF8(jwk) ‖ 0x00 ‖ challenge), the text of the key being the one on the wire.
 */
export function qualifyingDataOf({ requestKey, challenge }: RequestData): Uint8Array {
  const { binding, jwkText } = requestKey
  if (binding.kind !== 'tpm_quote') return challenge
  return digest(binding.hash, toUtf8(jwkText), Uint8Array.of(0), challenge)
}

/** The same in words, for who has sent another. */
export function describeQualifyingData({ requestKey: { binding } }: RequestData): string {
  return binding.kind === 'tpm_quote'
    ? `qualifying data: HASH(UTF8(jwk) ‖ 0x00 ‖ challenge), HASH being ${binding.hashName}`
    : 'qualifying data: the challenge, decoded to its bytes'
}

/** Two keys that have to be one. */
export function compareKeys(what: string, expected: TpmKey, found: TpmKey): Comparison {
  return comparison(what, showKey(expected.jwk), showKey(found.jwk))
}

/** What the TPM certified of the request's keys, and the nonce with it, as they came. */
export function compareCertifications(request: RequestData): readonly Comparison[] {
  const { binding, jwk } = request.requestKey
  const certified = [
    ...request.otherKeys,
    ...(binding.kind === 'tpm_certify' ? [{ jwk, certification: binding.certification }] : []),
  ]
  return certified.flatMap(({ jwk: key, certification }) => {
    const attest = certification && parseTpmsAttest(certification.certification)
    const area = certification && parseTpmPublic(certification.publicArea)
    if (attest?.ok !== true || area?.ok !== true) return []
    const { attested, extraData } = attest.value
    if (attested.kind !== 'certify') return []
    return [
      ...compareNonce(extraData, { qualifyingData: request.challenge }),
      comparison('Name of the public area', attested.name, area.value.name),
      comparison('key of the request', showKey(key), showKey(area.value.jwk)),
    ]
  })
}

/**
 * Verifies what TPM2_Certify says of the request's keys, with the challenge as nonce and the AIK of
 * the same request. A binding through the quote was verified with the quote, and one through the
 * enclave's report is verified with that report.
 */
export async function verifyKeyBindings(
  request: RequestData,
  requestKey: TpmKey,
  aik: TpmKey,
): Promise<Result<BoundKeys, KeyBindingFailure>> {
  const { binding } = request.requestKey
  const verify = (key: TpmKey, certification: KeyCertification) =>
    verifyCertifiedKey({ key, certification, aik, challenge: request.challenge })
  const otherKeys: TokenKey[] = []
  for (const other of request.otherKeys) {
    const key = await importTpmKey(other.jwk)
    if (!key.ok) return err(aboutJwk(key.failure, other.member))
    if (other.certification === undefined) {
      otherKeys.push({ jwk: key.value.jwk })
      continue
    }
    const info = await verify(key.value, other.certification)
    if (!info.ok) return info
    otherKeys.push({ jwk: key.value.jwk, info: info.value })
  }
  switch (binding.kind) {
    case 'none':
    case 'enclave_report':
      return ok({ requestKey: undefined, otherKeys })
    case 'tpm_quote': {
      const info: QuoteKeyInfo = { tpm_quote: { hash_alg: binding.hashName } }
      return ok({ requestKey: { jwk: requestKey.jwk, info }, otherKeys })
    }
    case 'tpm_certify': {
      const info = await verify(requestKey, binding.certification)
      if (!info.ok) return info
      return ok({ requestKey: { jwk: requestKey.jwk, info: info.value }, otherKeys })
    }
  }
}

async function verifyCertifiedKey(input: {
  readonly key: TpmKey
  readonly certification: KeyCertification
  readonly aik: TpmKey
  readonly challenge: Uint8Array
}): Promise<Result<CertifiedKeyInfo, KeyBindingFailure>> {
  const { certification, signature, publicArea, member } = input.certification
  const certified = await verifyCertification({
    certification,
    signature,
    publicArea,
    key: input.aik,
    qualifyingData: input.challenge,
  })
  if (!certified.ok) return inMember(`${member}.${partOf(certified.failure)}`, certified)
  const area = certified.value.publicArea
  const key = inMember(`${member}.public`, await importTpmKey(area.jwk))
  if (!key.ok) return key
  // The TPM vouches for the key in the public area; the request must be about that one.
  if (!isSameKey(key.value, input.key)) {
    const compared = () => [compareKeys('key of the request', input.key, key.value)]
    return err({ reason: 'certified_key_mismatch', member: `${member}.public`, compared })
  }
  const info = {
    name_alg: hashAlgorithmId(area.nameAlgorithm),
    obj_attr: area.attributes.raw,
    auth_policy: toBase64Url(area.authPolicy),
  }
  return ok({ tpm_certify: info })
}

type CertificationPart = 'public' | 'certification' | 'signature'

const PART_OF: Readonly<Record<(typeof CERTIFY_REASONS)[number], CertificationPart>> = {
  certify_type_wrong: 'certification',
  certify_signature_algorithm_refused: 'signature',
  certify_signature_invalid: 'signature',
  certify_nonce_mismatch: 'certification',
  certify_name_mismatch: 'public',
  certify_attributes_missing: 'public',
}

const PART_OF_STRUCTURE: Readonly<Record<string, CertificationPart>> = {
  TPMT_PUBLIC: 'public',
  TPMT_SIGNATURE: 'signature',
}

/** The member of `tpm_certify` that a refusal is about. */
function partOf({
  reason,
  structure = '',
}: Failure & Pick<CertifyFailure, 'reason'>): CertificationPart {
  return isCertifyReason(reason)
    ? PART_OF[reason]
    : (PART_OF_STRUCTURE[structure] ?? 'certification')
}

function isCertifyReason(
  reason: CertifyFailure['reason'],
): reason is (typeof CERTIFY_REASONS)[number] {
  return Object.hasOwn(PART_OF, reason)
}
