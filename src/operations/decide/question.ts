import type { BreakGlassDecision } from '../../access/break-glass/decision.ts'
import type { BreakGlassFailure } from '../../access/break-glass/failure.ts'
import type { Decision } from '../../access/decide.ts'
import { deviceOfRequest, deviceTokenOf } from '../../access/device-of-request.ts'
import type { DeviceTokenFailure, VerifiedDeviceToken } from '../../access/device-token.ts'
import type { AuthzenFailure, EvaluationRequest } from '../../access/evaluation-request.ts'
import type { Result } from '../../base/result.ts'

/** One question of a relying party (AuthZEN §6), with what names the device that it is about. */
export type Question = {
  /** As the relying party sent it: checked for shape and size. */
  readonly request: EvaluationRequest
  /** The id of the device, or why the request names none. Whether there is such a device is open. */
  readonly device: ReturnType<typeof deviceOfRequest>
  /** Verified, and not yet held against the record of the device. */
  readonly token: VerifiedDeviceToken | undefined
  /** Of the request, where a receipt was asked for and the source gives receipts. */
  readonly requestDigest: string | undefined
}

/**
 * Where answers come from. There are two sources: the policy over the trust record of the device
 * (`answer-by-policy.ts`), and a break-glass token (`answer-by-break-glass.ts`), which asks no store.
 */
export type AnswerSource = {
  /** Reads one question: verifies the device token in it, and nothing else. */
  readonly read: (request: EvaluationRequest) => Promise<Result<Question, AuthzenFailure>>
  /** Fetches, at once, what these questions need. */
  readonly begin: (questions: readonly Question[], asked: Asked) => Promise<Answers>
}

/** How questions came here. */
export type Asked = {
  /** The API client; `null` where a break-glass token stands in its place. */
  readonly clientId: string | null
  readonly requestId: string
  /** An Accept-Language value. */
  readonly language: string | undefined
}

export type Answers = {
  /** For each question at most once, and only for those that the answers were begun with. */
  readonly answer: (question: Question) => Answered | Promise<Answered>
  /** Reports what was answered. */
  readonly end: () => void | Promise<void>
}

/** A denial is an answer. A token of break-glass that does not open for the device is refused. */
export type Answered = Result<Answer, RefusedAnswer>

export type Answer = Decision | BreakGlassDecision

export type RefusedAnswer = BreakGlassFailure & {
  /** What a batch says in the place of the decision. */
  readonly answer: BreakGlassDecision
}

/** Verifies a device token by its signature, issuer and time alone. */
export type VerifyDeviceToken = (
  token: string,
) => Promise<Result<VerifiedDeviceToken, DeviceTokenFailure>>

/**
 * Finds out which device a request is about. A device token that is refused names no device, and
 * the question is denied for it: it is never left aside.
 */
export async function nameDevice(
  { subject }: EvaluationRequest,
  verifyDeviceToken: VerifyDeviceToken,
): Promise<Pick<Question, 'device' | 'token'>> {
  const given = deviceTokenOf(subject)
  const verified = typeof given === 'string' ? await verifyDeviceToken(given) : undefined
  const token = verified?.ok ? verified.value : undefined
  const tokenDeviceId = given === undefined ? undefined : (token?.deviceId ?? null)
  return { device: deviceOfRequest({ subject, tokenDeviceId }), token }
}

/**
 * Answers one question, from whatever source. Refused are a question that cannot have the receipt
 * that it asks for, and one that a break-glass token does not open for. Faults of the store throw.
 */
export async function answerQuestion(
  source: AnswerSource,
  request: EvaluationRequest,
  asked: Asked,
): Promise<Result<Answer, AuthzenFailure | BreakGlassFailure>> {
  const question = await source.read(request)
  if (!question.ok) return question
  const answers = await source.begin([question.value], asked)
  const answered = await answers.answer(question.value)
  await answers.end()
  return answered
}
