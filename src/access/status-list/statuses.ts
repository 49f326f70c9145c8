import type { Verdict } from '../trust-record.ts'

/** Bits that the status of one device takes. draft-ietf-oauth-status-list §4.1 */
export const STATUS_BITS = 2

/**
 * What the list says of a device, by the verdict that others were told last: the same words as in its
 * events. Values are those of the registry "OAuth Status Types"; 0x03 is left to applications, and is what
 * stands in every place that no device was given.
 * draft-ietf-oauth-status-list §7.1
 */
export const STATUS_OF: Readonly<Record<Verdict, Status>> = {
  trusted: { value: 0x00, name: 'VALID', meaning: 'compliant' },
  untrusted: { value: 0x01, name: 'INVALID', meaning: 'not compliant' },
  stale: { value: 0x01, name: 'INVALID', meaning: 'not compliant' },
  quarantined: { value: 0x02, name: 'SUSPENDED', meaning: 'suspended by an administrator' },
  unknown: { value: 0x03, name: 'APPLICATION_SPECIFIC', meaning: 'unknown' },
}

export type Status = {
  readonly value: 0 | 1 | 2 | 3
  readonly name: string
  readonly meaning: string
}

/** Of a place whose device is there no more: it became a name of another device. */
export const RETIRED: Status = STATUS_OF.untrusted
