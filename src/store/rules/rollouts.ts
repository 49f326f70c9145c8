import { and, asc, desc, eq } from 'drizzle-orm'
import type { DocumentHash } from '../../base/document-hash.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type {
  Rollout,
  RolloutHealth,
  RolloutPass,
  RolloutPlan,
  RolloutState,
} from '../../rollout/rollout.ts'
import { storableId } from '../devices/trust-records.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { isBefore, type ListPosition } from '../list-position.ts'
import { newRecordId } from '../record-id.ts'
import { rollout, rolloutObservation } from '../schema/steering-schema.ts'

/** Rollouts and their steps. Each change writes its audit row and its event, or nothing. */
export type Rollouts = {
  /**
   * `superseded`: another document than `from` is active, or than `beside` of the other kind; or
   * another rollout of this document was the last to halt than `despite`, which is '' for none and
   * notes there who released it all the same.
   * `another_open`: one rollout at a time. `unchanged`: `to` is active already.
   */
  readonly startRollout: (input: RolloutToStart) => Promise<RolloutStart>
  /**
   * Takes one step from the revision that it was decided on; `superseded`, and nothing is written,
   * if that is no more, or no rollout is open any more.
   */
  readonly stepRollout: (input: RolloutStepToTake) => Promise<RolloutStepAnswer>
  /** Keeps what a check found, for people and for the next step; changes no decision. */
  readonly recordRolloutHealth: (input: {
    readonly rolloutId: string
    readonly revision: number
    readonly health: RolloutHealth
  }) => Promise<'applied' | 'superseded'>
  /**
   * What one process saw of real questions in this pass and stage so far: the whole of it each time. A step
   * that stays in them, like a pause, takes it along to its revision.
   */
  readonly observeRollout: (input: RolloutObservation) => Promise<'applied' | 'superseded'>
  readonly rolloutObservations: (
    rolloutId: string,
    revision: number,
  ) => Promise<readonly Omit<RolloutObservation, 'rolloutId' | 'revision'>[]>
  readonly rollout: (rolloutId: string) => Promise<Rollout | null>
  /** The newest first. */
  readonly listRollouts: (limit: number, before?: ListPosition) => Promise<readonly Rollout[]>
  /** Those of a kind, or of one document, that halted: the last ones, the newest first. */
  readonly haltedRollouts: (kind: DocumentKind, to?: string) => Promise<readonly Rollout[]>
}

export type RolloutStart =
  | 'applied'
  | 'unchanged'
  | 'superseded'
  | 'another_open'
  | 'document_unknown'

export type RolloutStepAnswer = 'applied' | 'superseded' | 'rollout_unknown'

export type RolloutToStart = {
  readonly rolloutId: string
  readonly kind: DocumentKind
  readonly from: DocumentHash
  readonly to: DocumentHash
  /** The document of the other kind that has to be in force; `null` for none. */
  readonly beside: DocumentHash | null
  readonly despite?: string | undefined
  readonly plan: RolloutPlan
  readonly note: string
  readonly author: string
  readonly reason: string
  readonly now: Date
}

/** What happened, as audit log and event name it. */
export type RolloutAction =
  | 'entered'
  | 'promoted'
  | 'paused'
  | 'resumed'
  | 'halted'
  | 'reverted'
  | 'done'

export type RolloutStepToTake = {
  readonly rolloutId: string
  readonly revision: number
  readonly action: RolloutAction
  readonly state: RolloutState
  readonly pass: RolloutPass
  readonly stage: number
  readonly note: string
  readonly health: RolloutHealth | null
  readonly by: string
  readonly now: Date
}

export type RolloutObservation = {
  readonly rolloutId: string
  readonly revision: number
  /** The process that tells it. */
  readonly reporter: string
  readonly decisions: number
  /** Different devices. */
  readonly newlyDenied: number
  readonly examples: readonly string[]
  /** Devices by clause or other cause. */
  readonly causes: Readonly<Record<string, number>>
  readonly at: Date
}

const MOST_HALTED = 1000

const START = [
  'p_rollout_id',
  'p_kind',
  'p_from_hash',
  'p_to_hash',
  'p_beside',
  'p_despite',
  'p_plan',
  'p_note',
  'p_author',
  'p_reason',
  'p_at',
  'p_audit_id',
  'p_event_id',
] as const
const STEP = [
  'p_rollout_id',
  'p_revision',
  'p_action',
  'p_state',
  'p_pass',
  'p_stage',
  'p_note',
  'p_health',
  'p_by',
  'p_at',
  'p_audit_id',
  'p_event_id',
] as const
const HEALTH = ['p_rollout_id', 'p_revision', 'p_health'] as const
const OBSERVE = [
  'p_rollout_id',
  'p_revision',
  'p_reporter',
  'p_decisions',
  'p_newly_denied',
  'p_examples',
  'p_causes',
  'p_at',
] as const

export function prepareRollouts(db: Database): Rollouts {
  const changes = prepareRolloutChanges(db)
  return {
    ...changes,
    rolloutObservations: (rolloutId, revision) =>
      db
        .select({
          reporter: rolloutObservation.reporter,
          decisions: rolloutObservation.decisions,
          newlyDenied: rolloutObservation.newlyDenied,
          examples: rolloutObservation.examples,
          causes: rolloutObservation.causes,
          at: rolloutObservation.at,
        })
        .from(rolloutObservation)
        .where(
          and(
            eq(rolloutObservation.rolloutId, rolloutId),
            eq(rolloutObservation.revision, revision),
          ),
        )
        .orderBy(asc(rolloutObservation.reporter)),
    async rollout(rolloutId) {
      const [row] = await db.select().from(rollout).where(eq(rollout.rolloutId, rolloutId))
      return row === undefined ? null : toRollout(row)
    },
    async listRollouts(limit, before) {
      const rows = await db
        .select()
        .from(rollout)
        .where(before && isBefore(rollout.createdAt, rollout.rolloutId, before))
        .orderBy(desc(rollout.createdAt), desc(rollout.rolloutId))
        .limit(limit)
      return rows.map(toRollout)
    },
    async haltedRollouts(kind, to) {
      const isOf = to === undefined ? undefined : eq(rollout.toHash, storableId(to) as DocumentHash)
      const rows = await db
        .select()
        .from(rollout)
        .where(and(eq(rollout.state, 'halted'), eq(rollout.kind, kind), isOf))
        .orderBy(desc(rollout.updatedAt), desc(rollout.rolloutId))
        .limit(MOST_HALTED)
      return rows.map(toRollout)
    },
  }
}

function prepareRolloutChanges(
  db: Database,
): Pick<Rollouts, 'startRollout' | 'stepRollout' | 'recordRolloutHealth' | 'observeRollout'> {
  const start = prepareChange<(typeof START)[number], RolloutStart>(db, 'start_rollout', START)
  const step = prepareChange<(typeof STEP)[number], RolloutStepAnswer>(db, 'step_rollout', STEP)
  const health = prepareChange<(typeof HEALTH)[number], 'applied' | 'superseded'>(
    db,
    'record_rollout_health',
    HEALTH,
  )
  const observe = prepareChange<(typeof OBSERVE)[number], 'applied' | 'superseded'>(
    db,
    'observe_rollout',
    OBSERVE,
  )
  return {
    startRollout: (input) =>
      start({
        p_rollout_id: input.rolloutId,
        p_kind: input.kind,
        p_from_hash: input.from,
        p_to_hash: input.to,
        p_beside: input.beside,
        p_despite: input.despite ?? null,
        p_plan: encodeJson(input.plan),
        p_note: encodeText(input.note),
        p_author: encodeText(input.author),
        p_reason: encodeText(input.reason),
        p_at: input.now.toISOString(),
        p_audit_id: newRecordId(input.now),
        p_event_id: newRecordId(input.now),
      }),
    stepRollout: (input) =>
      step({
        p_rollout_id: input.rolloutId,
        p_revision: input.revision,
        p_action: `rollout.${input.action}`,
        p_state: input.state,
        p_pass: input.pass,
        p_stage: input.stage,
        p_note: encodeText(input.note),
        p_health: input.health === null ? null : encodeJson(input.health),
        p_by: encodeText(input.by),
        p_at: input.now.toISOString(),
        p_audit_id: newRecordId(input.now),
        p_event_id: newRecordId(input.now),
      }),
    recordRolloutHealth: (input) =>
      health({
        p_rollout_id: input.rolloutId,
        p_revision: input.revision,
        p_health: encodeJson(input.health),
      }),
    observeRollout: (input) =>
      observe({
        p_rollout_id: input.rolloutId,
        p_revision: input.revision,
        p_reporter: input.reporter,
        p_decisions: input.decisions,
        p_newly_denied: input.newlyDenied,
        p_examples: encodeJson(input.examples),
        p_causes: encodeJson(input.causes),
        p_at: input.at.toISOString(),
      }),
  }
}

export function toRollout({
  fromHash: from,
  toHash: to,
  besideHash: beside,
  ...row
}: typeof rollout.$inferSelect): Rollout {
  return { ...row, from, to, beside }
}
