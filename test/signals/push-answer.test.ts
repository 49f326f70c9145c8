import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LAST_RETRY_MS, MAX_RETRY_AFTER_MS } from '../../src/signals/limits.ts'
import { pauseAfter, readPushAnswer } from '../../src/signals/push-answer.ts'

const kindOf = (status: number, body?: unknown) => readPushAnswer({ status, body }).kind

describe('an answer to a push', () => {
  test('of 202 is a delivery (RFC 8935 §2.2)', () => {
    expect(kindOf(202)).toBe('delivered')
  })

  test('of 400 refuses the token, with or without a reason (RFC 8935 §2.3)', () => {
    expect(
      readPushAnswer({ status: 400, body: { err: 'invalid_request', description: 'no' } }),
    ).toEqual({
      ...{ kind: 'refused', error: 'invalid_request', description: 'no' },
    })
    expect(kindOf(400)).toBe('refused')
    expect(kindOf(400, { err: 7 })).toBe('refused')
  })

  test.each([
    'invalid_key',
    'invalid_issuer',
    'invalid_audience',
    'authentication_failed',
    'access_denied',
  ])(
    'of 400 with %s is about the stream, and no token is given up for it (RFC 8935 §2.4)',
    (err) => {
      expect(kindOf(400, { err })).toBe('later')
    },
  )

  test.each([301, 302, 307, 401, 403, 404, 408, 410, 413, 429, 500, 502, 503])(
    'of %i says nothing against the token',
    (status) => {
      expect(kindOf(status)).toBe('later')
    },
  )

  test('whatever it says, is cut to a size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.jsonValue(), (status, body) => {
        const outcome = readPushAnswer({ status, body })
        expect(JSON.stringify(outcome).length).toBeLessThan(4096)
      }),
    )
    const err = 'x'.repeat(1_000_000)
    expect(JSON.stringify(readPushAnswer({ status: 400, body: { err } })).length).toBeLessThan(1000)
  })

  test('that asks for a pause gets one, but not for ever', () => {
    const asked = { status: 503, body: undefined, retryAfterSeconds: 120 }
    expect(readPushAnswer(asked)).toMatchObject({ kind: 'later', retryAfterMs: 120_000 })
    const far = readPushAnswer({ ...asked, retryAfterSeconds: 10_000_000 })
    expect(far).toMatchObject({ retryAfterMs: MAX_RETRY_AFTER_MS })
  })
})

test('pauses between tries double up to a longest one, never below what was asked for', () => {
  fc.assert(
    fc.property(
      ...[fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 0, max: 3_600_000 })],
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempts, asked, random) => {
        const pause = pauseAfter(attempts, undefined, random)
        expect(pause).toBeGreaterThanOrEqual(500)
        expect(pause).toBeLessThanOrEqual(LAST_RETRY_MS)
        expect(pauseAfter(attempts + 1, undefined, random)).toBeGreaterThanOrEqual(pause)
        expect(pauseAfter(attempts, asked, random)).toBeGreaterThanOrEqual(asked)
      },
    ),
  )
})
