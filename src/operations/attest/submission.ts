import { deviceIdOf } from '../../access/device-id.ts'
import type { DeviceKeyKind } from '../../access/trust-record.ts'
import {
  type AttestationClaims,
  type ClaimsFailure,
  readAttestationClaims,
} from '../../appraisal/claims.ts'
import type { KeySetsFailure } from '../../azure/key-sets.ts'
import { digest } from '../../base/digest.ts'
import { fromBase64, fromBase64Url, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Services } from '../../compose/services.ts'
import { type ProofFailure, verifyConfirmationProof } from '../../evidence/jws/confirmation.ts'
import { bindingOfConfirmation } from '../../evidence/jws/confirmation-binding.ts'
import { type NonceFailure, openNonce } from '../../evidence/nonce.ts'
import {
  type AttestationTokenFailure,
  type VerifiedAttestationToken,
  verifyAttestationToken,
} from '../../evidence/token/attestation-token.ts'
import {
  canServeDevice,
  kindOfAttestationToken,
} from '../../evidence/token/attestation-token-kind.ts'

/** What the agent handed in. Nothing of it is verified. */
export type Submission = {
  readonly token: string
  readonly proof: string | undefined
  /** The URL that the request was sent to, as far as we know it. */
  readonly url: string
}

export const SUBMISSION_REASONS = [
  'token_kind_refused',
  'proof_missing',
  'token_without_confirmation',
  'token_confirmation_unbound',
  'token_without_nonce',
  'token_without_device_key',
] as const

export type SubmissionFailure =
  | KeySetsFailure
  | AttestationTokenFailure
  | ClaimsFailure
  | ProofFailure
  | NonceFailure
  | { readonly reason: (typeof SUBMISSION_REASONS)[number] }

/** A submission whose token, claims, key and nonce are verified. Not yet appraised. */
export type VerifiedSubmission = ProvenDevice & {
  readonly claims: AttestationClaims
  readonly nonce: { readonly id: string; readonly expiresAt: Date }
}

/** The device whose `cnf` key signed our nonce: from here on an attempt is attributable. */
export type ProvenDevice = {
  /** As the evidence names it; the store may know that this is a name of another device. */
  readonly deviceId: string
  /** The 32 bytes behind `deviceId`: of the TPM where evidence names it, else `deviceKey`. */
  readonly identity: Uint8Array
  readonly keyKind: DeviceKeyKind
  /** SHA-256 of the device's key, for which the nonce was made. */
  readonly deviceKey: Uint8Array
  readonly token: VerifiedAttestationToken
  /** RFC 7638 thumbprint of the proven key. */
  readonly confirmationKey: string
  readonly digests: Readonly<Record<string, string>>
  /** Whether the verifier says that the key is certified; a claim of a verified token. */
  readonly isVouched: boolean
}

/** A refusal, and by whom it was earned when the key was proven before it. */
export type RefusedSubmission = {
  readonly failure: SubmissionFailure
  readonly device: ProvenDevice | undefined
}

/**
 * Verifies a submission from the cheap to the dear: the token and its key binding first, the
 * possession of that key next, and only then whether the nonce is ours. Spends nothing.
 */
export async function verifySubmission(
  services: Services,
  submission: Submission,
  now: Date,
): Promise<{ ok: true; value: VerifiedSubmission } | { ok: false; refused: RefusedSubmission }> {
  const proven = await proveDevice(services, submission, now)
  if (!proven.ok) return { ok: false, refused: { failure: proven.failure, device: undefined } }
  const device = proven.value
  const refuse = (failure: SubmissionFailure) => ({
    ok: false as const,
    refused: { failure, device },
  })
  if (device.token.nonce === undefined) return refuse({ reason: 'token_without_nonce' })
  const nonce = openNonce({
    secret: services.secrets.nonce,
    deviceKey: device.deviceKey,
    nonce: device.token.nonce,
    now,
  })
  if (!nonce.ok) return refuse(nonce.failure)
  const claims = readAttestationClaims(device.token.payload)
  if (!claims.ok) return refuse(claims.failure)
  const { nonceId: id, expiresAt } = nonce.value
  return { ok: true, value: { ...device, claims: claims.value, nonce: { id, expiresAt } } }
}

async function proveDevice(
  services: Services,
  submission: Submission,
  now: Date,
): Promise<Result<ProvenDevice, SubmissionFailure>> {
  const { clockSkewSeconds, tokenMaxAgeSeconds } = services.config
  const issuers = await services.issuers.of(submission.token)
  if (!issuers.ok) return issuers
  const verified = await verifyAttestationToken(submission.token, {
    issuers: issuers.value,
    now,
    maxAgeSeconds: tokenMaxAgeSeconds,
    clockSkewSeconds,
  })
  if (!verified.ok) return verified
  const token = verified.value
  // Tokens about enclaves of other kinds and virtual machines verify as well as ours do.
  if (!canServeDevice(kindOfAttestationToken(token.payload))) {
    return err({ reason: 'token_kind_refused' })
  }
  if (token.confirmation === undefined) return err({ reason: 'token_without_confirmation' })
  if (bindingOfConfirmation(token.payload) === undefined) {
    return err({ reason: 'token_confirmation_unbound' })
  }
  if (submission.proof === undefined) return err({ reason: 'proof_missing' })
  const proof = await verifyConfirmationProof({
    proof: submission.proof,
    confirmation: token.confirmation.jwk,
    method: 'POST',
    url: submission.url,
    nonce: token.nonce === undefined ? '' : toBase64Url(token.nonce),
    now,
    maxAgeSeconds: tokenMaxAgeSeconds,
    clockSkewSeconds,
  })
  if (!proof.ok) return proof
  const key = deviceKeyOf(token, services.config.deviceKey)
  if (key === undefined) return err({ reason: 'token_without_device_key' })
  return ok({
    ...identify(services, token, key),
    deviceKey: key,
    token,
    confirmationKey: token.confirmation.thumbprint,
    digests: digestsOf(submission.token, token.payload),
    isVouched: token.payload.aikValidated === true,
  })
}

/** The TPM attestation key, or the `cnf` key where the configuration says so. */
function deviceKeyOf(token: VerifiedAttestationToken, kind: DeviceKeyKind): Uint8Array | undefined {
  const { aikPubHash } = token.payload
  const bytes =
    kind === 'cnf'
      ? fromBase64Url(token.confirmation?.thumbprint ?? '')
      : typeof aikPubHash === 'string'
        ? fromBase64(aikPubHash)
        : undefined
  return bytes?.length === 32 ? bytes : undefined
}

/**
 * One TPM is one device, whatever key it comes with, where evidence says which TPM it is: the
 * built-in verifier says it of keys that are certified for one. Nobody else's word counts for it.
 */
function identify(
  { config }: Services,
  { issuer, payload }: VerifiedAttestationToken,
  key: Uint8Array,
): Pick<ProvenDevice, 'deviceId' | 'identity' | 'keyKind'> {
  const { tpmIdentity } = payload
  const tpm =
    issuer === config.publicUrl && typeof tpmIdentity === 'string'
      ? fromBase64Url(tpmIdentity)
      : undefined
  return tpm?.length === 32
    ? { deviceId: deviceIdOf(tpm), identity: tpm, keyKind: 'tpm' }
    : { deviceId: deviceIdOf(key), identity: key, keyKind: config.deviceKey }
}

const EVIDENCE_PARTS = ['quote', 'boot_log', 'enclave_report']

/** What is kept of token and evidence: digests, never the things themselves. */
function digestsOf(
  token: string,
  payload: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const digests: Record<string, string> = { token: toBase64Url(digest('sha256', toUtf8(token))) }
  const { evidence_digests: stated } = payload
  for (const [name, value] of Object.entries(typeof stated === 'object' && stated ? stated : {})) {
    if (EVIDENCE_PARTS.includes(name) && typeof value === 'string' && value.length <= 86) {
      digests[name] = value
    }
  }
  return digests
}
