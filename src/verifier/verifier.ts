import { err, ok, type Result } from '../base/result.ts'
import { CHALLENGE_BYTES, CONTEXT_IV_BYTES, TOKEN_ID_BYTES } from './limits.ts'
import {
  type AttestMessage,
  type AttestMessageFailure,
  type ReadRequest,
  readAttestMessage,
} from './protocol/attest-message.ts'
import { encodeChallenge, encodeReport } from './protocol/protocol.ts'
import { verifyRequestSignature } from './protocol/request-jws.ts'
import {
  type ContextFailure,
  type ContextLimitFailure,
  openServiceContext,
  type SpendContext,
  sealServiceContext,
} from './protocol/service-context.ts'
import type { AikTrust } from './steps/attestation-key.ts'
import type { CertifiedPath } from './steps/certified-path.ts'
import { issueToken, type TokenSigningKey } from './steps/issue-token.ts'
import { requireBoundKey } from './steps/key-binding.ts'
import { type TraceStep, takeStep, type VerifierTrace } from './steps/trace.ts'
import {
  digestEvidence,
  type EvidenceDigests,
  type EvidenceFailure,
  importRequestKey,
  type ProvenAik,
  type VerifiedEvidence,
  verifyEvidence,
} from './steps/verify-evidence.ts'

export type VerifierFailure =
  | AttestMessageFailure
  | ContextFailure
  | ContextLimitFailure
  | EvidenceFailure

export type VerifierConfig = {
  /** `iss` of the tokens: the URL under which agents and relying parties know the verifier. */
  readonly issuer: string
  readonly trust: AikTrust
  /** Whether requests count whose key stands in nothing that was signed: version 1 `basic`. */
  readonly legacyUnboundRequestKey: 'refuse' | 'accept'
  readonly challengeLifetimeMs: number
  readonly tokenLifetimeMs: number
}

export type VerifierKeys = {
  /** 32 bytes each. The first seals; all open, so that a change of keys breaks no challenge. */
  readonly serviceContext: readonly [Uint8Array, ...Uint8Array[]]
  readonly tokenSigning: TokenSigningKey
}

/** Fresh random bytes. */
export type RandomBytes = (length: number) => Uint8Array

/** What the answer carries beside the body, for the record; never evidence. */
export type AttestAnswer =
  | { readonly kind: 'challenge'; readonly data: string }
  | ({
      readonly kind: 'report'
      readonly data: string
      readonly deviceKey: Uint8Array
      /** Whose certificates vouch for the key, for the next one that they vouch for. */
      readonly path: CertifiedPath | undefined
    } & VerificationRecord)

/** What may be kept of a verification. */
export type VerificationRecord = {
  readonly trace: VerifierTrace
  readonly digests: EvidenceDigests
}

/**
 * Why a message was refused. With `provenAik` the AK answered our challenge before something else
 * failed: the attempt is attributable to that device and worth keeping.
 */
export type AttestRefusal = VerifierFailure &
  VerificationRecord & { readonly provenAik: ProvenAik | undefined }

/** What the verifier answers with. */
export type AttestInput = {
  readonly keys: VerifierKeys
  readonly config: VerifierConfig
  /**
   * Whom to believe at this moment, in place of `config.trust`. Asked once a request that answers
   * one of our challenges is there, so that others cost nothing. What it throws is thrown.
   */
  readonly trustInForce?: (() => Promise<AikTrust>) | undefined
  readonly spendContext: SpendContext
  readonly now: Date
  readonly random: RandomBytes
}

/**
 * Answers one message of Azure Attestation's TPM protocol: a challenge to an initial message, an
 * attestation token to a request whose every binding holds. Keeps nothing between the two but, by
 * `spendContext`, that the challenge was answered.
 */
export async function handleAttestMessage(
  input: AttestInput & {
    /** The HTTP body, `{"data": …}`. */
    readonly message: string
    /** The query parameter `api-version`. */
    readonly apiVersion: string | undefined
  },
): Promise<Result<AttestAnswer, AttestRefusal>> {
  const message = readAttestMessage({ body: input.message, apiVersion: input.apiVersion })
  return message.ok ? answerAttestMessage(message.value, input) : refuse(message.failure)
}

/** The same of a message that was read before. */
export async function answerAttestMessage(
  message: AttestMessage,
  input: AttestInput,
): Promise<Result<AttestAnswer, AttestRefusal>> {
  return message.kind === 'init' ? ok(makeChallenge(input)) : answerRequest(message.read, input)
}

function makeChallenge({ keys, config, now, random }: AttestInput): AttestAnswer {
  const challenge = random(CHALLENGE_BYTES)
  const expiresAt = new Date(now.getTime() + config.challengeLifetimeMs)
  const context = sealServiceContext({
    context: { challenge, expiresAt },
    key: keys.serviceContext[0],
    iv: random(CONTEXT_IV_BYTES),
  })
  return { kind: 'challenge', data: encodeChallenge(challenge, context) }
}

async function answerRequest(
  request: ReadRequest,
  input: AttestInput,
): Promise<Result<AttestAnswer, AttestRefusal>> {
  const { keys, config, now } = input
  const verified = await verifyRequest(request, { ...input, keys: keys.serviceContext })
  if (!verified.ok) return verified
  const { evidence, trace, digests } = verified.value
  const token = await issueToken({
    evidence,
    issuer: config.issuer,
    key: keys.tokenSigning,
    lifetimeMs: config.tokenLifetimeMs,
    now,
    tokenId: input.random(TOKEN_ID_BYTES),
    digests,
  })
  const { hash: deviceKey, path } = evidence.aik
  return ok({ kind: 'report', data: encodeReport(token), deviceKey, path, trace, digests })
}

export type VerifiedRequest = VerificationRecord & { readonly evidence: VerifiedEvidence }

/** All that comes before a token: from a request that was read to evidence that verified. */
export async function verifyRequest(
  { jws, evidence }: ReadRequest,
  input: {
    readonly keys: VerifierKeys['serviceContext']
    readonly config: Pick<VerifierConfig, 'trust' | 'legacyUnboundRequestKey'>
    readonly trustInForce?: AttestInput['trustInForce']
    readonly spendContext: SpendContext
    readonly now: Date
  },
): Promise<Result<VerifiedRequest, AttestRefusal>> {
  const { keys, config, now } = input
  const bound = requireBoundKey(evidence, config.legacyUnboundRequestKey)
  if (!bound.ok) return refuse(bound.failure)
  const trace: TraceStep[] = []
  const record = { trace, digests: digestEvidence(evidence) }
  const { serviceContext: text, challenge } = evidence
  const context = await takeStep(trace, 'service_context', () =>
    openServiceContext({ text, challenge, keys, now }),
  )
  if (!context.ok) return refuse(context.failure, record)
  const requestKey = await importRequestKey(evidence)
  if (!requestKey.ok) return refuse(requestKey.failure, record)
  const signature = await takeStep(trace, 'request_signature', () =>
    verifyRequestSignature(jws, requestKey.value),
  )
  if (!signature.ok) return refuse(signature.failure, record)
  const verification = await verifyEvidence({
    evidence,
    requestKey: requestKey.value,
    context: context.value,
    spendContext: input.spendContext,
    trust: (await input.trustInForce?.()) ?? config.trust,
    now,
    trace,
  })
  const { result, provenAik } = verification
  if (!result.ok) return refuse(result.failure, { ...record, provenAik })
  return ok({ evidence: result.value, ...record })
}

function refuse(
  failure: VerifierFailure,
  record: Partial<Omit<AttestRefusal, 'reason'>> = {},
): Result<never, AttestRefusal> {
  return err({ trace: [], digests: {}, provenAik: undefined, ...record, ...failure })
}
