import type { CompiledClause, CompiledPolicy } from '../../policy/document/compile.ts'
import type { Rollout } from '../../rollout/rollout.ts'
import { assess } from '../assess.ts'
import { type JwsSigner, signCompactJws } from '../compact-jws.ts'
import type { Decided } from '../decide.ts'
import type { Directory, EntityKind } from '../directory.ts'
import type { TrustRecord } from '../trust-record.ts'
import { type ClauseResult, describeReliefs, type ReceiptClaims } from './claims.ts'
import { describeDevice, describeEvidence, digestInput } from './inputs.ts'
import { MAX_RECEIPT_CAUSE_CHARS } from './limits.ts'

/**
 * The receipt of a decision: a compact JWS (RFC 7515, ES256) that says what was decided, and names
 * by digests all that it was decided from, so that anyone who is given those inputs can decide
 * again. It grants nothing: it has no audience, no subject and no end.
 *
 * A caller asks for it with `context.receipt: true` in an AuthZEN question and finds it in
 * `context.receipt` of the answer. As a member of the context it is also seen by policies.
 */
export const RECEIPT_TYPE = 'countersign-receipt+jwt'

/** What a receipt says of a decision. The same inputs give the same facts, here and offline. */
export type DecisionFacts = Omit<ReceiptClaims, 'iss' | 'jti'>

export type DecisionToDescribe = {
  readonly decided: Decided
  /** `digestRequest` of its request. */
  readonly requestDigest: string
  /** What the request was completed with; `undefined` where the directory was not asked. */
  readonly directory: Directory | undefined
  /** Open rollouts that the device took part in. */
  readonly trials: readonly Trial[]
}

export type Trial = Pick<Rollout, 'rolloutId' | 'kind' | 'pass' | 'stage'>

/** What follows from a decision and its inputs. The clauses were evaluated for the decision. */
export function describeDecision({ decided, ...input }: DecisionToDescribe): DecisionFacts {
  const { rules, record, now, reliefs } = decided.case
  const { decision, context } = decided.decision
  return {
    iat: Math.floor(now.getTime() / 1000),
    decision,
    verdict: context.verdict,
    reasons: [...new Set(context.reasons.map(({ code }) => code))],
    mode: 'enforce',
    decided_at: now.toISOString(),
    reliefs: describeReliefs(reliefs, record ?? { firstFailedAt: {}, graces: {} }),
    relief: [...(context.relief ?? [])],
    rollouts: input.trials.map(({ rolloutId, kind, pass, stage }) => {
      return { rollout_id: rolloutId, kind, pass, stage }
    }),
    request_digest: input.requestDigest,
    ...describeDirectory(input.directory, rules.policy),
    policy_hash: rules.policy.hash,
    reference_values_hash: rules.referenceValues.hash,
    hardware_required: rules.referenceValues.requiresHardware,
    clauses: describeClauses(decided),
    ...(record !== null && describeRecord(record)),
  }
}

/** A receipt and its id, which is its `jti`. */
export type IssuedReceipt = { readonly receipt: string; readonly receiptId: string }

/** Signs a receipt. `jti` is `rcp_` and the base32 of 16 fresh random bytes. */
export function issueReceipt(
  facts: DecisionFacts,
  options: { readonly issuer: string; readonly jti: string; readonly signer: JwsSigner },
): Promise<string> {
  const { issuer, jti, signer } = options
  const payload: ReceiptClaims = { iss: issuer, jti, ...facts }
  return signCompactJws(payload, { typ: RECEIPT_TYPE, signer })
}

/** What the policy that decided reads of it: what is on trial beside it may read more. */
function describeDirectory(directory: Directory | undefined, { directoryRoots }: CompiledPolicy) {
  if (directory === undefined || directoryRoots.size === 0) return {}
  const read = Object.entries(directory).filter(([kind]) => directoryRoots.has(kind as EntityKind))
  return { directory_digest: recordDigest(Object.fromEntries(read)) }
}

function describeRecord(record: TrustRecord) {
  const { deviceId, ring, attestation, generation } = record
  const device = { device_id: deviceId, ring, device_digest: recordDigest(describeDevice(record)) }
  if (attestation === null) return device
  return {
    ...device,
    attestation_id: attestation.attestationId,
    attested_at: attestation.attestedAt.toISOString(),
    valid_until: attestation.validUntil.toISOString(),
    verifier: attestation.issuer,
    device_key: { jkt: attestation.confirmationKey, generation },
    evidence_digest: recordDigest(describeEvidence(attestation)),
  }
}

function recordDigest(input: object): string {
  const digest = digestInput(input)
  // The store keeps neither half surrogates nor numbers without end.
  if (digest === undefined) throw new TypeError('a trust record has no canonical form')
  return digest
}

/** A question that a token of before denied is held against no clause by the decision, but here. */
function describeClauses(decided: Decided): ClauseResult[] {
  const { rules, record, request, now } = decided.case
  const assessment =
    decided.assessment ?? (record === null ? undefined : assess({ ...rules, record, request, now }))
  const clauseOutcomes = assessment?.clauseOutcomes ?? []
  return clauseOutcomes.map(({ clause, status, cause }) => {
    const told = cause && describeCause(cause, rules.policy.clauseById.get(clause))
    return { id: clause, status, ...(told && { cause: told }) }
  })
}

/** As JSON writes text; one that was cut off has no end. */
const QUOTED = /"(?:[^"\\]|\\.)*"?/g

/**
 * The kind of an error, and what it is about where that is a name in the clause itself. An error
 * may quote any value that the clause came upon, as a person's name in the request.
 */
function describeCause(cause: string, clause: CompiledClause | undefined): string {
  const [kind = '', ...about] = cause.replace(QUOTED, '…').split(': ')
  const name = about.join(': ')
  const source = `${clause?.when?.source ?? ''} ${clause?.require.source ?? ''}`
  const isOwn = /^[A-Za-z_]\w*$/.test(name) && source.split(/\W+/).includes(name)
  return (isOwn ? `${kind}: ${name}` : kind).slice(0, MAX_RECEIPT_CAUSE_CHARS).toWellFormed()
}
