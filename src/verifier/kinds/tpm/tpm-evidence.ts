import type { PcrBank } from '../../../evidence/tpm/pcr.ts'

/** The name of the kind. */
export const TPM_KIND = 'tpm'

/** What a TPM says about its machine. Everything in it is read but unverified. */
export type TpmEvidence = {
  /** The boot that runs now, or the resume from hibernation that it runs since. */
  readonly current: BootEvidence
  /** The cold boot before the hibernation that `current` resumed from. */
  readonly beforeHibernation: BootEvidence | undefined
}

/** What the reader of the kind made of the TPM's part of a request. */
export function tpmEvidenceOf(request: {
  readonly evidence: readonly { readonly kind: string; readonly content: unknown }[]
}): TpmEvidence | undefined {
  const read = request.evidence.find(({ kind }) => kind === TPM_KIND)
  return read?.content as TpmEvidence | undefined
}

/** What one session of the TPM, from reset to reset, leaves behind. */
export type BootEvidence = {
  readonly aik: AikEvidence
  readonly logs: BootLogs
  readonly statement: QuotedPcrs
}

/** The attestation key as the agent names it; one of the two is there. */
export type AikEvidence = {
  readonly publicKey: JsonWebKey | undefined
  /** DER. */
  readonly certificate: Uint8Array | undefined
  /** DER of certificates above that one, in any order: an agent that has them may spare us a fetch. */
  readonly chain?: readonly Uint8Array[]
  /** Path of the object whose `aik_pub`, `aik_cert` and `aik_cert_chain` these are, for refusals. */
  readonly member: string
}

export type BootLogs = {
  /** Measured by firmware and Windows into the static PCRs. */
  readonly srtm: Uint8Array
  /** Measured by a dynamic launch into PCRs 17 to 22. */
  readonly drtm: Uint8Array | undefined
  /** An IMA log came along. It is not read. */
  readonly hasIma: boolean
  /** Where the logs stand in the message, for refusals. */
  readonly members: { readonly srtm: string; readonly drtm: string }
}

/** `quote` is a TPMS_ATTEST, `signature` a TPMT_SIGNATURE over it. */
export type QuotedPcrs = {
  readonly quote: Uint8Array
  readonly signature: Uint8Array
  readonly pcrs: readonly PcrBank[]
  /** Where each of the three stands in the message, for refusals. */
  readonly members: StatementMembers
}

/** Paths. In version 1 one member holds all three, and `start` says where in its bytes they begin. */
export type StatementMembers = {
  readonly quote: string
  readonly signature: string
  readonly pcrs: string
  readonly start?: { readonly quote: number; readonly signature: number }
}
