import { z } from 'zod'
import { err, ok, type Result } from '../base/result.ts'
import {
  MAX_AUTHORIZATION_CHARS,
  MAX_EVENTS_REQUESTED,
  MAX_STATE_CHARS,
  MAX_STREAM_TEXT_CHARS,
} from './limits.ts'
import { type Delivery, POLL, PUSH, STREAM_STATUSES, type StreamStatus } from './stream.ts'

export const STREAM_REQUEST_REASONS = [
  'stream_malformed',
  'stream_push_url_refused',
  /** A member that we set was sent back with another value. */
  'stream_member_foreign',
] as const

/** `member` is the path of the one that is wrong; empty for the body as a whole. */
export type StreamRequestFailure = {
  readonly reason: (typeof STREAM_REQUEST_REASONS)[number]
  readonly member: string
}

/** What a receiver may set. Absent members are left as they are by an update. */
export type StreamSettings = {
  readonly delivery?: Delivery
  readonly eventsRequested?: readonly string[]
  readonly description?: string
}

const text = z.string().min(1).max(MAX_STREAM_TEXT_CHARS)
/** Visible ASCII and single spaces inside: what may stand in a header (RFC 9110 §5.5). */
const header = z
  .string()
  .max(MAX_AUTHORIZATION_CHARS)
  .regex(/^[!-~]+(?: [!-~]+)*$/)

const delivery = z.discriminatedUnion('method', [
  z.object({
    method: z.literal(PUSH),
    endpoint_url: text,
    authorization_header: header.optional(),
  }),
  // The URL of a poll is ours to say; clients send back what they were told.
  z.object({ method: z.literal(POLL) }),
])

const settings = {
  delivery: delivery.optional(),
  events_requested: z.array(text).max(MAX_EVENTS_REQUESTED).optional(),
  description: z.string().max(MAX_STREAM_TEXT_CHARS).optional(),
}

/** What makes a stream. */
export const streamToCreateBody = z.object(settings)
/** What changes one, or replaces what its receiver set. */
export const streamToChangeBody = z.object({ stream_id: text, ...settings })

/**
 * Reads the body of a request that makes a stream (SSF 1.0 §8.1.1.1); without a delivery it is polled.
 * Members that are not a receiver's to set are passed over.
 */
export function readStreamToCreate(
  body: unknown,
): Result<
  Required<Pick<StreamSettings, 'delivery' | 'eventsRequested'>> & StreamSettings,
  StreamRequestFailure
> {
  const read = streamToCreateBody.safeParse(body)
  if (!read.success) return err(describe(read.error))
  const settings = settingsOf(read.data)
  if (!settings.ok) return settings
  return ok({ delivery: { method: POLL }, eventsRequested: [], ...settings.value })
}

/**
 * Reads the body of a request that updates or replaces a stream (SSF 1.0 §8.1.1.3, §8.1.1.4). `sent` is all
 * of it, for `checkOwnMembers` once the stream is at hand.
 */
export function readStreamToChange(
  body: unknown,
): Result<
  { readonly streamId: string; readonly settings: StreamSettings; readonly sent: object },
  StreamRequestFailure
> {
  const read = streamToChangeBody.safeParse(body)
  if (!read.success) return err(describe(read.error))
  const settings = settingsOf(read.data)
  if (!settings.ok) return settings
  return ok({ streamId: read.data.stream_id, settings: settings.value, sent: Object(body) })
}

/** The members that only the transmitter sets. */
const OURS = [
  'iss',
  'aud',
  'events_supported',
  'events_delivered',
  'min_verification_interval',
] as const

/** Whether what was sent of our own members is what the receiver was told (SSF 1.0 §8.1.1.3). */
export function checkOwnMembers(
  sent: object,
  told: Readonly<Record<string, unknown>>,
): Result<void, StreamRequestFailure> {
  const members: Readonly<Record<string, unknown>> = { ...sent }
  const foreign = OURS.find((name) => {
    return name in members && JSON.stringify(members[name]) !== JSON.stringify(told[name])
  })
  return foreign === undefined
    ? ok(undefined)
    : err({ reason: 'stream_member_foreign', member: foreign })
}

type Sent = z.infer<typeof streamToCreateBody>

function settingsOf(sent: Sent): Result<StreamSettings, StreamRequestFailure> {
  const delivery = sent.delivery === undefined ? ok(undefined) : deliveryOf(sent.delivery)
  if (!delivery.ok) return delivery
  return ok({
    ...(delivery.value !== undefined && { delivery: delivery.value }),
    ...(sent.events_requested !== undefined && {
      eventsRequested: [...new Set(sent.events_requested)],
    }),
    ...(sent.description !== undefined && { description: sent.description }),
  })
}

function deliveryOf(sent: z.infer<typeof delivery>): Result<Delivery, StreamRequestFailure> {
  if (sent.method === POLL) return ok({ method: POLL })
  const { endpoint_url: url, authorization_header: authorization = null } = sent
  if (!isPushUrl(url))
    return err({ reason: 'stream_push_url_refused', member: 'delivery.endpoint_url' })
  return ok({ method: PUSH, url, authorization })
}

/**
 * TLS alone, without a name and password in it and without a fragment (RFC 8935 §3). Where the name leads is
 * looked at with each connection, since it may lead elsewhere by then.
 */
export function isPushUrl(url: string): boolean {
  const parsed = URL.parse(url)
  if (parsed === null || parsed.protocol !== 'https:') return false
  return parsed.username === '' && parsed.password === '' && parsed.hash === ''
}

function describe(error: z.ZodError): StreamRequestFailure {
  return { reason: 'stream_malformed', member: error.issues[0]?.path.join('.') ?? '' }
}

/** What changes the status of one. */
export const statusBody = z.object({
  stream_id: text,
  status: z.enum(STREAM_STATUSES),
  reason: z.string().max(MAX_STREAM_TEXT_CHARS).optional(),
})

/** Reads a change of the status of a stream (SSF 1.0 §8.1.2.2). */
export function readStatusChange(
  body: unknown,
): Result<
  { readonly streamId: string; readonly status: StreamStatus; readonly reason: string | null },
  StreamRequestFailure
> {
  const read = statusBody.safeParse(body)
  if (!read.success) return err(describe(read.error))
  const { stream_id: streamId, status, reason = null } = read.data
  return ok({ streamId, status, reason })
}

/** What asks for a verification event. */
export const verificationBody = z.object({
  stream_id: text,
  state: z.string().max(MAX_STATE_CHARS).optional(),
})

/** Reads a request for a verification event, which must carry `state` back exactly (SSF 1.0 §8.1.4.2). */
export function readVerification(
  body: unknown,
): Result<{ readonly streamId: string; readonly state: string | undefined }, StreamRequestFailure> {
  const read = verificationBody.safeParse(body)
  if (!read.success) return err(describe(read.error))
  return ok({ streamId: read.data.stream_id, state: read.data.state })
}
