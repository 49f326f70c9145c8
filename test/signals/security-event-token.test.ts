import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  describeSecurityEvent,
  readTokenId,
  streamSubject,
  type TokenName,
  tokenIdOf,
} from '../../src/signals/security-event-token.ts'
import type { Json } from '../support/json.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

const STREAM = {
  streamId: 'f67e39a0a4d34d56b3aa1bc4cff0069f',
  issuer: 'https://transmitter.example.com',
  audience: 'receiver.example.com',
}
const EVENT = {
  eventId: '0195e1f0-0000-7000-8000-000000000001',
  ...{ lane: STREAM.streamId, position: 7 },
  type: 'verification',
  claims: { state: 'VGhpcyBpcyBhbiBleGFtcGxlIHN0YXRlIHZhbHVlLgo=' },
  subject: streamSubject(STREAM.streamId),
  at: new Date('2017-05-04T00:00:00.999Z'),
} as const

/** Witness: the examples of SSF 1.0, and the rules of the conformance suite. */
describeVectors('claims of a security event', () => {
  const { examples }: Json = vectorJson('ssf/ssf-1_0-examples.json')
  const exampleOf = (id: string) => examples.find((one: Json) => one.id === id).json

  test('of a verification are those of the example in SSF 1.0 §8.1.4', () => {
    const { jti: _, txn: __, ...claims } = describeSecurityEvent(EVENT, STREAM)
    const { jti: ___, ...example } = exampleOf('figverifyset')
    expect(claims).toEqual(example)
  })

  test('of a stream update are those of the example in SSF 1.0 §8.1.5', () => {
    const claims = { status: 'paused', reason: 'Internal error' }
    const made = describeSecurityEvent({ ...EVENT, type: 'stream-updated', claims }, STREAM)
    const { sub_id, events } = exampleOf('figstreamupdatedset')
    expect(made).toMatchObject({ sub_id, events })
  })

  test('keep the rules of the suite', () => {
    const { set_rules }: Json = vectorJson('ssf/device-compliance-change-vectors.json')
    const claims: Json = describeSecurityEvent(EVENT, STREAM)
    const kept: Record<string, boolean> = {
      'events has exactly one member': Object.keys(claims.events).length === 1,
      'no sub claim': !('sub' in claims),
      'no exp claim': !('exp' in claims),
      'iss equals stream configuration iss': claims.iss === STREAM.issuer,
      'iat not in the future': claims.iat <= EVENT.at.getTime() / 1000,
      'aud is string or array of strings': typeof claims.aud === 'string',
      'aud contains stream aud': claims.aud === STREAM.audience,
      'txn present': typeof claims.txn === 'string',
    }
    const rules = set_rules.rules.map(({ rule }: Json) => rule)
    const ofTheHeader = [
      'verify signature with transmitter jwks_uri',
      'alg == RS256',
      'header typ == secevent+jwt',
    ]
    expect(rules.filter((rule: string) => !ofTheHeader.includes(rule) && !kept[rule])).toEqual([])
  })
})

describe('the name of a token', () => {
  const name: TokenName = { streamId: 'str_a', lane: 'dev_b', position: 7, type: 'session-revoked' }

  test('is where its delivery is on record, and nothing else is one', () => {
    expect(readTokenId(tokenIdOf(name))).toEqual(name)
    for (const other of ['', 'a', 'a.b.c.session-revoked', 'a.b.1.other', `${tokenIdOf(name)} `]) {
      expect(readTokenId(other)).toBeUndefined()
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = readTokenId(text)
        if (read !== undefined) expect(tokenIdOf(read)).toBe(text.replace(/\.0+(?=\d)/, '.'))
      }),
    )
  })

  test('is another for each stream, delivery and type', () => {
    const names: TokenName[] = [
      name,
      { ...name, streamId: 'str_c' },
      { ...name, lane: 'dev_d' },
      { ...name, position: 8 },
      { ...name, type: 'risk-level-change' },
    ]
    expect(new Set(names.map(tokenIdOf)).size).toBe(names.length)
  })
})
