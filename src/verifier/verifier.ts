import { inMember } from '../base/located.ts'
import { err, type Failure, ok, type Result } from '../base/result.ts'
import { BUILT_IN_KINDS, type BuiltInFailure } from './kinds/built-in.ts'
import {
  type EvidenceKind,
  listIssuedClaims,
  type ProvenAik,
  type VerificationRun,
} from './kinds/kind.ts'
import type { AikTrust } from './kinds/tpm/attestation-key.ts'
import { CHALLENGE_BYTES, CONTEXT_IV_BYTES, TOKEN_ID_BYTES } from './limits.ts'
import {
  type AttestMessage,
  createMessageReaders,
  type ReadRequest,
} from './protocol/attest-message.ts'
import { encodeChallenge, encodeReport } from './protocol/protocol.ts'
import type { ProtocolFailure } from './protocol/protocol-failure.ts'
import type { RequestData } from './protocol/request-data.ts'
import { requireBoundKey } from './protocol/request-keys.ts'
import {
  type ContextFailure,
  openServiceContext,
  type SpendContext,
  sealServiceContext,
} from './protocol/service-context.ts'
import type { CertifiedPath } from './steps/certified-path.ts'
import { issueToken, type TokenSigningKey } from './steps/issue-token.ts'
import { checkOwnNonce } from './steps/own-nonce.ts'
import {
  beginTrace,
  MESSAGE_STEP,
  NONCE_STEP,
  type Trace,
  takeStep,
  type VerifierTrace,
} from './steps/trace.ts'
import {
  digestEvidence,
  type EvidenceDigests,
  proveRequestKey,
  type VerifiedEvidence,
  verifyEvidence,
} from './steps/verify-evidence.ts'

/** Why a message is refused. `F`: the refusals of the kinds of evidence that are known. */
export type VerifierFailure<F extends Failure = BuiltInFailure> = ProtocolFailure | F

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
export type AttestRefusal<F extends Failure = BuiltInFailure> = VerifierFailure<F> &
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
  /**
   * Secrets of the relying party's nonces, where that is this service and devices are known by their
   * attestation key: then a nonce that was made for a wrong hash of that key is refused.
   */
  readonly nonceSecrets?: readonly Uint8Array[] | undefined
  readonly now: Date
  readonly random: RandomBytes
  /** Whether the trace holds the values that were compared, which are evidence: for developers alone. */
  readonly tracesValues?: boolean | undefined
}

/** All that comes before a token. */
export type RequestInput = Pick<
  AttestInput,
  'trustInForce' | 'spendContext' | 'nonceSecrets' | 'now' | 'tracesValues'
> & {
  readonly keys: VerifierKeys['serviceContext']
  readonly config: Pick<VerifierConfig, 'trust' | 'legacyUnboundRequestKey'>
}

export type VerifiedRequest = VerificationRecord & { readonly evidence: VerifiedEvidence }

export type Verifier<F extends Failure> = {
  /**
   * Answers one message of Azure Attestation's TPM protocol: a challenge to an initial message, an
   * attestation token to a request whose every binding holds. Keeps nothing between the two but, by
   * `spendContext`, that the challenge was answered.
   */
  readonly handleAttestMessage: (
    input: AttestInput & {
      /** The HTTP body, `{"data": …}`. */
      readonly message: string
      /** The query parameter `api-version`. */
      readonly apiVersion: string | undefined
    },
  ) => Promise<Result<AttestAnswer, AttestRefusal<F>>>
  /** The same of a message that was read before. */
  readonly answerAttestMessage: (
    message: AttestMessage<F>,
    input: AttestInput,
  ) => Promise<Result<AttestAnswer, AttestRefusal<F>>>
  /** All that comes before a token: from a request that was read to evidence that verified. */
  readonly verifyRequest: (
    read: ReadRequest<F>,
    input: RequestInput,
  ) => Promise<Result<VerifiedRequest, AttestRefusal<F>>>
}

/** A verifier of evidence of these kinds, verified in the order of the list. */
export function createVerifier<F extends Failure>(kinds: readonly EvidenceKind<F>[]): Verifier<F> {
  // Throws for a list in which two kinds would issue one claim.
  listIssuedClaims(kinds)
  const { readAttestMessage } = createMessageReaders(kinds)
  const verifyRequest: Verifier<F>['verifyRequest'] = async (read, input) => {
    const { request } = read
    const bound = requireBoundKey(request.requestKey, input.config.legacyUnboundRequestKey)
    if (!bound.ok) return refuse(bound.failure)
    const trace = beginTrace({ withValues: input.tracesValues === true })
    const record = { trace: trace.steps, digests: digestEvidence(request) }
    const proven = await proveRequest(read, { ...input, trace })
    if (!proven.ok) return refuse(proven.failure, record)
    const { spendContext, now } = input
    const trust = (await input.trustInForce?.()) ?? input.config.trust
    const run: VerificationRun = {
      ...{ request, ...proven.value, spendContext, trust, now, trace },
      ...{ findings: [], provenAik: undefined },
    }
    const evidence = await verifyEvidence(request, kinds, run)
    if (!evidence.ok) return refuse(evidence.failure, { ...record, provenAik: run.provenAik })
    const nonce = await takeNonce(request, evidence.value, { ...input, trace })
    if (!nonce.ok) return refuse(nonce.failure, { ...record, provenAik: run.provenAik })
    return ok({ evidence: evidence.value, ...record })
  }
  const answerAttestMessage: Verifier<F>['answerAttestMessage'] = async (message, input) => {
    if (message.kind === 'init') return ok(makeChallenge(input))
    const verified = await verifyRequest(message.read, {
      ...input,
      keys: input.keys.serviceContext,
    })
    return verified.ok ? ok(await writeReport(verified.value, input)) : verified
  }
  return {
    verifyRequest,
    answerAttestMessage,
    async handleAttestMessage({ message: body, apiVersion, ...input }) {
      const trace = beginTrace({ withValues: input.tracesValues === true })
      const read = () => readAttestMessage({ body, apiVersion })
      const message = await takeStep(trace, MESSAGE_STEP, read)
      return message.ok
        ? answerAttestMessage(message.value, input)
        : refuse(message.failure, { trace: trace.steps })
    },
  }
}

/** The built-in verifier: of the kinds of evidence that stand in the one list. */
export const { handleAttestMessage, answerAttestMessage, verifyRequest } =
  createVerifier(BUILT_IN_KINDS)

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

async function writeReport(
  { evidence, trace, digests }: VerifiedRequest,
  { config, keys, now, random }: AttestInput,
): Promise<AttestAnswer> {
  const token = await issueToken({
    evidence,
    issuer: config.issuer,
    key: keys.tokenSigning,
    lifetimeMs: config.tokenLifetimeMs,
    now,
    tokenId: random(TOKEN_ID_BYTES),
    digests,
  })
  const { hash: deviceKey, path } = evidence.attester
  return { kind: 'report', data: encodeReport(token), deviceKey, path, trace, digests }
}

/** That a request answers a challenge of ours, and that whoever holds its key sent it. */
async function proveRequest<F extends Failure>(
  { jws, request }: ReadRequest<F>,
  input: Pick<RequestInput, 'keys' | 'now'> & { readonly trace: Trace },
): Promise<Result<Pick<VerificationRun, 'context' | 'requestKey'>, ProtocolFailure>> {
  const { keys, now, trace } = input
  const { serviceContext: text, challenge } = request
  const context = await takeStep(trace, 'service_context', () =>
    aboutContext(request, openServiceContext({ text, challenge, keys, now })),
  )
  if (!context.ok) return context
  const requestKey = await takeStep(trace, 'request_signature', () => proveRequestKey(jws, request))
  if (!requestKey.ok) return requestKey
  return ok({ context: context.value, requestKey: requestKey.value })
}

function takeNonce(
  { member, rpData }: RequestData,
  { attester }: VerifiedEvidence,
  input: Pick<AttestInput, 'nonceSecrets' | 'now'> & { readonly trace: Trace },
) {
  const { nonceSecrets: secrets = [], now, trace } = input
  const { key: attestationKey, hash } = attester
  const about = { rpData, member: `${member}.rp_data`, attestationKey, hash }
  if (secrets.length === 0) return ok(true)
  return takeStep(trace, NONCE_STEP, () => checkOwnNonce({ ...about, secrets, now }), {
    detail: (maker) =>
      maker === 'own' ? '' : 'no nonce of this service, which nothing here asks for',
  })
}

/** Of the two members that have to fit each other, the challenge is at fault where the other is good. */
function aboutContext<T>(
  { member }: RequestData,
  context: Result<T, ContextFailure>,
): Result<T, ContextFailure> {
  if (context.ok) return context
  const isChallenge = context.failure.reason === 'context_challenge_mismatch'
  return inMember(`${member}.${isChallenge ? 'challenge' : 'service_context'}`, context)
}

function refuse<F extends Failure>(
  failure: VerifierFailure<F>,
  record: Partial<Omit<AttestRefusal, 'reason'>> = {},
): Result<never, AttestRefusal<F>> {
  return err({ trace: [], digests: {}, provenAik: undefined, ...record, ...failure })
}
