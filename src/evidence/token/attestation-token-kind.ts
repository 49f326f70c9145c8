import { err, ok, type Result } from '../../base/result.ts'
import { decodeCompactJws, type JsonObject } from '../jws/compact-jws.ts'
import { MAX_TOKEN_CHARS } from '../limits.ts'

/**
 * What a token of Azure Attestation speaks of. `tpm` covers TPM and VBS-enclave attestation, whose
 * tokens name no type; `policy_answer` is no attestation result at all.
 */
export type AttestationTokenKind =
  | 'tpm'
  | 'sgx'
  | 'sevsnpvm'
  | 'tdxvm'
  | 'azurevm'
  | 'policy_answer'
  | 'unknown'

/** Not exported, so that no other file can make a `DecodedAttestationToken`. */
const decoded: unique symbol = Symbol('decoded')

/**
 * A token taken apart, once for whoever is going to look at it. Only `decodeAttestationToken` makes
 * one. Unverified: anybody can write such a text.
 */
export type DecodedAttestationToken = {
  readonly [decoded]: true
  /** The text that it was taken from. */
  readonly compact: string
  readonly header: JsonObject
  readonly payload: JsonObject
  /** Empty in unsigned tokens. */
  readonly signature: Uint8Array<ArrayBuffer>
  readonly kind: AttestationTokenKind
}

export type UndecodedToken = { readonly reason: 'token_too_large' | 'token_malformed' }

const TYPED_KINDS = ['sgx', 'sevsnpvm', 'tdxvm', 'azurevm'] as const

/** Members of the answers of the policy and certificate APIs, which share the signing key. */
const ANSWER_MEMBERS = [
  'x-ms-policy-result',
  'x-ms-policy-token-hash',
  'x-ms-policy-certificates',
  'x-ms-policycertificates-result',
] as const

/** Reads a token without believing any of it: no signature, issuer or time is checked. */
export function decodeAttestationToken(
  jwt: string,
): Result<DecodedAttestationToken, UndecodedToken> {
  if (jwt.length > MAX_TOKEN_CHARS) return err({ reason: 'token_too_large' })
  const jws = decodeCompactJws(jwt)
  if (jws === undefined) return err({ reason: 'token_malformed' })
  const { header, payload, signature } = jws
  const kind = kindOfAttestationToken(payload)
  return ok({ [decoded]: true, compact: jwt, header, payload, signature, kind })
}

export function kindOfAttestationToken(payload: JsonObject): AttestationTokenKind {
  if (isPolicyAnswer(payload)) return 'policy_answer'
  const type = payload['x-ms-attestation-type']
  if (type === undefined) return payload['x-ms-ver'] === undefined ? 'unknown' : 'tpm'
  return TYPED_KINDS.find((kind) => kind === type) ?? 'unknown'
}

/** Only TPM tokens speak of a device that an agent runs on; the others are virtual machines or enclaves. */
export function canServeDevice(kind: AttestationTokenKind): boolean {
  return kind === 'tpm'
}

/**
 * Answers about policies are signed by the same key under the same issuer. Their `x-ms-policy` is
 * the policy as text, where attestation results have an object of claims, and they have no `jti`.
 */
export function isPolicyAnswer(payload: JsonObject): boolean {
  if (ANSWER_MEMBERS.some((member) => Object.hasOwn(payload, member))) return true
  return typeof payload['x-ms-policy'] === 'string' && !Object.hasOwn(payload, 'jti')
}
