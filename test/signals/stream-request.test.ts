import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deviceEventsIn } from '../../src/signals/event-types.ts'
import { describeStream, POLL, PUSH, type Stream } from '../../src/signals/stream.ts'
import {
  checkOwnMembers,
  readStatusChange,
  readStreamToChange,
  readStreamToCreate,
  readVerification,
} from '../../src/signals/stream-request.ts'
import type { Json } from '../support/json.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

const URL_OF_RECEIVER = 'https://receiver.example.com/events'

/** Witness: the examples of SSF 1.0. */
describeVectors('a request of the examples', () => {
  const { examples }: Json = vectorJson('ssf/ssf-1_0-examples.json')
  const bodyOf = (id: string): Json => {
    const { text } = examples.find((one: Json) => one.id === id)
    return JSON.parse(text.slice(text.indexOf('\n{')))
  }

  test('to create a stream is read (§8.1.1.1)', () => {
    const body = bodyOf('figcreatestreamreq')
    expect(expectOk(readStreamToCreate(body))).toEqual({
      delivery: { method: PUSH, url: URL_OF_RECEIVER, authorization: null },
      eventsRequested: body.events_requested,
      description: body.description,
    })
  })

  test('to update or replace one is read (§8.1.1.3, §8.1.1.4)', () => {
    const update = expectOk(readStreamToChange(bodyOf('figupdateconfigreq')))
    expect(update.settings).not.toHaveProperty('delivery')
    const replacement = expectOk(readStreamToChange(bodyOf('figreplaceconfigreq')))
    expect(replacement.settings.delivery).toMatchObject({ method: PUSH })
    expect(update.streamId).toBe('f67e39a0a4d34d56b3aa1bc4cff0069f')
  })

  test('to change its status, or to verify it, is read (§8.1.2.2, §8.1.4.2)', () => {
    const change = expectOk(readStatusChange(bodyOf('figupdatestatuswithreasonreq')))
    expect(change).toMatchObject({ status: 'paused', reason: 'Disabled by administrator action.' })
    expect(expectOk(readStatusChange(bodyOf('figupdatestatusreq'))).reason).toBeNull()
    const { state } = bodyOf('figverifyreq')
    expect(expectOk(readVerification(bodyOf('figverifyreq'))).state).toBe(state)
  })

  test('is answered with the members of the example (§8.1.1.1)', () => {
    const stream: Stream = {
      ...{ streamId: 's', clientId: 'c', audience: 'https://receiver.example.com/web' },
      ...{ delivery: { method: PUSH, url: URL_OF_RECEIVER, authorization: 'Bearer secret' } },
      ...{ eventsRequested: ['urn:x'], eventsDelivered: [], description: 'd' },
      ...{ subjectForm: 'device', status: 'enabled', reason: null },
    }
    const told = describeStream(stream, {
      issuer: 'https://tr.example.com',
      pollUrl: 'https://tr/poll',
    })
    const { min_verification_interval: _, ...members } = told
    const example = bodyOf('figcreatestreamresp')
    expect(Object.keys(members).sort()).toEqual(Object.keys(example).sort())
    expect(told.delivery).toEqual(example.delivery)
  })
})

describe('a stream', () => {
  test('of which nothing is said is polled, and carries nothing (SSF 1.0 §8.1.1.1)', () => {
    const { delivery, eventsRequested } = expectOk(readStreamToCreate({}))
    expect(delivery).toEqual({ method: POLL })
    expect(deviceEventsIn(eventsRequested)).toEqual([])
  })

  test.each([
    'http://receiver.example.com/',
    'https://user:secret@receiver.example.com/',
    'https://receiver.example.com/#part',
    'file:///etc/passwd',
    'ftp://receiver.example.com/',
    'receiver.example.com',
    'javascript:alert(1)',
  ])('is not pushed to %s', (endpoint_url) => {
    const body = { delivery: { method: PUSH, endpoint_url } }
    const refused = readStreamToCreate(body)
    expectRefusal(refused, 'stream_push_url_refused')
  })

  test.each([
    [null, ''],
    [[], ''],
    [{ delivery: {} }, 'delivery.method'],
    [{ delivery: { method: 'urn:ietf:rfc:9999' } }, 'delivery.method'],
    [{ delivery: { method: PUSH } }, 'delivery.endpoint_url'],
    [{ events_requested: 'all' }, 'events_requested'],
    [{ events_requested: [1] }, 'events_requested.0'],
    [{ description: {} }, 'description'],
  ])('is not made of %j, and the member is named', (body, member) => {
    expect(expectRefusal(readStreamToCreate(body), 'stream_malformed')).toMatchObject({ member })
  })

  test('is called with no header that holds more than one line', () => {
    for (const authorization_header of [
      'Bearer a\r\nx: y',
      ' Bearer a',
      'Bearer  a',
      'Bearer ä',
      '',
    ]) {
      const delivery = { method: PUSH, endpoint_url: URL_OF_RECEIVER, authorization_header }
      expectRefusal(readStreamToCreate({ delivery }), 'stream_malformed')
    }
  })

  test('keeps the members that only we set: sent back they are the same (SSF 1.0 §8.1.1.3)', () => {
    const told = { iss: 'https://tr.example.com', aud: 'a', events_delivered: ['urn:x'] }
    expect(checkOwnMembers({ stream_id: 's', ...told }, told)).toMatchObject({ ok: true })
    const foreign = checkOwnMembers({ events_delivered: [] }, told)
    expect(expectRefusal(foreign, 'stream_member_foreign')).toMatchObject({
      member: 'events_delivered',
    })
  })

  test('is read or refused, whatever comes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        readStreamToCreate(body)
        readStreamToChange(body)
        readStatusChange(body)
        readVerification(body)
      }),
    )
  })
})
