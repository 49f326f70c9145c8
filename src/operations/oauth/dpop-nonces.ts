import { fromBase64Url, toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { openNonce, sealNonce } from '../../evidence/nonce.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'
import type { DpopFailure } from '../../oauth/dpop.ts'
import { DPOP_NONCE_SECONDS } from '../../oauth/limits.ts'

/**
 * Nonces for the proofs of callers (RFC 9449 §8, §9). Each proves by itself that a process of this service made
 * it, for which key and until when, as the nonces of challenges do: nothing of it is stored.
 */
export type DpopNonces = {
  /** `thumbprint`: of the key whose proofs it is for. */
  readonly make: (thumbprint: string) => string
  /** Answers the nonce to use from now on where this one is past half of its life. */
  readonly check: (
    nonce: unknown,
    thumbprint: string,
  ) => Result<{ readonly next: string | undefined }, DpopFailure>
}

const RANDOM_BYTES = 16

export function createDpopNonces(input: {
  /** The first seals, all open. */
  readonly keys: PurposeKeys
  readonly random: (length: number) => Uint8Array
  readonly clock: () => Date
}): DpopNonces {
  const { keys, random, clock } = input
  const make = (thumbprint: string) => {
    const expiresAt = new Date(clock().getTime() + DPOP_NONCE_SECONDS * 1000)
    const [secret] = keys
    const deviceKey = bytesOf(thumbprint)
    return toBase64Url(sealNonce({ secret, deviceKey, random: random(RANDOM_BYTES), expiresAt }))
  }
  return {
    make,
    check(nonce, thumbprint) {
      if (nonce === undefined) return err({ reason: 'dpop_nonce_missing', thumbprint })
      const bytes = typeof nonce === 'string' ? fromBase64Url(nonce) : undefined
      if (bytes === undefined) return err({ reason: 'dpop_nonce_refused', thumbprint })
      const now = clock()
      const deviceKey = bytesOf(thumbprint)
      const opened = openNonce({ secrets: keys, deviceKey, nonce: bytes, now })
      if (!opened.ok) return err({ reason: 'dpop_nonce_refused', thumbprint })
      const leftMs = opened.value.expiresAt.getTime() - now.getTime()
      const isOld = leftMs < (DPOP_NONCE_SECONDS * 1000) / 2
      return ok({ next: isOld ? make(thumbprint) : undefined })
    },
  }
}

/** The SHA-256 that a thumbprint is the base64url of. */
function bytesOf(thumbprint: string): Uint8Array {
  const bytes = fromBase64Url(thumbprint)
  if (bytes === undefined) throw new TypeError('not a thumbprint')
  return bytes
}
