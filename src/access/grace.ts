import type { ClauseOutcome } from '../policy/language/evaluate.ts'
import { findHold, type Relief, type ReliefSituation } from './relief.ts'

/**
 * The time for repair that a clause gives to a device that fails it, or about which it is
 * undecidable: from when the device is first known not to meet it. Without such a note it last met
 * the clause when it attested, or before the clause was asked for. Stages of a rollout do not begin
 * it anew (`policySince`).
 */
export function graceOfClause(
  { clause, graceMs }: Pick<ClauseOutcome, 'clause' | 'graceMs'>,
  { record, reliefs, now }: ReliefSituation,
): Relief | undefined {
  if (graceMs === undefined) return undefined
  const noted = record.firstFailedAt[clause]
  const { attestedAt } = record.attestation
  const begun = Math.max(reliefs.policySince.getTime(), attestedAt.getTime())
  const until = (noted === undefined ? begun : Date.parse(noted)) + graceMs
  return now.getTime() < until
    ? { kind: 'grace', reason: clause, until: new Date(until) }
    : undefined
}

/**
 * For how much longer evidence counts that is too old while its verifier cannot be reached: no
 * longer than the configuration says, and than the outage is held for.
 */
export function outageGrace(situation: ReliefSituation): Relief | undefined {
  const { record, reliefs, now } = situation
  const { issuer, validUntil } = record.attestation
  const end = validUntil.getTime() + reliefs.outageGraceMs
  if (!(now.getTime() < end)) return undefined
  const hold = findHold(situation, {
    isCause: (cause) => cause.kind === 'stale' && cause.issuer === issuer,
    isCovered: () => true,
  })
  if (hold === undefined) return undefined
  const until = new Date(Math.min(end, hold.until.getTime()))
  return { kind: 'outage_grace', reason: 'stale', until }
}
