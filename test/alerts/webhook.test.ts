import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import {
  describeAlarmEvent,
  describeSecret,
  readAlarmEvent,
  readSecret,
  readWebhookSecrets,
  secretsAt,
  signWebhook,
  writeWebhookSecrets,
} from '../../src/alerts/webhook.ts'

/*
 * The witnesses: the vector that the test suites of the Standard Webhooks libraries share (`sign function works`), and
 * their library for JavaScript, `standardwebhooks`.
 */

const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  at: new Date(1_614_265_330_000),
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}
const now = new Date()
const OTHER = describeSecret(new Uint8Array(32).fill(7))

describe('a signature', () => {
  test('is that of the vector of Standard Webhooks, with the prefix of the secret or without', () => {
    const { secret, signature, ...message } = VECTOR
    for (const written of [secret, secret.slice('whsec_'.length)]) {
      expect(signWebhook({ ...message, secrets: [written] })).toEqual({
        'webhook-id': message.id,
        'webhook-timestamp': '1614265330',
        'webhook-signature': signature,
      })
    }
  })

  test('of each of two secrets is taken by the library of either, and of none but these', () => {
    const message = { id: 'evt_1', at: now, body: '{"type":"alarm.raised"}' }
    const headers = signWebhook({ ...message, secrets: [VECTOR.secret, OTHER] })
    for (const secret of [VECTOR.secret, OTHER]) {
      expect(new Webhook(secret).verify(message.body, headers)).toEqual({ type: 'alarm.raised' })
    }
    const third = describeSecret(new Uint8Array(32).fill(8))
    expect(() => new Webhook(third).verify(message.body, headers)).toThrow()
    expect(() => new Webhook(OTHER).verify(`${message.body} `, headers)).toThrow()
  })

  test('is what the library signs the same message with', () => {
    const { secret, ...message } = VECTOR
    const signed = new Webhook(secret).sign(message.id, message.at, message.body)
    const { 'webhook-signature': ours } = signWebhook({ ...message, secrets: [secret] })
    expect(ours).toBe(signed)
  })

  test('is none of an id that would be another message with its time', () => {
    const message = { ...VECTOR, id: 'a.b', secrets: [VECTOR.secret] }
    expect(() => signWebhook(message)).toThrow(TypeError)
  })
})

describe('a secret', () => {
  test('is of 24 to 64 bytes', () => {
    for (const [bytes, isOne] of [
      [23, false],
      [24, true],
      [64, true],
      [65, false],
    ] as const) {
      const text = `whsec_${Buffer.alloc(bytes, 1).toString('base64')}`
      expect(readSecret(text) !== undefined, text).toBe(isOne)
    }
    expect(readSecret('whsec_not base64')).toBeUndefined()
    expect(() => describeSecret(new Uint8Array(16))).toThrow(TypeError)
    expect(() => signWebhook({ ...VECTOR, secrets: ['whsec_AAAA'] })).toThrow(TypeError)
  })

  test('before signs beside the one of now until its end, and not then', () => {
    const until = new Date(now.getTime() + 1000)
    const secrets = { current: OTHER, previous: { secret: VECTOR.secret, until } }
    expect(readWebhookSecrets(writeWebhookSecrets(secrets))).toEqual(secrets)
    expect(secretsAt(secrets, now)).toEqual([OTHER, VECTOR.secret])
    expect(secretsAt(secrets, until)).toEqual([OTHER])
    const only = { current: OTHER, previous: null }
    expect(readWebhookSecrets(writeWebhookSecrets(only))).toEqual(only)
  })
})

describe('an event', () => {
  const event = {
    ...{ name: 'rollout_halted', subject: 'rol_1', state: 'raised', level: '' },
    ...{ since: '2026-03-01T12:00:00.000Z', at: '2026-03-01T12:00:01.000Z', detail: { to: 'x' } },
  }

  test('has type, timestamp and data, with what to do', () => {
    const read = readAlarmEvent(event)
    if (read === undefined) throw new TypeError('it is one')
    const told = describeAlarmEvent(read, { issuer: 'https://c.example' })
    expect(told).toMatchObject({
      type: 'alarm.raised',
      timestamp: event.at,
      data: {
        ...{ alarm: 'rollout_halted', subject: 'rol_1', severity: 'warning' },
        ...{ detail: { to: 'x' }, issuer: 'https://c.example' },
        remedy: expect.stringContaining('rollout show'),
      },
    })
  })

  test.each([{ name: 'of_another_version' }, { state: 'gone' }, { subject: 7 }, { since: null }])(
    'that this version does not know is none: %j',
    (change) => expect(readAlarmEvent({ ...event, ...change })).toBeUndefined(),
  )
})
