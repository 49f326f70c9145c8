import type { AuditNote, AuditTree } from '../../store/system/audit-tree.ts'

/** Uses of break-glass tokens that the audit log is to have, from when the database takes them. */
export type BreakGlassUses = {
  /** Asks no store. */
  readonly note: (use: AuditNote) => void
  readonly isWaiting: () => boolean
  /** Writes what was noted; what cannot be written is kept for the next time. */
  readonly write: (store: Pick<AuditTree, 'noteAudit'>) => Promise<void>
}

/** Of an outage of days; the log of the process has each use whatever becomes of these. */
const MOST_KEPT = 1000

export function createBreakGlassUses(): BreakGlassUses {
  let kept: readonly AuditNote[] = []
  return {
    note(use) {
      kept = [...kept, use].slice(-MOST_KEPT)
    },
    isWaiting: () => kept.length > 0,
    async write(store) {
      for (const use of kept) {
        await store.noteAudit(use)
        kept = kept.filter((one) => one !== use)
      }
    },
  }
}
