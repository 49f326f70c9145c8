import { createHmac } from 'node:crypto'
import { fromBase64, toBase64, toUtf8 } from '../base/encoding.ts'
import { ALARMS, type AlarmName, type AlarmValue } from './alarms.ts'

/*
 * Webhooks by Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md): headers
 * `webhook-id`, `webhook-timestamp` and `webhook-signature`, and a payload of `type`, `timestamp` and `data`.
 */

/** How a destination is told apart from receivers of security events. */
export const WEBHOOK = 'webhook'

const SECRET_PREFIX = 'whsec_'
/** "Signature scheme": between 24 and 64 bytes. */
const LEAST_SECRET_BYTES = 24
const MOST_SECRET_BYTES = 64
/** What a secret of ours is made of. */
export const WEBHOOK_SECRET_BYTES = 32

/** `whsec_` and base64 of the bytes. */
export function describeSecret(bytes: Uint8Array): string {
  if (bytes.length < LEAST_SECRET_BYTES || bytes.length > MOST_SECRET_BYTES) {
    throw new TypeError('a secret has 24 to 64 bytes')
  }
  return SECRET_PREFIX + toBase64(bytes)
}

/** The bytes of a secret, with or without its prefix; `undefined` where it is none. */
export function readSecret(text: string): Uint8Array | undefined {
  const bare = text.startsWith(SECRET_PREFIX) ? text.slice(SECRET_PREFIX.length) : text
  const bytes = fromBase64(bare)
  const isLong = bytes !== undefined && bytes.length >= LEAST_SECRET_BYTES
  return isLong && bytes.length <= MOST_SECRET_BYTES ? bytes : undefined
}

/** The secrets of one destination: while one follows another, both sign. */
export type WebhookSecrets = {
  readonly current: string
  readonly previous: { readonly secret: string; readonly until: Date } | null
}

/** As they are sealed. */
export function writeWebhookSecrets({ current, previous }: WebhookSecrets): string {
  const before = previous && { secret: previous.secret, until: previous.until.toISOString() }
  return JSON.stringify({ current, previous: before })
}

/** What `writeWebhookSecrets` wrote. */
export function readWebhookSecrets(text: string): WebhookSecrets {
  const { current, previous } = JSON.parse(text)
  return {
    current: String(current),
    previous: previous && { secret: String(previous.secret), until: new Date(previous.until) },
  }
}

/** Those that sign at `now`, the newest first. */
export function secretsAt({ current, previous }: WebhookSecrets, now: Date): readonly string[] {
  return previous !== null && now < previous.until ? [current, previous.secret] : [current]
}

/**
 * The headers of one delivery: `v1` is HMAC-SHA256 over id, time and body, joined by full stops; one signature for
 * each secret, separated by a space. `at` is when it is sent, so that a retry has another time and the
 * same id. Throws TypeError for what is no secret.
 */
export function signWebhook(input: {
  readonly id: string
  readonly at: Date
  readonly body: string
  readonly secrets: readonly string[]
}): Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  const { id, at, body, secrets } = input
  if (id.includes('.')) throw new TypeError('an id of a webhook has no full stop')
  const timestamp = String(Math.floor(at.getTime() / 1000))
  const signed = toUtf8(`${id}.${timestamp}.${body}`)
  const signatures = secrets.map((secret) => {
    const key = readSecret(secret)
    if (key === undefined) throw new TypeError('no secret of a webhook')
    return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
  })
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
}

export const ALARM_STATES = ['raised', 'cleared'] as const

export type AlarmState = (typeof ALARM_STATES)[number]

/** What an alarm became, as it is put down to be told. */
export type AlarmEvent = {
  readonly name: AlarmName
  readonly subject: string
  readonly state: AlarmState
  readonly level: string
  /** ISO 8601: when it was raised, and when it became what it is. */
  readonly since: string
  readonly at: string
  readonly detail: Readonly<Record<string, AlarmValue>>
}

/** Reads what stands in the outbox; `undefined` for what another version has written. */
export function readAlarmEvent(payload: unknown): AlarmEvent | undefined {
  const { name, subject, state, level, since, at, detail } = Object(payload)
  const isAlarm = typeof name === 'string' && Object.hasOwn(ALARMS, name)
  const isWhole = [subject, level, since, at].every((text) => typeof text === 'string')
  if (!isAlarm || !isWhole || !ALARM_STATES.some((one) => one === state)) return undefined
  return { name: name as AlarmName, subject, state, level, since, at, detail: Object(detail) }
}

/** The body of a webhook about an alarm, in the words of this version. */
export function describeAlarmEvent(event: AlarmEvent, { issuer }: { readonly issuer: string }) {
  const { name, subject, state, level, since, at, detail } = event
  const { severity, summary, remedy } = ALARMS[name]
  return {
    type: `alarm.${state}`,
    timestamp: at,
    data: { alarm: name, subject, severity, level, since, summary, remedy, detail, issuer },
  }
}
