import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readAnswer, readErrorCode } from '../../src/azure/answer.ts'
import { toBase64, toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

const encode = (text: string) => toBase64Url(toUtf8(text))
const wrap = (inner: string) => JSON.stringify({ data: encode(inner) })
const CHALLENGE =
  '{"payload":{"challenge":"lZETv8Wq6FLGWN_EqCYAbg","service_context":"eyJQIjoxfQ"}}'
const JWS = [encode('{"alg":"RS256"}'), encode('{"iss":"https://p"}'), 'c2ln'].join('.')
const REPORT = JSON.stringify({ payload: { report: JWS } })

describeVectors('answers that Azure gave', () => {
  test('a challenge is read as it was recorded', () => {
    const recorded = vectorJson('maa/tpm-protocol/init-exchange-wus-2022-11-17.json')
    const answer = readAnswer(JSON.stringify(recorded.response), 'challenge')
    expect(expectOk(answer)).toBe(recorded.response_data_decoded)
  })

  test('all recorded challenges are read', () => {
    const recorded = vectorJson('maa/tpm-protocol/challenge-responses-history.json')
    for (const { response_data: data, decoded } of recorded) {
      const answer = expectOk(readAnswer(JSON.stringify({ data }), 'challenge'))
      expect(JSON.parse(answer)).toEqual(decoded)
    }
  })

  test.each(['InvalidOperation', 'PolicyEvaluationError'])('the code of %s is known', (code) => {
    const { body } = vectorJson(`maa/errors/error-${code}-400.json`)
    expect(readErrorCode(JSON.stringify(body))).toEqual({ known: code })
  })
})

describe('an answer', () => {
  test('holds a challenge or a report', () => {
    expect(expectOk(readAnswer(wrap(CHALLENGE), 'challenge'))).toBe(CHALLENGE)
    expect(expectOk(readAnswer(wrap(REPORT), 'report'))).toBe(REPORT)
  })

  test('may be in padded base64 of the other alphabet, as the specification shows it', () => {
    const inner = `${CHALLENGE} `
    const body = JSON.stringify({ data: toBase64(toUtf8(inner)) })
    expect(body).toContain('=')
    expect(expectOk(readAnswer(body, 'challenge'))).toBe(CHALLENGE)
  })

  test('is passed on without what stands beside its payload', () => {
    const inner = `{"payload":${REPORT.slice(11, -1)},"metadata":{"trace":"ü"}}`
    expect(expectOk(readAnswer(wrap(inner), 'report'))).toBe(REPORT)
  })

  test.each([
    ['nothing', ''],
    ['no JSON', '<html>'],
    ['no object', '[]'],
    ['no data', '{}'],
    ['data that is no text', '{"data":1}'],
    ['data twice', `{"data":"${encode(CHALLENGE)}","data":"${encode(CHALLENGE)}"}`],
    ['data that is not base64', '{"data":"*"}'],
    ['data that is not UTF-8', JSON.stringify({ data: toBase64Url(new Uint8Array([0xff])) })],
    ['numbers with commas', wrap([...toUtf8(CHALLENGE)].join(','))],
    ['no payload', wrap('{}')],
    ['an empty payload', wrap('{"payload":{}}')],
    ['a list as payload', wrap('{"payload":[]}')],
    ['a challenge without context', wrap('{"payload":{"challenge":"AAAA"}}')],
    ['a report in place of a challenge', wrap(REPORT)],
    ['an unknown member', wrap(CHALLENGE.replace('}}', ',"report":"a.b.c"}}'))],
    ['a repeated member', wrap(CHALLENGE.replace('}}', ',"challenge":"AAAA"}}'))],
    ['a challenge of another alphabet', wrap(CHALLENGE.replace('lZET', 'l+/='))],
    ['an empty challenge', wrap(CHALLENGE.replace('lZETv8Wq6FLGWN_EqCYAbg', ''))],
    ['a challenge that is too long', wrap(CHALLENGE.replace('lZET', 'A'.repeat(87)))],
    ['a context that is too long', wrap(CHALLENGE.replace('eyJQ', 'A'.repeat(8193)))],
    ['a context that is no text', wrap(CHALLENGE.replace('"eyJQIjoxfQ"', '7'))],
  ])('with %s is refused where a challenge is due', (_, body) => {
    expectRefusal(readAnswer(body, 'challenge'), 'provider_answer_malformed')
  })

  test.each([
    ['a challenge', CHALLENGE],
    ['two parts', REPORT.replace('.c2ln', '')],
    ['no signature', REPORT.replace('c2ln', '')],
    ['four parts', REPORT.replace('c2ln', 'c2ln.c2ln')],
    ['parts that are not base64url', REPORT.replace('c2ln', 'c2 ln')],
    ['a header that is no JSON', REPORT.replace(encode('{"alg":"RS256"}'), 'AAAA')],
    ['a token that is too long', REPORT.replace('c2ln', 'A'.repeat(65_536))],
  ])('with %s is refused where a report is due', (_, inner) => {
    expectRefusal(readAnswer(wrap(inner), 'report'), 'provider_answer_malformed')
  })

  test('is read or refused, whatever it is', () => {
    const anything = fc.oneof(fc.string(), fc.json(), fc.json().map(wrap), fc.string().map(wrap))
    fc.assert(
      fc.property(anything, fc.constantFrom('challenge', 'report'), (body, kind) => {
        expectRefusal(readAnswer(body, kind), 'provider_answer_malformed')
      }),
      { numRuns: 200 },
    )
  })
})

describe('an error', () => {
  test('keeps no code that is not on our list', () => {
    expect(readErrorCode('{"error":{"code":"Secret\\r\\nTrace","message":"x"}}')).toEqual({
      known: undefined,
    })
  })

  test.each(['', '<html>', '{}', '{"error":"InvalidParameter"}', '{"error":{"code":400}}'])(
    '%j is not in the form of Azure',
    (body) => {
      expect(readErrorCode(body)).toBeUndefined()
    },
  )
})
