/** Why a boot log that can be parsed proves nothing, or less than it says. */
export const LOG_REASONS = [
  'log_pcr_mismatch',
  'log_bank_missing',
  'log_event_digest_mismatch',
  'log_event_unexpected',
  'log_separator_missing',
  'log_separator_duplicate',
  'log_variable_after_separator',
  'log_variable_duplicate',
  'log_secure_boot_invalid',
  'log_claim_conflict',
] as const

type Place = { readonly pcr: number; readonly sequence: number }

export type LogFailure =
  /** The log does not replay to these PCRs, or they were extended outside it. */
  | { readonly reason: 'log_pcr_mismatch'; readonly pcrs: readonly number[] }
  /** Events of these PCRs carry no digest of the asked bank: nothing can be said about them. */
  | { readonly reason: 'log_bank_missing'; readonly bank: string; readonly pcrs: readonly number[] }
  /** The event's data is not what was extended: the data may have been swapped. */
  | ({ readonly reason: 'log_event_digest_mismatch' } & Place)
  /** An event of a type that has no business where it stands: the type may have been swapped. */
  | ({ readonly reason: 'log_event_unexpected'; readonly type: number } & Place)
  | { readonly reason: 'log_separator_missing'; readonly pcr: number }
  | ({ readonly reason: 'log_separator_duplicate' } & Place)
  /** A Secure Boot variable measured after the firmware closed PCR 7: not by the firmware. */
  | ({ readonly reason: 'log_variable_after_separator' } & Place)
  | ({ readonly reason: 'log_variable_duplicate'; readonly name: string } & Place)
  /** The variable SecureBoot is not one byte of 0 or 1. */
  | ({ readonly reason: 'log_secure_boot_invalid'; readonly bytes: number } & Place)
  /** Two measurements of one boot that cannot both be true and of which neither is the weaker. */
  | { readonly reason: 'log_claim_conflict'; readonly claim: string }
