import {
  IMPORT_REFUSALS,
  type ImportedRow,
  type ImportRefusal,
  type RowToImport,
} from '../../store/devices/device-changes.ts'
import type { Store } from '../../store/store.ts'

/** Rows that are written together, or not at all. */
export const IMPORT_BATCH_ROWS = 500

export type ImportSummary = {
  /** Devices that were put on the list, that were changed, and that were so already. */
  readonly enrolled: number
  readonly applied: number
  readonly unchanged: number
  /** Rows of batches that were not written, because a row of theirs was refused. */
  readonly left: number
  readonly refused: readonly RefusedRow[]
}

export type RefusedRow = { readonly line: number; readonly refusal: ImportRefusal }

/**
 * Writes rows batch by batch, all of a batch or none of it. One that has a row whose device nobody knows,
 * or that could be several, is left out, and the next is gone on with. Doing it again changes nothing that was
 * done, and does what was left.
 *
 * Whoever calls it has the database at hand, so that nobody's consent is asked for.
 */
export async function importDevices(
  store: Pick<Store, 'importDevices'>,
  input: {
    readonly rows: readonly RowToImport[]
    readonly by: string
    readonly clock: () => Date
    /** Called after each batch with how many rows it has come to. */
    readonly onProgress: (rows: number) => void
    readonly signal: AbortSignal
  },
): Promise<ImportSummary> {
  const { rows, by, clock, onProgress, signal } = input
  const counts = { enrolled: 0, applied: 0, unchanged: 0, left: 0 }
  const refused: RefusedRow[] = []
  for (let at = 0; at < rows.length; at += IMPORT_BATCH_ROWS) {
    signal.throwIfAborted()
    const batch = rows.slice(at, at + IMPORT_BATCH_ROWS)
    const answers = await store.importDevices({ rows: batch, by, now: clock() })
    const wrong = answers.filter(isRefused)
    if (wrong.length > 0) {
      counts.left += batch.length
      refused.push(...wrong.map(({ line, outcome }) => ({ line, refusal: outcome })))
    }
    for (const { outcome } of answers) if (!isRefusal(outcome)) counts[outcome] += 1
    onProgress(Math.min(at + IMPORT_BATCH_ROWS, rows.length))
  }
  return { ...counts, refused }
}

function isRefused(row: ImportedRow): row is ImportedRow & { readonly outcome: ImportRefusal } {
  return isRefusal(row.outcome)
}

function isRefusal(outcome: ImportedRow['outcome']): outcome is ImportRefusal {
  return (IMPORT_REFUSALS as readonly string[]).includes(outcome)
}
