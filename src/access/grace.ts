import type { ClauseOutcome } from '../policy/language/evaluate.ts'
import { findHold, type Relief, type ReliefSituation } from './relief.ts'

/**
 * The time for repair that a clause gives to a device that fails it, or about which it is
 * undecidable. It begins at the later of two moments: when the device first failed it, and when the
 * clause began to bind this device, which is when the documents were in force for it, `enforce_from`
 * and the dates in the clause were reached, and it denied. A failure of before, while the clause only
 * reported, uses up nothing.
 *
 * It is noted with the next attestation (`record_attestation`) and from then on does not begin anew:
 * neither by attesting, nor by another version of the policy, nor because `when` is false for a night.
 * A device has it again only once it has not failed the clause for a while (`forgottenAfterMs`), or
 * where documents came to bind it after it had met the clause, or after a time in which they did not.
 */
export function graceOfClause(
  outcome: Pick<ClauseOutcome, 'clause' | 'graceMs'>,
  situation: ReliefSituation,
): Relief | undefined {
  const { clause, graceMs } = outcome
  if (graceMs === undefined) return undefined
  const until = graceBegun(clause, graceMs, situation) + graceMs
  return situation.now.getTime() < until
    ? { kind: 'grace', reason: clause, until: new Date(until) }
    : undefined
}

/** Milliseconds of the epoch. */
function graceBegun(
  clause: string,
  graceMs: number,
  { record, reliefs, bindingOf, now }: ReliefSituation,
): number {
  const noted = record.graces[clause]
  const bound = bindingOf?.(clause) ?? { since: reliefs.policySince.getTime(), anew: -Infinity }
  if (noted !== undefined) {
    const since = Date.parse(noted.since)
    const met = noted.met === undefined ? Infinity : Date.parse(noted.met)
    const isForgotten = now.getTime() - met >= forgottenAfterMs(graceMs)
    if (!isForgotten && bound.since <= met && !(bound.anew > since)) return since
  }
  const failed = record.firstFailedAt[clause]
  const first = failed === undefined ? record.attestation.attestedAt.getTime() : Date.parse(failed)
  return Math.max(bound.since, first)
}

const WEEK_MS = 7 * 86_400_000

/**
 * How long a device must not fail a clause to have its grace again: as long as the grace, and a week
 * at least, so that neither one that comes and goes nor a clause for office hours prolongs it.
 */
export function forgottenAfterMs(graceMs: number): number {
  return Math.max(graceMs, WEEK_MS)
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
