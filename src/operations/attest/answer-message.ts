import { deviceIdOf } from '../../access/device-id.ts'
import { placeOf } from '../../base/located.ts'
import { err, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import type { AikTrust } from '../../verifier/kinds/tpm/attestation-key.ts'
import type { AttestMessage } from '../../verifier/protocol/attest-message.ts'
import type { SpendContext } from '../../verifier/protocol/service-context.ts'
import type { VerifierTrace } from '../../verifier/steps/trace.ts'
import {
  type AttestAnswer,
  type AttestRefusal,
  answerAttestMessage,
  handleAttestMessage,
  type VerifierConfig,
  type VerifierKeys,
} from '../../verifier/verifier.ts'
import type { IssuerDirectory } from './issuer-directory.ts'
import { keepRefusal, noteRefusal, type RefusalDependencies } from './refusals.ts'

export type AnsweringDependencies = RefusalDependencies & {
  readonly store: Pick<Store, 'recordRefusal' | 'recordStranger'>
  readonly verifier: {
    readonly config: VerifierConfig
    /** Its keys at this moment. */
    readonly keys: () => Promise<VerifierKeys>
    /** Whom to believe about attestation keys: `config.trust` and what reference values list. */
    readonly trustInForce: () => Promise<AikTrust>
    /** Uses up the service context that a message answers. */
    readonly spendContext: SpendContext
    /** Absent: agents are told no trace, and no values are kept for one. */
    readonly developer?: DeveloperMode | undefined
    /** Of `/v1/challenge`, where devices are known by their attestation key. */
    readonly nonceSecrets: readonly Uint8Array[] | undefined
  }
  readonly issuerDirectory: Pick<IssuerDirectory, 'keep'>
  readonly clock: () => Date
}

/** For whoever develops an agent: a refusal tells all that was compared. */
export type DeveloperMode = {
  /** Not while any document in force lists trust anchors: then devices are no longer made up. */
  readonly isAllowed: () => Promise<boolean>
}

/** A refusal, with the trace if the agent may be told it. */
export type AnsweredRefusal = AttestRefusal & { readonly told?: VerifierTrace }

/** A message as it came: the HTTP body, and the query parameter `api-version`. Not even read. */
export type UnreadMessage = { readonly body: string; readonly apiVersion: string | undefined }

/**
 * Answers one message of the TPM protocol by the built-in verifier, which reads it unless that was
 * done before. What comes in is unverified; what goes out is a challenge, or a token of ours.
 *
 * Written is what a verified path teaches of authorities, and of a refusal, where the attestation key
 * had answered our challenge before it, that it happened.
 */
export async function answerMessage(
  dependencies: AnsweringDependencies,
  message: AttestMessage | UnreadMessage,
  requestId: string,
): Promise<Result<AttestAnswer, AnsweredRefusal>> {
  const { verifier, issuerDirectory, clock, random } = dependencies
  const { config, trustInForce, spendContext, nonceSecrets, developer } = verifier
  const isTold = developer !== undefined && (await developer.isAllowed())
  const input = {
    keys: await verifier.keys(),
    config,
    trustInForce,
    spendContext,
    tracesValues: isTold,
    nonceSecrets,
    now: clock(),
    random,
  }
  const answered = await ('body' in message
    ? handleAttestMessage({ ...input, message: message.body, apiVersion: message.apiVersion })
    : answerAttestMessage(message, input))
  if (!answered.ok) {
    const { failure } = answered
    await noteEvidenceRefusal(dependencies, failure, requestId)
    return isTold ? err({ ...failure, told: failure.trace }) : answered
  }
  if (answered.value.kind === 'report' && answered.value.path !== undefined) {
    await issuerDirectory.keep(answered.value.path)
  }
  return answered
}

/** Evidence that was refused after its attestation key had answered our challenge is attributable. */
async function noteEvidenceRefusal(
  dependencies: AnsweringDependencies,
  refusal: AttestRefusal,
  requestId: string,
): Promise<void> {
  const { reason, provenAik, trace, digests } = refusal
  const deviceId = provenAik && deviceIdOf(provenAik.deviceKey)
  const now = dependencies.clock()
  const failure = refusal
  noteRefusal(dependencies, { stage: 'evidence', failure, deviceId, requestId, now, trace })
  // That an authority cannot be had says nothing about the device.
  if (deviceId === undefined || reason === 'certificate_issuer_unavailable') return
  await keepRefusal(dependencies, {
    stage: 'evidence',
    deviceId,
    now,
    isVouched: provenAik?.isVouched === true,
    reasons: [{ code: reason, ...placeOf(refusal) }],
    digests,
    trace: trace.map(({ step, outcome, detail }) => ({ step, outcome, detail })),
    issuer: dependencies.verifier.config.issuer,
    attestationPolicyHash: null,
  })
}
