import type { EkKind } from '../../evidence/tpm/endorsement-key.ts'
import type { Certificate } from '../../evidence/x509/certificate.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'
import type { SigningKey } from '../../keys/signing-keys.ts'
import type { FindIssuers } from '../../verifier/steps/certified-path.ts'
import type { DeviceLimiter } from './device-limiter.ts'
import type { LinkServices } from './link-tpm.ts'

/** What enrolments by credential activation are made with. */
export type EnrolmentServices = LinkServices & {
  readonly clock: () => Date
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  readonly limiter: DeviceLimiter
  /** For tickets, and nothing else: the first seals, all open. */
  readonly ticketKeys: PurposeKeys
  /** Who vouches for endorsement keys. */
  readonly ekTrust: {
    readonly anchors: readonly Certificate[]
    readonly intermediates: readonly Certificate[]
  }
  /** For one request: certificates of issuers that neither are here nor came along. */
  readonly findIssuers: () => FindIssuers
  /** The same anchors by fingerprint. */
  readonly ekAnchors: ReadonlyMap<string, Certificate>
  /** The kinds of endorsement keys that count. */
  readonly ekKinds: readonly EkKind[]
  /** The key that certifies enrolled keys now. */
  readonly enrolmentAuthority: () => Promise<SigningKey>
}
