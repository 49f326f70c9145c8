import { parseReferenceValues, problemsOf } from '../../appraisal/reference-values.ts'
import { nameDocument } from '../../base/document-hash.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { compilePolicy } from '../../policy/document/compile.ts'
import type { Documents } from '../assess.ts'
import { type Decision, decide } from '../decide.ts'
import { deviceOfRequest, deviceTokenOf } from '../device-of-request.ts'
import { type VerifiedDeviceToken, verifyDeviceToken } from '../device-token.ts'
import { completeRequest, type Directory } from '../directory.ts'
import { type EvaluationRequest, parseEvaluation } from '../evaluation-request.ts'
import type { TrustRecord } from '../trust-record.ts'
import { gracesOfClaim, reliefsOfClaim } from './claims.ts'
import {
  type DirectoryInput,
  digestDirectory,
  digestInput,
  digestRequest,
  inputsSchema,
  recordOfInputs,
} from './inputs.ts'
import type { ReceiptKeys } from './keys.ts'
import { MAX_TOKEN_LEAD_MS } from './limits.ts'
import { describeDecision } from './receipt.ts'
import type { VerifiedReceipt } from './verify.ts'

export const RECOMPUTE_REASONS = [
  'receipt_inputs_malformed',
  'receipt_inputs_differ',
  'receipt_decision_differs',
] as const

export type RecomputeFailure =
  /** `at`: `policy`, `evidence.claims`; `because`: why its own reader refuses it. */
  | { readonly reason: 'receipt_inputs_malformed'; readonly at: string; readonly because: string }
  /** An input is not the one that was decided from: `member` of the receipt has its digest. */
  | {
      readonly reason: 'receipt_inputs_differ'
      readonly input: string
      readonly member: string
      readonly receipt: unknown
      readonly inputs: unknown
    }
  /** The inputs are the right ones, and decide something else than the receipt says. */
  | {
      readonly reason: 'receipt_decision_differs'
      readonly member: string
      readonly receipt: unknown
      readonly recomputed: unknown
    }

type Read<T> = Result<T, RecomputeFailure>

/** The inputs of a decision, read for deciding again. */
type Case = {
  readonly rules: Documents
  readonly record: TrustRecord | null
  /** As it was sent. */
  readonly request: EvaluationRequest
  readonly directory: Directory | undefined
}

/**
 * Decides again what a receipt tells of, by the code that decided then, and compares every member.
 * Nothing of the inputs is evaluated before its digest was found in the receipt.
 *
 * A device token in the request is verified with the same `keys`, which must hold those of device
 * tokens too: the published set of a service holds both.
 */
export async function recomputeReceipt(input: {
  readonly receipt: VerifiedReceipt
  /** Parsed JSON in the form of `ReceiptInputs`. Unverified. */
  readonly inputs: unknown
  readonly keys: ReceiptKeys
}): Promise<Result<Decision, RecomputeFailure>> {
  const { receipt, keys } = input
  const read = readCase(receipt, input.inputs)
  if (!read.ok) return read
  const { rules, record, request: sent, directory } = read.value
  const now = new Date(receipt.claims.decided_at)
  const reliefs = reliefsOfClaim(receipt.claims.reliefs)
  // Who took part in which rollout decided nothing beyond the documents, which are named.
  const trials = receipt.claims.rollouts.map(({ rollout_id, ...rest }) => {
    return { rolloutId: rollout_id, ...rest }
  })
  const token = await readToken(receipt, sent, keys)
  const named = deviceOfRequest({ subject: sent.subject, tokenDeviceId: deviceIdIn(token) })
  const name = named.ok ? named.value : null
  if (record !== null && name !== record.deviceId) {
    const told = { member: 'device_id', receipt: record.deviceId, recomputed: name }
    return err({ reason: 'receipt_decision_differs', ...told })
  }
  const unnamed = named.ok ? undefined : named.failure.reason
  const request = completeRequest(sent, directory ?? {})
  const asked = { rules, record, request, token: token ?? undefined, unnamed, reliefs, now }
  const decided = decide(asked)
  const requestDigest = receipt.claims.request_digest
  const facts = describeDecision({ decided, requestDigest, directory, trials })
  const difference = findDifference(receipt.payload, facts)
  return difference === undefined ? ok(decided.decision) : err(difference)
}

/** Reads inputs that are those of this receipt. */
function readCase({ claims }: VerifiedReceipt, json: unknown): Read<Case> {
  const parsed = inputsSchema.safeParse(json)
  if (!parsed.success) {
    const [problem] = problemsOf(parsed.error)
    return malformed(problem?.path ?? '', problem?.message ?? '')
  }
  const inputs = parsed.data
  const { device, evidence } = inputs
  const directory = inputs.directory && withoutUndefined(inputs.directory)
  const request = parseEvaluation(inputs.request)
  if (!request.ok) return malformed('request', request.failure.message)
  const digests: readonly (readonly [string, keyof typeof claims, string | undefined])[] = [
    ['policy', 'policy_hash', digestInput(inputs.policy)],
    ['reference_values', 'reference_values_hash', digestInput(inputs.reference_values)],
    ['request', 'request_digest', digestRequest(request.value)],
    ['directory', 'directory_digest', digestDirectory(directory)],
    ['device', 'device_digest', device === null ? undefined : digestInput(device)],
    ['evidence', 'evidence_digest', evidence === null ? undefined : digestInput(evidence)],
  ]
  for (const [name, member, digest] of digests) {
    if (claims[member] === digest) continue
    const told = { member, receipt: claims[member] ?? null, inputs: digest ?? null }
    return err({ reason: 'receipt_inputs_differ', input: name, ...told })
  }
  const policy = compilePolicy(inputs.policy)
  if (!policy.ok) return malformed('policy', policy.failure.reason)
  const referenceValues = parseReferenceValues(inputs.reference_values, {
    requiresHardware: claims.hardware_required,
  })
  if (!referenceValues.ok) return malformed('reference_values', referenceValues.failure.reason)
  return ok({
    rules: { policy: policy.value, referenceValues: referenceValues.value },
    record:
      device === null
        ? null
        : recordOfInputs(device, evidence, {
            firstFailedAt: claims.reliefs.first_failed_at,
            graces: gracesOfClaim(claims.reliefs),
            key: claims.device_key,
          }),
    request: request.value,
    directory,
  })
}

/** The form has an absent member and one that is undefined alike. */
function withoutUndefined({ subject, resource, action }: DirectoryInput): Directory {
  return {
    ...(subject !== undefined && { subject }),
    ...(resource !== undefined && { resource }),
    ...(action !== undefined && { action }),
  }
}

function malformed(at: string, because: string): Read<never> {
  return err({ reason: 'receipt_inputs_malformed', at, because })
}

function deviceIdIn(token: VerifiedDeviceToken | null | undefined): string | null | undefined {
  return token ? token.deviceId : token
}

/** `null` for a token that is refused, `undefined` without one. */
async function readToken(
  { claims }: VerifiedReceipt,
  request: EvaluationRequest,
  keys: ReceiptKeys,
): Promise<VerifiedDeviceToken | null | undefined> {
  const token = deviceTokenOf(request.subject)
  if (typeof token !== 'string') return token
  const wasRefused = claims.reasons.includes('device_token_refused')
  const decided = Date.parse(claims.decided_at)
  const verified = await verifyDeviceToken(token, {
    issuer: claims.iss,
    keyOf: (kid) => keys.get(kid)?.cryptoKey,
    now: new Date(wasRefused ? decided : decided - MAX_TOKEN_LEAD_MS),
  })
  return verified.ok ? verified.value : null
}

/** `iss` and `jti` are the issuer's word; all else must follow from the inputs. */
function findDifference(payload: object, facts: object): RecomputeFailure | undefined {
  const { iss: _, jti: __, ...said } = { iss: '', jti: '', ...payload }
  const receipt: Readonly<Record<string, unknown>> = said
  const recomputed: Readonly<Record<string, unknown>> = { ...facts }
  for (const member of new Set([...Object.keys(recomputed), ...Object.keys(receipt)])) {
    const areBoth = Object.hasOwn(receipt, member) && Object.hasOwn(recomputed, member)
    if (areBoth && isSame(receipt[member], recomputed[member])) continue
    return {
      reason: 'receipt_decision_differs',
      member,
      receipt: receipt[member] ?? null,
      recomputed: recomputed[member] ?? null,
    }
  }
  return undefined
}

function isSame(a: unknown, b: unknown): boolean {
  const named = nameDocument([a])
  return named !== undefined && named.canonical === nameDocument([b])?.canonical
}
