import { type Explanation, explainInWords } from '../../base/explanation.ts'
import { placeOf } from '../../base/located.ts'
import type { ToldPlace } from '../../base/place.ts'
import type { Failure } from '../../base/result.ts'

/**
 * An error in the form of Azure Attestation's REST interface, with `innererror` of Microsoft's REST API
 * guidelines (section "Error condition responses"): `code` there is the exact reason.
 */
export type WireError = {
  readonly status: 400 | 429 | 503
  readonly body: {
    readonly error: {
      readonly code: WireCode
      readonly message: string
      readonly innererror: InnerError
    }
  }
}

export type InnerError = {
  /** A reason of the catalogue, or the coarse code that stands for several. */
  readonly code: string
  readonly where?: ToldPlace
  /** What would have been right, in words or as a short value. */
  readonly expected?: string
  /** Under which the log has the attempt. */
  readonly request_id: string
}

/** Codes of Azure Attestation that apply to its TPM protocol. */
export type WireCode =
  | 'InvalidParameter'
  | 'PolicyEvaluationError'
  | 'TooManyRequests'
  | 'ServiceUnavailable'

/** How an agent is to take a refusal: what Azure has codes for. */
export const WIRE_FORMS = {
  invalid: { status: 400, code: 'InvalidParameter' },
  policy: { status: 400, code: 'PolicyEvaluationError' },
  limited: { status: 429, code: 'TooManyRequests' },
  unavailable: { status: 503, code: 'ServiceUnavailable' },
} as const satisfies Record<string, { status: WireError['status']; code: WireCode }>

/** Codes that stand for several reasons, since which of them it was would help an attacker. */
export const COARSE_CODES = {
  context_refused: {
    cause: 'The service context is not one that this service has sealed.',
    change: 'Send back the service_context of the answer to the initial message as it came.',
    why: 'which of them it was would tell who makes one up how near he has come',
  },
} as const satisfies Readonly<Record<string, Explanation & { readonly why: string }>>

/** What an agent is told of one reason, and what the catalogue says of it. */
export type WireAnswer = Explanation & {
  /** What more there is to do about some failures of this reason, in whole sentences. */
  readonly hint?: (failure: Failure) => string | undefined
  readonly form: keyof typeof WIRE_FORMS
  /** What would have been right, where the failure itself says nothing. */
  readonly expected?: string
  /** The code that is told instead. Then neither place nor expectation is told. */
  readonly coarse?: keyof typeof COARSE_CODES
}

/** Of a request that is not as it has to be. */
export function invalid(cause: string, change: string, expected?: string): WireAnswer {
  return { form: 'invalid', cause, change, ...(expected !== undefined && { expected }) }
}

/** Of a key that the service may not trust as it is configured. */
export function untrusted(cause: string, change: string, expected?: string): WireAnswer {
  return { form: 'policy', cause, change, ...(expected !== undefined && { expected }) }
}

/** The status of an answer, for the catalogue. */
export function statusOfAnswer({ form }: WireAnswer): WireError['status'] {
  return WIRE_FORMS[form].status
}

/** What an agent is told of a failure. `requestId` names the attempt in the log. */
export function writeWireError(failure: Failure, answer: WireAnswer, requestId: string): WireError {
  const { form, coarse } = answer
  const { status, code } = WIRE_FORMS[form]
  const told = coarse === undefined ? answer : COARSE_CODES[coarse]
  const hint = coarse === undefined ? answer.hint?.(failure) : undefined
  const message = [explainInWords(told), hint].filter((part) => part !== undefined).join(' ')
  const innererror = { ...describeFailure(failure, answer), request_id: requestId }
  return { status, body: { error: { code, message, innererror } } }
}

function describeFailure(
  failure: Failure,
  { coarse, expected: usual }: WireAnswer,
): Omit<InnerError, 'request_id'> {
  if (coarse !== undefined) return { code: coarse }
  const where = placeOf(failure)
  const expected = failure.expected ?? usual
  return {
    code: failure.reason,
    ...(where !== undefined && { where }),
    ...(expected !== undefined && { expected }),
  }
}
