import { asc, sql } from 'drizzle-orm'
import {
  type AlarmName,
  type AlarmValue,
  isAlarmName,
  type StandingAlarm,
} from '../../alerts/alarms.ts'
import { callOf, type Database, onlyRow, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { alarm } from '../schema/signal-schema.ts'

/** What is wrong now, and where that is told: destinations are streams that carry alarms. */
export type Alarms = {
  /** Those that this version knows, the oldest first. */
  readonly standingAlarms: () => Promise<readonly StandingAlarm[]>
  /**
   * Raises alarms, keeps what else is known of them, and clears them. What is news leaves for every destination that
   * wants it, with the change and its audit row; what another process told before is no news. Answers how many were.
   */
  readonly changeAlarms: (input: AlarmChange) => Promise<number>
  /** Makes a destination. `too_many_streams`: there are `most` already. */
  readonly createWebhook: (input: WebhookToCreate) => Promise<'applied' | 'too_many_streams'>
  /** Gives a destination other secrets, from the revision that they were made from. */
  readonly setWebhookSecrets: (
    input: WebhookSecretsToSet,
  ) => Promise<'applied' | 'superseded' | 'stream_unknown'>
}

type RaisedAlarm = Omit<StandingAlarm, 'since'>

export type AlarmChange = {
  readonly raised: readonly RaisedAlarm[]
  readonly renewed: readonly RaisedAlarm[]
  readonly cleared: readonly Pick<StandingAlarm, 'name' | 'subject'>[]
  readonly by: string
  readonly now: Date
}

export type WebhookToCreate = {
  readonly streamId: string
  readonly url: string
  /** Sealed with the master secret. */
  readonly sealedSecrets: string
  /** Those that it hears of; all of them where none is named. */
  readonly alarms: readonly AlarmName[]
  readonly description: string | null
  readonly most: number
  readonly by: string
  readonly now: Date
}

export type WebhookSecretsToSet = Pick<
  WebhookToCreate,
  'streamId' | 'sealedSecrets' | 'by' | 'now'
> & {
  readonly revision: number
  /** Whether another secret signs from now on; else the same were sealed anew. */
  readonly isRotation: boolean
}

const CHANGE = ['p_raised', 'p_renewed', 'p_cleared', 'p_by', 'p_at'] as const
const CREATE = [
  ...(['p_stream_id', 'p_url', 'p_sealed_secrets', 'p_alarms', 'p_description', 'p_most'] as const),
  ...(['p_at', 'p_by', 'p_audit_id'] as const),
] as const
const SET = [
  ...(['p_stream_id', 'p_revision', 'p_sealed_secrets', 'p_is_rotation'] as const),
  ...(['p_at', 'p_by', 'p_audit_id'] as const),
] as const

export function prepareAlarms(db: Database): Alarms {
  const standing = db.select().from(alarm).orderBy(asc(alarm.since)).prepare('standing_alarms')
  const change = db
    .select({ told: sql<number>`told` })
    .from(sql`${callOf('change_alarms', CHANGE)} as told`)
    .prepare('change_alarms')
  const create = prepareChange<(typeof CREATE)[number], 'applied' | 'too_many_streams'>(
    ...([db, 'create_webhook', CREATE] as const),
  )
  const set = prepareChange<(typeof SET)[number], 'applied' | 'superseded' | 'stream_unknown'>(
    ...([db, 'set_webhook_secrets', SET] as const),
  )
  return {
    async standingAlarms() {
      return (await standing.execute()).flatMap(({ name, detail, ...rest }) =>
        isAlarmName(name) ? [{ ...rest, name, detail: Object(detail) as Detail }] : [],
      )
    },
    async changeAlarms({ raised, renewed, cleared, by, now }) {
      if (raised.length + renewed.length + cleared.length === 0) return 0
      const named = ({ name, subject }: Pick<StandingAlarm, 'name' | 'subject'>) => {
        return { name, subject, event_id: newRecordId(now), audit_id: newRecordId(now) }
      }
      const rows = (alarms: readonly RaisedAlarm[]) =>
        encodeJson(
          alarms.map((one) => {
            const { level, detail, until } = one
            return { ...named(one), level, detail, until: until?.toISOString() ?? null }
          }),
        )
      const { told } = onlyRow(
        await change.execute({
          ...{ p_raised: rows(raised), p_renewed: rows(renewed) },
          ...{ p_cleared: encodeJson(cleared.map(named)), p_by: encodeText(by) },
          p_at: now.toISOString(),
        }),
      )
      return told
    },
    createWebhook: ({ streamId, url, sealedSecrets, alarms, description, most, by, now }) =>
      create({
        ...{ p_stream_id: streamId, p_url: encodeText(url), p_sealed_secrets: sealedSecrets },
        ...{ p_alarms: encodeJson([...alarms]), p_most: most },
        p_description: description === null ? null : encodeText(description),
        ...{ p_at: now.toISOString(), p_by: encodeText(by), p_audit_id: newRecordId(now) },
      }),
    setWebhookSecrets: ({ streamId, revision, sealedSecrets, isRotation, by, now }) =>
      set({
        ...{ p_stream_id: streamId, p_revision: revision, p_sealed_secrets: sealedSecrets },
        p_is_rotation: isRotation,
        ...{ p_at: now.toISOString(), p_by: encodeText(by), p_audit_id: newRecordId(now) },
      }),
  }
}

type Detail = Readonly<Record<string, AlarmValue>>
