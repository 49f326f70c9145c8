import { type AttestationResult, findReference } from '../appraisal/appraise.ts'
import type { ReferenceValues } from '../appraisal/reference-values.ts'
import type { Severity } from '../policy/document/document.ts'
import type { ClauseOutcome } from '../policy/language/evaluate.ts'
import { bindVariables, type Variables } from '../policy/language/input.ts'
import { describeShown, findShortfalls, type Shortfall } from '../policy/language/shortfall.ts'
import type { Assessment, Documents } from './assess.ts'
import type { RecordedAttestation, TrustRecord } from './trust-record.ts'

/** A clause that a device does not meet, whatever comes of that. */
export type UnmetClause = {
  readonly clause: string
  readonly severity: Severity
  readonly status: 'fail' | 'undecidable'
  /** Why it is undecidable. */
  readonly cause?: string
  /** ISO 8601: since when the device fails it without a break, as its attestations noted. */
  readonly since?: string
  /** The values that are there beside those that are needed. */
  readonly shortfalls: readonly Shortfall[]
}

/** Ids of the clauses that are failed or undecidable, of any severity, in the order of the policy. */
export function unmetClauses(outcomes: readonly ClauseOutcome[]): readonly string[] {
  return outcomes
    .filter(({ status }) => status === 'fail' || status === 'undecidable')
    .map(({ clause }) => clause)
}

/**
 * The clauses about devices that an assessment found unmet, in the order of the policy: enforced ones
 * and reported ones, those in grace or held among them. Empty for a device that never attested.
 */
export function listUnmet(
  { clauseOutcomes, result }: Pick<Assessment, 'clauseOutcomes' | 'result'>,
  about: { readonly record: TrustRecord; readonly rules: Documents; readonly now: Date },
): readonly UnmetClause[] {
  const { record, rules, now } = about
  const { attestation } = record
  if (attestation === null || result === undefined) return []
  const variables = bindVariables({ device: record, attestation: { ...attestation, result }, now })
  return clauseOutcomes.flatMap(({ clause, scope, severity, status, cause }) => {
    if (scope !== 'device' || (status !== 'fail' && status !== 'undecidable')) return []
    const since = record.firstFailedAt[clause]
    return {
      clause,
      severity,
      status,
      ...(cause !== undefined && { cause }),
      ...(since !== undefined && { since }),
      shortfalls: shortfallsOf(clause, { variables, rules, attestation, result, now }),
    }
  })
}

type Situation = {
  readonly variables: Variables
  readonly rules: Documents
  readonly attestation: RecordedAttestation
  readonly result: AttestationResult
  readonly now: Date
}

function shortfallsOf(clause: string, situation: Situation): readonly Shortfall[] {
  const { variables, rules } = situation
  const compiled = rules.policy.clauseById.get(clause)
  if (compiled === undefined) throw new TypeError(`the policy has no clause ${clause}`)
  return findShortfalls(compiled.require, variables).flatMap(
    (one) => referenceShortfalls(one, situation) ?? [one],
  )
}

/** Of what is held against reference values, the claims and the listed values themselves. */
function referenceShortfalls(
  { reads, required }: Shortfall,
  { attestation, rules, now }: Situation,
): readonly Shortfall[] | undefined {
  if (required !== 'true') return undefined
  const { claims } = attestation
  if (reads === 'attestation.enclave.svn_current') {
    const reference = findReference({ claims, referenceValues: rules.referenceValues, now })
    if (reference === undefined) return undefined
    const found = [
      atLeast('enclaveSvn', claims.enclaveSvn, reference.minimumSvn),
      atLeast('enclavePlatformSvn', claims.enclavePlatformSvn, reference.minimumPlatformSvn),
    ].filter((one) => one !== undefined)
    return found.length > 0 ? found : undefined
  }
  return reads === 'attestation.enclave.listed'
    ? unlisted(attestation, rules.referenceValues)
    : undefined
}

function atLeast(claim: string, value: number | undefined, minimum: number): Shortfall | undefined {
  if (minimum === 0 || (value !== undefined && value >= minimum)) return undefined
  return named(claim, value, `at least ${minimum}`)
}

function unlisted(
  { claims }: RecordedAttestation,
  { enclavesByAuthor }: ReferenceValues,
): readonly Shortfall[] | undefined {
  const { enclaveAuthorId, enclaveFamilyId, enclaveImageId } = claims
  if (enclaveAuthorId === undefined || enclavesByAuthor.size === 0) return undefined
  if (!enclavesByAuthor.has(enclaveAuthorId)) {
    return [named('enclaveAuthorId', enclaveAuthorId, 'an author that the reference values list')]
  }
  return [
    named('enclaveFamilyId', enclaveFamilyId, 'one that is listed for its author now'),
    named('enclaveImageId', enclaveImageId, 'one that is listed for its author now'),
  ]
}

function named(claim: string, actual: string | number | undefined, required: string): Shortfall {
  return { reads: `attestation.${claim}`, ...(actual !== undefined && { actual }), required }
}

/** `enclaveSvn 2, needs at least 3`. */
export function describeShortfall({ reads, actual, required }: Shortfall): string {
  return `${reads.replace(/^attestation\./, '')} ${describeShown(actual)}, needs ${required}`
}
