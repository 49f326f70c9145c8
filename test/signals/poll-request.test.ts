import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_ACKNOWLEDGED, MAX_POLLED_EVENTS } from '../../src/signals/limits.ts'
import { readPollRequest } from '../../src/signals/poll-request.ts'
import type { Json } from '../support/json.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

/** Witness: what the conformance suite sends. */
describeVectors('a poll of the conformance suite', () => {
  const { cases }: Json = vectorJson('ssf/stream-http-vectors.json')
  const bodies = cases.filter((one: Json) => one.endpoint === 'delivery.endpoint_url')

  test.each<Json>(bodies)('$case is read', ({ body }) => {
    const read = expectOk(readPollRequest(body))
    expect(read).toMatchObject({ maxEvents: body.maxEvents, acknowledged: body.ack ?? [] })
  })
})

describe('a poll', () => {
  test('of nothing asks for as many as there may be, and waits (RFC 8936 §2.2)', () => {
    expect(expectOk(readPollRequest({}))).toEqual({
      ...{ maxEvents: MAX_POLLED_EVENTS, returnImmediately: false, acknowledged: [], refused: [] },
    })
  })

  test('that asks for more than there may be gets that many', () => {
    expect(expectOk(readPollRequest({ maxEvents: 1e9 })).maxEvents).toBe(MAX_POLLED_EVENTS)
  })

  test('tells of tokens that it will not take (RFC 8936 §2.6)', () => {
    const setErrs = { a1: { err: 'invalid_key', description: 'x'.repeat(10_000) } }
    const [refused] = expectOk(readPollRequest({ setErrs })).refused
    expect(refused).toMatchObject({ tokenId: 'a1', error: 'invalid_key' })
    expect(refused?.description.length).toBeLessThan(1000)
  })

  test.each([
    [null, ''],
    ['text', ''],
    [{ maxEvents: -1 }, 'maxEvents'],
    [{ maxEvents: 1.5 }, 'maxEvents'],
    [{ returnImmediately: 'yes' }, 'returnImmediately'],
    [{ ack: 'a1' }, 'ack'],
    [{ ack: [''] }, 'ack.0'],
    [{ setErrs: { a1: 'invalid_key' } }, 'setErrs.a1'],
  ])('%j is refused, and the member named', (body, member) => {
    expect(expectRefusal(readPollRequest(body), 'poll_malformed')).toMatchObject({ member })
  })

  test('that acknowledges more than is read at once is refused whole, so that none is lost', () => {
    const ack = Array.from({ length: MAX_ACKNOWLEDGED + 1 }, (_, index) => `${index}`)
    expect(expectRefusal(readPollRequest({ ack }), 'poll_malformed')).toMatchObject({
      member: 'ack',
    })
  })

  test('is read or refused, whatever comes', () => {
    fc.assert(fc.property(fc.jsonValue(), (body) => void readPollRequest(body)))
  })
})
