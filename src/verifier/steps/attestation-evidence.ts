import type { HashAlgorithm } from '../../base/digest.ts'
import type { PcrBank } from '../../evidence/tpm/pcr.ts'
import type { RequestVersion } from '../protocol/request-jws.ts'

/**
 * One attestation request, of either version and type, in one shape. Everything in it is read but
 * unverified.
 */
export type AttestationEvidence = {
  readonly version: RequestVersion
  readonly serviceContext: string
  readonly challenge: Uint8Array
  /** What the relying party wants bound into the token; absent when none was sent. */
  readonly rpData: Uint8Array | undefined
  /** The boot that runs now, or the resume from hibernation that it runs since. */
  readonly current: BootEvidence
  /** The cold boot before the hibernation that `current` resumed from. */
  readonly beforeHibernation: BootEvidence | undefined
  readonly requestKey: RequestKey
  /** Keys that share the token with the request key; at most two. */
  readonly otherKeys: readonly OtherKey[]
  readonly enclave: EnclaveEvidence | undefined
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
}

export type BootLogs = {
  /** Measured by firmware and Windows into the static PCRs. */
  readonly srtm: Uint8Array
  /** Measured by a dynamic launch into PCRs 17 to 22. */
  readonly drtm: Uint8Array | undefined
  /** An IMA log came along. It is not read. */
  readonly hasIma: boolean
}

/** `quote` is a TPMS_ATTEST, `signature` a TPMT_SIGNATURE over it. */
export type QuotedPcrs = {
  readonly quote: Uint8Array
  readonly signature: Uint8Array
  readonly pcrs: readonly PcrBank[]
}

/** The key that signed the request. */
export type RequestKey = {
  readonly jwk: JsonWebKey
  /** The `jwk` member exactly as on the wire: a quote may bind this text. */
  readonly jwkText: string
  readonly binding: RequestKeyBinding
}

/** Where the request key stands in what the TPM or the enclave signed. */
export type RequestKeyBinding =
  /** Version 1 `basic`: nowhere. Whoever has the evidence can send it under a key of their own. */
  | { readonly kind: 'none' }
  /** Version 1 `vbs`: in `report_signed`, over which the enclave's report is made. */
  | { readonly kind: 'enclave_report' }
  | { readonly kind: 'tpm_quote'; readonly hash: HashAlgorithm; readonly hashName: string }
  | { readonly kind: 'tpm_certify'; readonly certification: KeyCertification }

export type OtherKey = {
  readonly jwk: JsonWebKey
  /** Absent: a key that nothing but the request's signature vouches for. */
  readonly certification: KeyCertification | undefined
}

/** What TPM2_Certify says about a key: TPMT_PUBLIC, TPMS_ATTEST, TPMT_SIGNATURE. */
export type KeyCertification = {
  readonly publicArea: Uint8Array
  readonly certification: Uint8Array
  readonly signature: Uint8Array
}

export type EnclaveEvidence = {
  /** VBS_ENCLAVE_REPORT_PKG_HEADER and what follows. */
  readonly report: Uint8Array
  /** The `report_signed` member exactly as on the wire, which the report must be bound to. */
  readonly boundText: string
}
