import { type DeviceId, deviceIdOf } from '../../access/device-id.ts'
import type { DeviceKeyKind } from '../../access/trust-record.ts'
import type { AttestationClaims } from '../../appraisal/claims.ts'
import { readAttestationClaims } from '../../appraisal/read-claims.ts'
import type { KeySetsFailure } from '../../azure/key-sets.ts'
import { digest } from '../../base/digest.ts'
import { fromBase64, fromBase64Url, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { inMember } from '../../base/located.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Config } from '../../config/config.ts'
import { verifyConfirmationProof } from '../../evidence/jws/confirmation.ts'
import { bindingOfConfirmation } from '../../evidence/jws/confirmation-binding.ts'
import type { ConfirmationKey, KeyThumbprint } from '../../evidence/jws/confirmation-key.ts'
import { openNonce } from '../../evidence/nonce.ts'
import {
  type AttestationTokenFailure,
  type VerifiedAttestationToken,
  verifyAttestationToken,
} from '../../evidence/token/attestation-token.ts'
import {
  canServeDevice,
  decodeAttestationToken,
} from '../../evidence/token/attestation-token-kind.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'
import { EVIDENCE_PARTS } from '../../verifier/kinds/built-in.ts'
import {
  aboutNonce,
  blameNonce,
  refuse,
  type SubmissionFailure,
  TOKEN,
} from './submission-failure.ts'
import type { TokenIssuers } from './token-issuers.ts'

export type SubmissionDependencies = {
  readonly issuers: TokenIssuers
  /** Any of them may have sealed the nonce. */
  readonly sealing: { readonly nonce: PurposeKeys }
  readonly config: Pick<
    Config,
    'publicUrl' | 'deviceKey' | 'clockSkewSeconds' | 'tokenMaxAgeSeconds'
  >
}

/** What the agent handed in. Nothing of it is verified. */
export type Submission = {
  readonly token: string
  readonly proof: string | undefined
  /** The URL that the request was sent to, as far as we know it. */
  readonly url: string
}

/** Not exported, so that no other file can make a `VerifiedSubmission` or a `ProvenDevice`. */
const proven: unique symbol = Symbol('proven')

/**
 * A submission whose token, claims, key and nonce are verified. Only `verifySubmission` makes one.
 * Not yet appraised, and its nonce not yet spent.
 */
export type VerifiedSubmission = ProvenDevice & {
  readonly claims: AttestationClaims
  readonly nonce: { readonly id: string; readonly expiresAt: Date }
}

/** The device whose `cnf` key signed our nonce: from here on an attempt is attributable. */
export type ProvenDevice = {
  readonly [proven]: true
  /** As the evidence names it; the store may know that this is a name of another device. */
  readonly deviceId: DeviceId
  /** The 32 bytes behind `deviceId`: of the TPM where evidence names it, else `deviceKey`. */
  readonly identity: Uint8Array
  readonly keyKind: DeviceKeyKind
  /** SHA-256 of the device's key, for which the nonce was made. */
  readonly deviceKey: Uint8Array
  /** What the key would name the device, which is `deviceId` where evidence names no TPM. */
  readonly keyName: DeviceId
  readonly token: VerifiedAttestationToken
  /** Of the proven key. */
  readonly confirmationKey: KeyThumbprint
  /** SHA-256 of what was handed in, and what the token says of the evidence; base64url. */
  readonly digests: { readonly token: string; readonly proof: string } & Readonly<
    Record<string, string>
  >
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
 * possession of that key next, and only then whether the nonce is ours. Writes and spends nothing.
 */
export async function verifySubmission(
  dependencies: SubmissionDependencies,
  submission: Submission,
  now: Date,
): Promise<{ ok: true; value: VerifiedSubmission } | { ok: false; refused: RefusedSubmission }> {
  const device = await proveDevice(dependencies, submission, now)
  if (!device.ok) return { ok: false, refused: { failure: device.failure, device: undefined } }
  const { token, deviceKey } = device.value
  const refusal = (failure: SubmissionFailure) => ({
    ok: false as const,
    refused: { failure, device: device.value },
  })
  if (token.nonce === undefined) return refusal(refuse('token_without_nonce').failure)
  const secrets = dependencies.sealing.nonce
  const nonce = openNonce({ secrets, deviceKey, nonce: token.nonce, now })
  if (!nonce.ok) return refusal(aboutNonce(nonce.failure, deviceKey))
  const claims = inMember(TOKEN, readAttestationClaims(token.payload))
  if (!claims.ok) return refusal(claims.failure)
  const { nonceId: id, expiresAt } = nonce.value
  return { ok: true, value: { ...device.value, claims: claims.value, nonce: { id, expiresAt } } }
}

async function proveDevice(
  dependencies: SubmissionDependencies,
  submission: Submission,
  now: Date,
): Promise<Result<ProvenDevice, SubmissionFailure>> {
  const { config } = dependencies
  const verified = inMember(TOKEN, await verifyToken(dependencies, submission.token, now))
  if (!verified.ok) return verified
  const token = verified.value
  const { confirmation, payload } = token
  // Tokens about enclaves of other kinds and virtual machines verify as well as ours do.
  if (!canServeDevice(token.kind)) return refuse('token_kind_refused')
  if (confirmation === undefined) return refuse('token_without_confirmation')
  if (bindingOfConfirmation(payload, confirmation) === undefined) {
    return refuse('token_confirmation_unbound')
  }
  if (submission.proof === undefined) return refuse('proof_missing')
  const proof = await verifyConfirmationProof({
    proof: submission.proof,
    confirmation,
    method: 'POST',
    url: submission.url,
    nonce: token.nonce === undefined ? '' : toBase64Url(token.nonce),
    now,
    maxAgeSeconds: config.tokenMaxAgeSeconds,
    clockSkewSeconds: config.clockSkewSeconds,
  })
  const deviceKey = deviceKeyOf(payload, config.deviceKey, confirmation)
  if (!proof.ok) {
    const { nonce: secrets } = dependencies.sealing
    return err(blameNonce(proof.failure, { token, deviceKey, secrets, now }))
  }
  if (deviceKey === undefined) return refuse('token_without_device_key')
  return ok({
    [proven]: true,
    ...identify(config, token, deviceKey),
    deviceKey,
    token,
    confirmationKey: confirmation.thumbprint,
    digests: digestsOf(submission.token, submission.proof, payload),
    isVouched: payload.aikValidated === true,
  })
}

async function verifyToken(
  { issuers, config }: SubmissionDependencies,
  text: string,
  now: Date,
): Promise<Result<VerifiedAttestationToken, AttestationTokenFailure | KeySetsFailure>> {
  const { tokenMaxAgeSeconds: maxAgeSeconds, clockSkewSeconds } = config
  const token = decodeAttestationToken(text)
  if (!token.ok) return token
  const known = await issuers.of(token.value)
  if (!known.ok) return known
  const options = { issuers: known.value, now, maxAgeSeconds, clockSkewSeconds }
  return verifyAttestationToken(token.value, options)
}

type Payload = VerifiedAttestationToken['payload']

/** The TPM attestation key, or the `cnf` key where the configuration says so. */
function deviceKeyOf(
  { aikPubHash }: Payload,
  kind: DeviceKeyKind,
  { thumbprint }: ConfirmationKey,
): Uint8Array | undefined {
  const aik = typeof aikPubHash === 'string' ? fromBase64(aikPubHash) : undefined
  const key = kind === 'cnf' ? fromBase64Url(thumbprint) : aik
  return key?.length === 32 ? key : undefined
}

/**
 * One TPM is one device, whatever key it comes with, where evidence says which TPM it is: the
 * built-in verifier says it of keys that are certified for one. Nobody else's word counts for it.
 */
function identify(
  { publicUrl, deviceKey: kind }: SubmissionDependencies['config'],
  { issuer, payload }: VerifiedAttestationToken,
  key: Uint8Array,
): Pick<ProvenDevice, 'deviceId' | 'identity' | 'keyKind' | 'keyName'> {
  const { tpmIdentity } = payload
  const keyName = deviceIdOf(key)
  const tpm =
    issuer === publicUrl && typeof tpmIdentity === 'string' ? fromBase64Url(tpmIdentity) : undefined
  return tpm?.length === 32
    ? { deviceId: deviceIdOf(tpm), identity: tpm, keyKind: 'tpm', keyName }
    : { deviceId: keyName, identity: key, keyKind: kind, keyName }
}

/** What is kept of token, proof and evidence: digests, never the things themselves. */
function digestsOf(
  token: string,
  proof: string,
  { evidence_digests: stated }: Payload,
): ProvenDevice['digests'] {
  const digestOf = (text: string) => toBase64Url(digest('sha256', toUtf8(text)))
  const texts = { token: digestOf(token), proof: digestOf(proof) }
  if (typeof stated !== 'object' || stated === null) return texts
  const digests: Record<string, string> = {}
  for (const name of EVIDENCE_PARTS) {
    const value = Object.hasOwn(stated, name) ? Reflect.get(stated, name) : undefined
    if (typeof value === 'string' && value.length <= 86) digests[name] = value
  }
  return { ...digests, ...texts }
}
