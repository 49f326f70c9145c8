import { type AttestationResult, appraise } from '../appraisal/appraise.ts'
import { appraiseOrigin, type Origin } from '../appraisal/origin.ts'
import type { ReferenceValues } from '../appraisal/reference-values.ts'
import type { CompiledPolicy } from '../policy/document/compile.ts'
import {
  type ClauseOutcome,
  evaluatePolicy,
  evaluateWithoutDevice,
  outcomesByLogic,
} from '../policy/language/evaluate.ts'
import type { AttestationFacts, PolicyInput, RequestFacts } from '../policy/language/input.ts'
import { createBinding } from './binding.ts'
import type { Reliefs } from './relief.ts'
import type { RecordedAttestation, TrustRecord } from './trust-record.ts'
import { blockingReasons, type DerivedVerdict, deriveVerdict } from './verdict.ts'

/** A verdict with the whole trace of how it came about, for administrators and receipts. */
export type Assessment = DerivedVerdict & {
  /** Of the device clauses, or of all where a request was assessed. Empty if never attested. */
  readonly clauseOutcomes: readonly ClauseOutcome[]
  readonly result: AttestationResult | undefined
  /** Whether the evidence is still believed; `accepted` where there is none. */
  readonly origin: Origin
}

/** What is in force when something is assessed. */
export type Documents = {
  readonly policy: CompiledPolicy
  readonly referenceValues: ReferenceValues
}

/**
 * An assessment of the same record and request at the same time, under the same reference values
 * and another policy: what both policies ask is not evaluated twice.
 */
export type Like = { readonly policy: CompiledPolicy; readonly assessment: Assessment }

/** The verdict on a device, and with a `request` also what the request clauses say. */
export function assess(
  input: Documents & {
    readonly record: TrustRecord
    readonly request?: RequestFacts
    /** Without them nothing is relieved. */
    readonly reliefs?: Reliefs | undefined
    readonly now: Date
    readonly like?: Like | undefined
  },
): Assessment {
  const { record, request, reliefs, now } = input
  const { attestation } = record
  if (attestation === null) {
    const verdict = deriveVerdict({ record, clauseOutcomes: [], now })
    return { ...verdict, clauseOutcomes: [], result: undefined, origin: 'accepted' }
  }
  const { like } = input
  const facts = factsOf(attestation, input.referenceValues, now, like?.assessment.result)
  const policyInput: PolicyInput = {
    device: record,
    attestation: facts,
    now,
    ...(request !== undefined && { request }),
  }
  const scope = request === undefined ? 'device' : 'request'
  const known = like && outcomesByLogic(like.policy, like.assessment.clauseOutcomes)
  const clauseOutcomes = evaluatePolicy(input.policy, policyInput, { scope, known })
  const origin = originOf(attestation, input.referenceValues, now)
  const { policy, referenceValues } = input
  const relief = reliefs && {
    record: { ...record, attestation },
    reliefs,
    bindingOf: createBinding({
      ...{ policy, referenceValues, reliefs, now },
      ...{ device: record, attestation },
    }),
  }
  const verdict = deriveVerdict({ record, clauseOutcomes, origin, relief, now })
  return { ...verdict, clauseOutcomes, result: facts.result, origin }
}

/**
 * What a policy says to a question that names no device and needs none. `verdict` is `unknown`, as nobody
 * looked at a device, and `reasons` are all that is in the way: unlike those of a device they may be none.
 * Nothing relieves it: holds, graces and allowances are a device's.
 */
export function assessWithoutDevice(
  policy: CompiledPolicy,
  { request, now }: { readonly request: RequestFacts; readonly now: Date },
): Assessment {
  const clauseOutcomes = evaluateWithoutDevice(policy, { request, now })
  const reasons = [
    ...blockingReasons(clauseOutcomes, 'device'),
    ...blockingReasons(clauseOutcomes, 'request'),
  ]
  return { verdict: 'unknown', reasons, clauseOutcomes, result: undefined, origin: 'accepted' }
}

/**
 * The verdict with which an attestation is recorded. Without a `record` it is the verdict on the
 * evidence alone, as if the device were admitted and free, for a recorder that has not read it:
 * allowed only for a policy that does not read `device`.
 */
export function verdictOfAttestation(
  input: Documents & {
    readonly attestation: RecordedAttestation
    readonly record: TrustRecord | null
    readonly now: Date
  },
): Assessment {
  const { attestation, record, policy, referenceValues, now } = input
  if (record !== null) {
    return assess({ policy, referenceValues, now, record: { ...record, attestation } })
  }
  if (policy.usesDevice) throw new TypeError('this policy reads the device: its record is needed')
  const facts = factsOf(attestation, referenceValues, now)
  const policyInput = { attestation: facts, now }
  const clauseOutcomes = evaluatePolicy(policy, policyInput, { scope: 'device' })
  const newcomer = { enrolment: 'admitted', quarantine: null, attestation } as const
  const origin = originOf(attestation, referenceValues, now)
  const verdict = deriveVerdict({ record: newcomer, clauseOutcomes, origin, now })
  return { ...verdict, clauseOutcomes, result: facts.result, origin }
}

function originOf(
  { claims, issuer, attestationPolicyHash }: RecordedAttestation,
  referenceValues: ReferenceValues,
  now: Date,
): Origin {
  return appraiseOrigin({ claims, issuer, attestationPolicyHash, referenceValues, now })
}

function factsOf(
  attestation: RecordedAttestation,
  referenceValues: ReferenceValues,
  now: Date,
  known?: AttestationResult,
): AttestationFacts {
  const { claims, issuer, attestationPolicyHash, attestedAt, validUntil } = attestation
  const result = known ?? appraise({ claims, referenceValues, now })
  return { claims, result, issuer, attestationPolicyHash, attestedAt, validUntil }
}
