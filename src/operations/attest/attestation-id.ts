import { toBase32 } from '../../base/encoding.ts'

/** What makes a text the id of an attestation for the compiler. No value has it. */
declare const attestationId: unique symbol

/** `att_` and the base32 of 16 random bytes: names one attempt of a device, accepted or refused. */
export type AttestationId = string & { readonly [attestationId]: true }

/** One that was recorded under it: the store alone hands it back. */
export function recordedAttestationId(stored: string): AttestationId {
  return stored as AttestationId
}

/** A fresh one. `random` gives fresh random bytes. */
export function newAttestationId(random: (length: number) => Uint8Array): AttestationId {
  return `att_${toBase32(random(16))}` as AttestationId
}
