import type { HistoryEntry } from '../../store/devices/device-history.ts'
import type { AssessedDevice } from './assess-device.ts'

/** Since when a device has its verdict, as far as what is kept says. */
export type VerdictSince = {
  readonly at: Date
  /** It may have had it for longer: what was before is not kept, or was not looked at. */
  readonly isAtLeast: boolean
}

/**
 * Since when the verdict on a device is what it is. A quarantine and the end of evidence have a time of their own; for
 * clauses it is noted since when each fails. Otherwise attestations are gone through from the newest on, for as long as
 * they came to the same. `undefined` where nothing says it, as after a change of documents.
 */
export function verdictSince(
  { record, verdict, reasons }: Pick<AssessedDevice, 'record' | 'verdict' | 'reasons'>,
  history: { readonly entries: readonly HistoryEntry[]; readonly isWhole: boolean },
): VerdictSince | undefined {
  const { quarantine, attestation, createdAt } = record
  const exactly = (at: Date) => ({ at, isAtLeast: false })
  if (verdict === 'quarantined') return quarantine === null ? undefined : exactly(quarantine.at)
  if (attestation === null) return exactly(createdAt)
  if (verdict === 'stale') return exactly(attestation.validUntil)
  const failing = reasons.flatMap((reason) => {
    const since = 'clause' in reason ? record.firstFailedAt[reason.clause] : undefined
    return since === undefined ? [] : [new Date(since)]
  })
  if (failing.length > 0) return exactly(new Date(Math.min(...failing.map(Number))))
  const accepted = history.entries.filter(({ outcome }) => outcome === 'accepted')
  const other = accepted.findIndex((entry) => entry.verdict !== verdict)
  const first = other === -1 ? accepted.at(-1) : accepted[other - 1]
  if (first === undefined) return undefined
  return { at: first.at, isAtLeast: other === -1 && !history.isWhole }
}
