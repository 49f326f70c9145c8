import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromBase64Url, toBase64, toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { JSON_REASONS } from '../../../src/base/json/tree.ts'
import { MAX_ENVELOPE_BYTES, MAX_MESSAGE_BYTES } from '../../../src/verifier/limits.ts'
import { MESSAGE_REASONS } from '../../../src/verifier/protocol/message-reader.ts'
import {
  encodeChallenge,
  encodeReport,
  readAgentMessage,
} from '../../../src/verifier/protocol/protocol.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

const envelope = (inner: string, encode = toBase64Url) =>
  JSON.stringify({ data: encode(toUtf8(inner)) })
const INIT = '{"payload":{"type":"aikcert"}}'

describe('envelope', () => {
  test.each([
    ['base64url', envelope(INIT)],
    ['padded base64', envelope(INIT, toBase64)],
    ['padded base64url', JSON.stringify({ data: `${toBase64Url(toUtf8(INIT))}==` })],
    ['with members of a later client', `{"v":2,${envelope(INIT).slice(1)}`],
    ['with metadata', envelope('{"payload":{"type":"aikcert"},"metadata":{"os_ver":"10.0"}}')],
  ])('an initial message, %s', (_, body) => {
    expect(expectOk(readAgentMessage(body))).toEqual({ kind: 'init' })
  })

  test('a request is passed on as it is', () => {
    const body = envelope('{"payload":{"request":"a.b.c"}}')
    expect(expectOk(readAgentMessage(body))).toEqual({ kind: 'request', request: 'a.b.c' })
  })

  test('answers carry challenge and context, or the report', () => {
    const data = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString())
    expect(data(encodeChallenge(Uint8Array.of(1, 2), 'ctx'))).toEqual({
      payload: { challenge: 'AQI', service_context: 'ctx' },
    })
    expect(data(encodeReport('jwt'))).toEqual({ payload: { report: 'jwt' } })
    expect(fromBase64Url(encodeReport('jwt'))).toBeDefined()
  })
})

describe('refusals', () => {
  test('a body over the limit, before it is decoded', () => {
    const filler = 'A'.repeat(MAX_ENVELOPE_BYTES)
    expectRefusal(readAgentMessage(`{"data":"${filler}"}`), 'message_too_large')
    expectRefusal(readAgentMessage('é'.repeat(MAX_ENVELOPE_BYTES / 2 + 1)), 'message_too_large')
  })

  test('an inner message over the limit', () => {
    const inner = `{"payload":{"request":"${'A'.repeat(MAX_MESSAGE_BYTES)}"}}`
    const body = envelope(inner)
    expect(body.length).toBeGreaterThan(MAX_ENVELOPE_BYTES)
    expectRefusal(readAgentMessage(body), 'message_too_large')
    const near = envelope(`${' '.repeat(MAX_MESSAGE_BYTES - INIT.length + 1)}${INIT}`)
    expectRefusal(readAgentMessage(near), 'message_too_large')
  })

  test.each([
    ['data that is not base64', '{"data":"***"}'],
    ['base64 of an impossible length', '{"data":"AAAAA"}'],
    ['three padding characters', '{"data":"QQ==="}'],
    ['bytes that are not UTF-8', `{"data":"${toBase64Url(Uint8Array.of(0xff, 0xfe))}"}`],
  ])('%s', (_, body) => {
    expectRefusal(readAgentMessage(body), 'message_encoding_invalid')
  })

  // They are not looked through when they are read, as base64 has no control characters anyway.
  test.each([
    ['in data', (long: string) => `{"data":"${long}"}`],
    ['in a request', (long: string) => envelope(`{"payload":{"request":"${long}"}}`)],
    ['in a member of nobody', (long: string) => `{"v":"${long}",${envelope(INIT).slice(1)}`],
    ['as a name', (long: string) => `{"${long}":0,${envelope(INIT).slice(1)}`],
    ['beside another fault', (long: string) => `{"v":"${long}"}`],
  ])('a control character in a long string: %s', (_, write) => {
    const long = 'A'.repeat(400)
    for (const at of [0, 200, 400]) {
      const illegal = `${long.slice(0, at)}\n${long.slice(at)}`
      expectRefusal(readAgentMessage(write(illegal)), 'json_malformed')
    }
  })

  test.each(['{}', '{"metadata":{}}', '{"payload":"aikcert"}'])(
    'no payload is told what it holds: %s',
    (inner) => {
      expect(readAgentMessage(envelope(inner))).toMatchObject({
        failure: {
          ...{ member: 'message.payload' },
          expected: 'an object with type (aikcert) or request (a JWS)',
        },
      })
    },
  )

  test.each(['{}', envelope('{}'), envelope('{"metadata":{}}')])('a missing member: %s', (body) => {
    expectRefusal(readAgentMessage(body), 'message_member_missing')
  })

  test.each([
    ...['[]', '"x"', 'null', '{"data":1}', '{"data":null}', '{"data":["x"]}'],
    ...['[]', '{"payload":[]}', '{"payload":{"type":1}}', '{"payload":{"type":"ekcert"}}'].map(
      (inner) => envelope(inner),
    ),
    envelope('{"payload":{}}'),
    envelope('{"payload":{"type":"aikcert","request":"a.b.c"}}'),
    envelope('{"payload":{"request":{}}}'),
    envelope('{"payload":{"type":"aikcert"},"metadata":"x"}'),
  ])('a member of another type or meaning: %s', (body) => {
    expectRefusal(readAgentMessage(body), 'message_member_invalid')
  })

  test('an unknown type longer than the known one', () => {
    const read = (type: string) => readAgentMessage(envelope(JSON.stringify({ payload: { type } })))
    expect(expectRefusal(read('aikcert2'), 'message_member_invalid')).toMatchObject({
      expected: 'aikcert',
    })
    expectRefusal(read('a'.repeat(65)), 'message_member_too_long')
  })

  test('two data members, or two payloads', () => {
    expectRefusal(readAgentMessage('{"data":"e30","data":"e30"}'), 'json_duplicate_member')
    const inner = '{"payload":{"type":"aikcert"},"payload":{"request":"a.b.c"}}'
    expectRefusal(readAgentMessage(envelope(inner)), 'json_duplicate_member')
  })

  test('arbitrary bodies and inner messages never throw', () => {
    const reasons: readonly string[] = [...MESSAGE_REASONS, ...JSON_REASONS]
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.boolean(), (text, wrap) => {
        const read = readAgentMessage(wrap ? envelope(text) : text)
        if (!read.ok) expect(reasons).toContain(read.failure.reason)
      }),
    )
  })
})

describeVectors('messages of real clients', () => {
  test('the documented initial message', () => {
    const { request_data } = vectorJson('maa/tpm-protocol/spec-example-init-request.json')
    const body = JSON.stringify({ data: request_data })
    expect(expectOk(readAgentMessage(body))).toEqual({ kind: 'init' })
  })

  test('the recorded initial message; our answer has the members of the recorded one', () => {
    const recorded = vectorJson('maa/tpm-protocol/init-exchange-wus-2022-11-17.json')
    expect(expectOk(readAgentMessage(JSON.stringify(recorded.request)))).toEqual({ kind: 'init' })
    const theirs = JSON.parse(recorded.response_data_decoded)
    const challenge = Buffer.from(theirs.payload.challenge, 'base64url')
    const ours = encodeChallenge(challenge, theirs.payload.service_context)
    expect(ours).toBe(recorded.response.data)
  })
})
