import type { HashAlgorithm } from '../../base/digest.ts'
import type { RequestVersion } from './request-jws.ts'

/**
 * What every attestation request says beside its evidence, of either version, in one shape.
 * Everything in it is read but unverified.
 */
export type RequestData = {
  readonly version: RequestVersion
  /** As the verifier that made the challenge sealed it. */
  readonly serviceContext: string
  readonly challenge: Uint8Array
  /** What the relying party wants bound into the token; absent when none was sent. */
  readonly rpData: Uint8Array | undefined
  readonly requestKey: RequestKey
  /** Keys that share the token with the request key; at most two. */
  readonly otherKeys: readonly OtherKey[]
  /** Path of the object that holds `challenge` and `service_context`, for refusals. */
  readonly member: string
}

/** The key that signed the request. */
export type RequestKey = {
  readonly jwk: JsonWebKey
  /** The `jwk` member exactly as on the wire: a quote may bind this text. */
  readonly jwkText: string
  /** Path of the JWK, for refusals. */
  readonly member: string
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
  /** Path of the JWK, for refusals. */
  readonly member: string
  /** Absent: a key that nothing but the request's signature vouches for. */
  readonly certification: KeyCertification | undefined
}

/** What TPM2_Certify says about a key: TPMT_PUBLIC, TPMS_ATTEST, TPMT_SIGNATURE. */
export type KeyCertification = {
  readonly publicArea: Uint8Array
  readonly certification: Uint8Array
  readonly signature: Uint8Array
  /** Path of the object that holds the three, for refusals. */
  readonly member: string
}
