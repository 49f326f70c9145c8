import { and, asc, eq, sql } from 'drizzle-orm'
import { WEBHOOK } from '../../alerts/webhook.ts'
import type { DeviceEventType } from '../../signals/event-types.ts'
import { STATE, type StateTarget, targetOfName } from '../../signals/state-target.ts'
import { POLL, PUSH, type Stream, type StreamStatus } from '../../signals/stream.ts'
import type { SubjectForm } from '../../signals/subject.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { stream } from '../schema/signal-schema.ts'

/** Where relying parties want to be told. A receiver sees and changes its own streams alone. */
export type Streams = {
  readonly createStream: (input: StreamToCreate) => Promise<'applied' | 'too_many_streams'>
  readonly changeStream: (
    input: StreamToChange,
  ) => Promise<'applied' | 'superseded' | 'stream_unknown'>
  readonly setStreamStatus: (
    input: StatusToSet,
  ) => Promise<'applied' | 'unchanged' | 'stream_unknown'>
  readonly removeStream: (input: StreamOfClient & Change) => Promise<'applied' | 'stream_unknown'>
  readonly findStream: (input: {
    readonly streamId: string
    readonly clientId: string
  }) => Promise<StoredStream | null>
  readonly streamsOf: (clientId: string) => Promise<readonly StoredStream[]>
  /** All of them, oldest first: there are few. */
  readonly listStreams: () => Promise<readonly StoredStream[]>
  /** Has a receiver hear nothing more of a subject, or hear of it again. */
  readonly excludeSubject: (
    input: SubjectToExclude,
  ) => Promise<'applied' | 'unchanged' | 'stream_unknown' | 'too_many_subjects'>
  /** Puts an event about a stream itself into its own lane. */
  readonly announceToStream: (
    input: StreamEvent,
  ) => Promise<'applied' | 'stream_unknown' | 'too_soon'>
}

/** A stream as it is kept, with how deliveries go. The header of a push is sealed. */
export type StoredStream = Omit<Stream, 'delivery'> & {
  readonly delivery:
    | {
        readonly method: typeof PUSH
        readonly url: string
        readonly sealedAuthorization: string | null
      }
    | { readonly method: typeof POLL }
    | { readonly method: typeof STATE; readonly target: StateTarget }
    | { readonly method: typeof WEBHOOK; readonly url: string; readonly sealedSecrets: string }
  readonly revision: number
  readonly createdAt: Date
  readonly deliveredAt: Date | null
  /** Absent while deliveries arrive. */
  readonly failing: {
    readonly since: Date
    readonly failure: string
    readonly retryAt: Date
  } | null
}

type Change = { readonly by: string; readonly now: Date }

/** `clientId` is null where it is no receiver that asks. */
type StreamOfClient = { readonly streamId: string; readonly clientId: string | null }

export type StreamToCreate = Change & {
  readonly streamId: string
  readonly clientId: string
  readonly audience: string
  readonly delivery: StoredStream['delivery']
  readonly eventsRequested: readonly string[]
  readonly eventsDelivered: readonly DeviceEventType[]
  readonly description: string | null
  readonly subjectForm: SubjectForm
  /** How many a client may have. */
  readonly most: number
}

export type StreamToChange = Change &
  Pick<StreamToCreate, 'streamId' | 'clientId' | 'delivery' | 'eventsRequested'> &
  Pick<StreamToCreate, 'eventsDelivered' | 'description'> & {
    /** The revision that the change was made from. */
    readonly revision: number
  }

export type StatusToSet = StreamOfClient &
  Change & {
    readonly status: StreamStatus
    readonly reason: string | null
    /** Only while it has been failing since then. */
    readonly failingSince?: Date | undefined
  }

export type SubjectToExclude = Change & {
  readonly streamId: string
  readonly clientId: string
  /** Null for any; one of the two is not. */
  readonly deviceId: string | null
  readonly owner: string | null
  readonly excluded: boolean
  /** How many a stream may leave out. */
  readonly most: number
}

export type StreamEvent = StreamOfClient & {
  readonly type: 'verification' | 'stream-updated' | 'test'
  readonly payload: Json
  /** Refused while one was asked for less than so long ago; 0 for what nobody asked for. */
  readonly intervalMs: number
  readonly now: Date
}

const SETTINGS = [
  ...['p_push_url', 'p_sealed_authorization', 'p_events_requested'],
  ...['p_events_delivered', 'p_description'],
] as const
const CHANGE = ['p_at', 'p_by', 'p_audit_id'] as const
const CREATE = [
  ...['p_stream_id', 'p_client_id', 'p_audience', 'p_subject_form', 'p_most'],
  ...[...SETTINGS, ...CHANGE],
] as const
const ALTER = ['p_stream_id', 'p_client_id', 'p_revision', ...SETTINGS, ...CHANGE] as const
const STATUS = [
  ...['p_stream_id', 'p_client_id', 'p_status', 'p_reason', 'p_failing_since'],
  ...CHANGE,
] as const
const REMOVE = ['p_stream_id', 'p_client_id', ...CHANGE] as const
const EXCLUDE = [
  ...['p_stream_id', 'p_client_id', 'p_device_id', 'p_owner', 'p_excluded', 'p_most'],
  ...CHANGE,
] as const
const ANNOUNCE = [
  ...['p_stream_id', 'p_client_id', 'p_event_id', 'p_type', 'p_payload', 'p_interval_ms', 'p_at'],
] as const

export function prepareStreams(db: Database): Streams {
  const create = prepareChange<string, 'applied' | 'too_many_streams'>(db, 'create_stream', CREATE)
  const change = prepareChange<string, 'applied' | 'superseded' | 'stream_unknown'>(
    ...([db, 'change_stream', ALTER] as const),
  )
  const status = prepareChange<string, 'applied' | 'unchanged' | 'stream_unknown'>(
    ...([db, 'set_stream_status', STATUS] as const),
  )
  const remove = prepareChange<string, 'applied' | 'stream_unknown'>(db, 'remove_stream', REMOVE)
  const announce = prepareChange<string, 'applied' | 'stream_unknown' | 'too_soon'>(
    ...([db, 'announce_to_stream', ANNOUNCE] as const),
  )
  const exclude = prepareChange<
    string,
    'applied' | 'unchanged' | 'stream_unknown' | 'too_many_subjects'
  >(...([db, 'exclude_subject', EXCLUDE] as const))
  return {
    ...prepareReads(db),
    excludeSubject: ({ streamId, clientId, deviceId, owner, excluded, most, ...by }) =>
      exclude({
        ...{ p_stream_id: streamId, p_client_id: clientId, p_excluded: excluded, p_most: most },
        ...{ p_device_id: deviceId ?? '', p_owner: encodeText(owner ?? '') },
        ...changeOf(by),
      }),
    createStream: (input) =>
      create({
        ...{ p_stream_id: input.streamId, p_client_id: input.clientId },
        ...{ p_audience: encodeText(input.audience), p_subject_form: input.subjectForm },
        ...{ p_most: input.most, ...settingsOf(input), ...changeOf(input) },
      }),
    changeStream: (input) =>
      change({
        ...{ p_stream_id: input.streamId, p_client_id: input.clientId, p_revision: input.revision },
        ...{ ...settingsOf(input), ...changeOf(input) },
      }),
    setStreamStatus: ({ streamId, clientId, status: to, reason, failingSince, ...by }) =>
      status({
        ...{ p_stream_id: streamId, p_client_id: clientId, p_status: to },
        p_reason: reason === null ? null : encodeText(reason),
        p_failing_since: failingSince?.toISOString() ?? null,
        ...changeOf(by),
      }),
    removeStream: ({ streamId, clientId, ...by }) =>
      remove({ p_stream_id: streamId, p_client_id: clientId, ...changeOf(by) }),
    announceToStream: ({ streamId, clientId, type, payload, intervalMs, now }) =>
      announce({
        ...{ p_stream_id: streamId, p_client_id: clientId, p_type: type },
        ...{ p_event_id: newRecordId(now), p_payload: encodeJson(payload) },
        ...{ p_interval_ms: intervalMs, p_at: now.toISOString() },
      }),
  }
}

function settingsOf(
  input: Omit<StreamToChange, 'revision' | 'by' | 'now' | 'streamId' | 'clientId'>,
) {
  const { delivery, eventsRequested, eventsDelivered, description } = input
  const isPushed = delivery.method === PUSH
  return {
    p_push_url: isPushed ? encodeText(delivery.url) : null,
    p_sealed_authorization: isPushed ? delivery.sealedAuthorization : null,
    p_events_requested: encodeJson([...eventsRequested]),
    p_events_delivered: encodeJson([...eventsDelivered]),
    p_description: description === null ? null : encodeText(description),
  }
}

function changeOf({ by, now }: Change) {
  return { p_at: now.toISOString(), p_by: encodeText(by), p_audit_id: newRecordId(now) }
}

function prepareReads(db: Database): Pick<Streams, 'findStream' | 'streamsOf' | 'listStreams'> {
  const select = () => db.select().from(stream)
  const ofClient = eq(stream.clientId, sql.placeholder('clientId'))
  const one = select()
    .where(and(eq(stream.streamId, sql.placeholder('streamId')), ofClient))
    .prepare('find_stream')
  const own = select().where(ofClient).orderBy(asc(stream.createdAt)).prepare('streams_of')
  const all = select().orderBy(asc(stream.createdAt)).prepare('list_streams')
  return {
    async findStream(input) {
      const row = (await one.execute(input)).at(0)
      return row === undefined ? null : streamOf(row)
    },
    streamsOf: async (clientId) => (await own.execute({ clientId })).map(streamOf),
    listStreams: async () => (await all.execute()).map(streamOf),
  }
}

function streamOf(row: typeof stream.$inferSelect): StoredStream {
  const { statusReason, failingSince, failure, retryAt } = row
  const { streamId, clientId, audience, eventsRequested, eventsDelivered, description } = row
  const { subjectForm, status, revision, createdAt, deliveredAt } = row
  return {
    ...{ streamId, clientId, audience, eventsRequested, eventsDelivered, description },
    ...{ subjectForm, status, reason: statusReason, revision, createdAt, deliveredAt },
    delivery: deliveryOf(row),
    failing:
      failingSince === null || failure === null || retryAt === null
        ? null
        : { since: failingSince, failure, retryAt },
  }
}

/** Processes of versions before take a stream of states, or of alarms, for one that is polled, and leave it alone. */
function deliveryOf({
  clientId,
  pushUrl,
  sealedAuthorization,
  webhookUrl,
  sealedSecrets,
}: typeof stream.$inferSelect): StoredStream['delivery'] {
  if (webhookUrl !== null && sealedSecrets !== null) {
    return { method: WEBHOOK, url: webhookUrl, sealedSecrets }
  }
  if (pushUrl !== null) return { method: PUSH, url: pushUrl, sealedAuthorization }
  const target = targetOfName(clientId)
  return target === undefined ? { method: POLL } : { method: STATE, target }
}
