import { sql } from 'drizzle-orm'
import type { Verdict } from '../../access/trust-record.ts'
import { callOf, type Database, onlyRow } from '../drivers/database.ts'
import { encodeJson, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'

/** What others are told when nobody came by whose change it is. */
export type Announcements = {
  /**
   * Puts one event for each change into the outbox and notes that others were told: both or neither.
   * A change is told once, however often and by however many processes it is found: only where
   * others were told `previous` last, and the device has not attested since. Answers how many were
   * told, or `superseded` and tells nothing if the control revision is another one by now.
   */
  readonly announceVerdicts: (input: {
    readonly changes: readonly VerdictChange[]
    /** Of the control that the verdicts were derived under. */
    readonly revision: number
    readonly now: Date
  }) => Promise<number | 'superseded'>
  /**
   * Notes which clauses devices do not meet, for whoever looks for them; not of a device that has attested
   * since it was looked at. Answers how many were changed, or `superseded` and changes nothing if the
   * control revision is another one by now.
   */
  readonly noteUnmet: (input: {
    readonly changes: readonly UnmetChange[]
    readonly revision: number
  }) => Promise<number | 'superseded'>
}

export type UnmetChange = {
  readonly deviceId: string
  /** Of the evidence that was looked at. */
  readonly attestationId: string | null
  /** Ids of clauses of any severity, in their order. */
  readonly unmet: readonly string[]
}

export type VerdictChange = {
  readonly deviceId: string
  /** What others were told last when the device was looked at. */
  readonly previous: Verdict
  readonly verdict: Verdict
  readonly reasons: readonly Json[]
  /** Of the evidence that was looked at. */
  readonly attestationId: string | null
  /** Ids of the clauses that it does not meet: noted with the change. */
  readonly unmet: readonly string[]
}

const NOTE = ['p_changes', 'p_revision'] as const
const ANNOUNCE = ['p_changes', 'p_revision', 'p_at'] as const

export function prepareAnnouncements(db: Database): Announcements {
  const announce = db
    .select({ told: sql<number | null>`told` })
    .from(sql`${callOf('announce_verdicts', ANNOUNCE)} as told`)
    .prepare('announce_verdicts')
  const note = db
    .select({ changed: sql<number | null>`changed` })
    .from(sql`${callOf('note_unmet', NOTE)} as changed`)
    .prepare('note_unmet')
  return {
    async noteUnmet({ changes, revision }) {
      const named = changes.map(({ deviceId, attestationId, unmet }) => {
        return { device_id: deviceId, attestation_id: attestationId, unmet }
      })
      const args = { p_changes: encodeJson(named), p_revision: revision }
      return onlyRow(await note.execute(args)).changed ?? 'superseded'
    },
    async announceVerdicts({ changes, revision, now }) {
      const named = changes.map(({ deviceId, attestationId, unmet, ...change }) => ({
        ...{ device_id: deviceId, attestation_id: attestationId, event_id: newRecordId(now) },
        clauses: unmet,
        ...change,
      }))
      const { told } = onlyRow(
        await announce.execute({
          p_changes: encodeJson(named),
          p_revision: revision,
          p_at: now.toISOString(),
        }),
      )
      return told ?? 'superseded'
    },
  }
}
