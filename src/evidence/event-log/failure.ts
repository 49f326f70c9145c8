import type { Compared } from '../../base/comparison.ts'

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

/** The event at fault, its PCR alone in the list, and the offset of its data in the log. */
export type AtEvent = {
  readonly event: number
  readonly offset: number
  readonly pcrs: readonly [number]
}

export type LogFailure =
  /** The log does not replay to these PCRs, or they were extended outside it. */
  | ({
      readonly reason: 'log_pcr_mismatch'
      readonly bank: string
      readonly pcrs: readonly number[]
    } & Compared)
  /** Events of these PCRs carry no digest of the asked bank: nothing can be said about them. */
  | { readonly reason: 'log_bank_missing'; readonly bank: string; readonly pcrs: readonly number[] }
  /** The event's data is not what was extended: the data may have been swapped. */
  | ({ readonly reason: 'log_event_digest_mismatch' } & AtEvent & Compared)
  /** An event of a type that has no business where it stands: the type may have been swapped. */
  | ({ readonly reason: 'log_event_unexpected'; readonly type: number } & AtEvent)
  | { readonly reason: 'log_separator_missing'; readonly pcrs: readonly [number] }
  | ({ readonly reason: 'log_separator_duplicate' } & AtEvent)
  /** A Secure Boot variable measured after the firmware closed PCR 7: not by the firmware. */
  | ({ readonly reason: 'log_variable_after_separator' } & AtEvent)
  | ({ readonly reason: 'log_variable_duplicate'; readonly name: string } & AtEvent)
  /** The variable SecureBoot is not one byte of 0 or 1. */
  | ({ readonly reason: 'log_secure_boot_invalid'; readonly bytes: number } & AtEvent)
  /** Two measurements of one boot that cannot both be true and of which neither is the weaker. */
  | ({ readonly reason: 'log_claim_conflict'; readonly claim: string } & AtEvent)
