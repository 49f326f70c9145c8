import { type Compared, comparison } from '../../base/comparison.ts'
import { toBase64 } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { DEVICE_KEY_FORM, listMishashed } from '../../evidence/device-key.ts'
import { NONCE_BYTES, openNonce } from '../../evidence/nonce.ts'
import type { TpmKey } from '../../evidence/tpm/key.ts'

export const DEVICE_KEY_REASONS = ['device_key_mishashed'] as const

/** A nonce was asked for with a device key that is a hash of something else than it should be. */
export type DeviceKeyFailure = {
  readonly reason: (typeof DEVICE_KEY_REASONS)[number]
  readonly member: string
  readonly expected: string
} & Compared

/** Who made a nonce: this service for the key in question, or nobody that it can tell. */
type NonceMaker = 'own' | 'other'

/**
 * Looks whether `rp_data` is a nonce of ours that was made for a wrong hash of this very attestation
 * key: the token would be refused when it is handed in, where nobody could say why. What is no nonce
 * of ours, or of somebody else, is none of the verifier's business. `own`: it is one of ours for this key.
 */
export function checkOwnNonce(input: {
  readonly rpData: Uint8Array | undefined
  /** Path of `rp_data`. */
  readonly member: string
  /** Proven by a quote. */
  readonly attestationKey: TpmKey
  /** SHA-256 of its SubjectPublicKeyInfo. */
  readonly hash: Uint8Array
  /** Every secret that may still have sealed a living nonce. */
  readonly secrets: readonly Uint8Array[]
  readonly now: Date
}): Promise<Result<NonceMaker, DeviceKeyFailure>> | Result<NonceMaker, DeviceKeyFailure> {
  const { rpData: nonce, hash, secrets, now } = input
  if (nonce?.length !== NONCE_BYTES) return ok('other')
  const opened = openNonce({ secrets, deviceKey: hash, nonce, now })
  return opened.ok || opened.failure.reason !== 'nonce_foreign'
    ? ok('own')
    : findMishashed({ ...input, nonce })
}

async function findMishashed(
  input: Parameters<typeof checkOwnNonce>[0] & { readonly nonce: Uint8Array },
): Promise<Result<NonceMaker, DeviceKeyFailure>> {
  const { attestationKey, nonce, secrets, now, hash, member } = input
  const candidates = listMishashed(attestationKey.jwk, await attestationKey.spkiDer())
  const found = candidates.find(({ hash: deviceKey }) => {
    const opened = openNonce({ secrets, deviceKey, nonce, now })
    return opened.ok || opened.failure.reason !== 'nonce_foreign'
  })
  if (found === undefined) return ok('other')
  const expected = `${DEVICE_KEY_FORM}, ${toBase64(hash)}, and not of ${found.what}`
  const what = 'device key that the nonce was made for'
  const compared = () => [comparison(what, toBase64(hash), toBase64(found.hash))]
  return err({ reason: 'device_key_mishashed', member, expected, compared })
}
