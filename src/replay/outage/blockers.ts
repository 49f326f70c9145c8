import type { Documents } from '../../access/assess.ts'
import { appraise } from '../../appraisal/appraise.ts'
import type { AttestationClaims } from '../../appraisal/claims.ts'
import type { CompiledClause, CompiledPolicy } from '../../policy/document/compile.ts'
import { type ClauseOutcome, evaluatePolicy, isBlocking } from '../../policy/language/evaluate.ts'
import type { AttestedRecord } from '../causes.ts'
import { REMEMBERED_CLAIMS } from '../preview/limits.ts'
import { dependsOnClaimsAlone } from '../preview/read-claims.ts'

/** The outcomes of enforced device clauses that do not let a device pass at a moment. */
export type FindBlockers = (
  record: AttestedRecord,
  rules: Documents,
  moment: number,
) => readonly ClauseOutcome[]

const NONE: readonly ClauseOutcome[] = []

/**
 * Clauses that read claims alone are evaluated once for each claims object and moment: records may
 * share them, and most of a fleet does.
 */
export function createBlockers(): FindBlockers {
  const checks = new Map<CompiledPolicy, Checks>()
  const remembered = new Map<AttestationClaims, Map<string, readonly ClauseOutcome[]>>()
  const rememberedFor = (claims: AttestationClaims) => {
    let known = remembered.get(claims)
    if (known === undefined) {
      if (remembered.size >= REMEMBERED_CLAIMS) remembered.clear()
      known = new Map()
      remembered.set(claims, known)
    }
    return known
  }
  return (record, rules, moment) => {
    const { policy, referenceValues } = rules
    let check = checks.get(policy)
    if (check === undefined) {
      check = checksOf(policy)
      checks.set(policy, check)
    }
    const known = rememberedFor(record.attestation.claims)
    const key = `${moment} ${policy.hash} ${referenceValues.hash}`
    let shared = known.get(key)
    if (shared === undefined) {
      shared = evaluate(check.perClaims, { record, rules, moment })
      known.set(key, shared)
    }
    const own = evaluate(check.perDevice, { record, rules, moment })
    return own.length === 0 ? shared : [...shared, ...own]
  }
}

type Checks = { readonly perClaims: CompiledPolicy; readonly perDevice: CompiledPolicy }

function checksOf(policy: CompiledPolicy): Checks {
  const enforced = policy.deviceClauses.filter(({ severity }) => severity === 'enforce')
  const those = (isWanted: (clause: CompiledClause) => boolean): CompiledPolicy => {
    return { ...policy, deviceClauses: enforced.filter(isWanted) }
  }
  return {
    perClaims: those(dependsOnClaimsAlone),
    perDevice: those((clause) => !dependsOnClaimsAlone(clause)),
  }
}

function evaluate(
  policy: CompiledPolicy,
  input: { readonly record: AttestedRecord; readonly rules: Documents; readonly moment: number },
): readonly ClauseOutcome[] {
  if (policy.deviceClauses.length === 0) return NONE
  const { record, rules, moment } = input
  const now = new Date(moment)
  const { claims } = record.attestation
  const result = appraise({ claims, referenceValues: rules.referenceValues, now })
  const facts = { device: record, attestation: { ...record.attestation, result }, now }
  const blocking = evaluatePolicy(policy, facts, { scope: 'device' }).filter(isBlocking)
  return blocking.length === 0 ? NONE : blocking
}
