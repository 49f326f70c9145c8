import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EvaluationRequest } from '../../src/access/evaluation-request.ts'
import { keepRequest } from '../../src/access/kept-request.ts'
import { MAX_KEPT_CHARS, MAX_KEPT_VALUES } from '../../src/access/limits.ts'

const question = (changes: Partial<EvaluationRequest> = {}): EvaluationRequest => ({
  subject: { type: 'user', id: 'alice', properties: {} },
  resource: { type: 'application', id: 'payroll', properties: {} },
  action: { name: 'signin', properties: {} },
  context: {},
  ...changes,
})

/** RFC 7515 appendix A.1.1. */
const JWS_OF_RFC_7515 =
  'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
/** RFC 7516 appendix A.2.7, its beginning. */
const JWE_OF_RFC_7516 =
  'eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.UGhIOguC7IuEvf_NPVaXsGMoLOmwvc1GyqlIKOK1nN94nHPoltGRhWhw7Zx0-kFm'
/** RFC 9449 §4.1, figure 1: its beginning. */
const PROOF_OF_RFC_9449 =
  'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMi.x'
/** RFC 7617 §2 and RFC 6750 §2.1. */
const BASIC_OF_RFC_7617 = 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='
const BEARER_OF_RFC_6750 = 'Bearer mF_9.B5f-4.1JqM-with-more'
/** RFC 7468 §2. */
const PEM = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----'

/** RFC 6750 §2.3, RFC 6749 §4.1.2, RFC 3986 §3.2.1. */
const URL_OF_RFC_6750 = 'https://server.example.com/resource?access_token=mF_9.B5f-4.1JqM&p=q'
const URL_OF_RFC_6749 = 'https://client.example.com/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz'
const URL_WITH_USERINFO = 'ftp://user:password@host.example.com/file'

const SECRETS = [
  `said by ${JWS_OF_RFC_7515}`,
  URL_OF_RFC_6750,
  URL_OF_RFC_6749,
  URL_WITH_USERINFO,
  JWS_OF_RFC_7515,
  JWE_OF_RFC_7516,
  PROOF_OF_RFC_9449,
  BASIC_OF_RFC_7617,
  BEARER_OF_RFC_6750,
  PEM,
]

describe('what is kept of a question', () => {
  test('is what a policy can read of it', () => {
    const asked = question({
      subject: { type: 'user', id: 'alice', properties: { role: 'clerk', device_id: 'dev_1' } },
      resource: { type: 'application', id: 'payroll', properties: { tier: 1 } },
      action: { name: 'signin', properties: { mfa: true } },
      context: { network: 'corporate', risk: 0.5, groups: ['a', 'b'], at: { city: null } },
    })
    expect(keepRequest(asked)).toMatchObject({ request: asked, leftOut: [] })
  })

  test.each(SECRETS)(
    'has no text of the form of a secret, whatever it is called: %.24s',
    (secret) => {
      const kept = keepRequest(
        question({
          context: { note: secret, network: 'corporate', list: ['a', secret], deep: { x: secret } },
        }),
      )
      expect(kept).toMatchObject({
        request: { context: { network: 'corporate', deep: {} } },
        leftOut: [
          ['context', 'note'],
          ['context', 'list'],
          ['context', 'deep', 'x'],
        ],
      })
      expect(JSON.stringify(kept)).not.toContain(secret.slice(0, 16))
      expect(keepRequest(question({ subject: { ...question().subject, id: secret } }))).toBe(
        undefined,
      )
    },
  )

  test.each([
    ...['device_token', 'accessToken', 'client_secret', 'password', 'PassWd', 'credentials'],
    ...[
      'Authorization',
      'Cookie',
      'dpop',
      'DPoP-Proof',
      'client_assertion',
      'api_key',
      'x-api-key',
    ],
    ...['apikey', 'private-key'],
  ])('has no member called %s, whatever it holds', (name) => {
    const hidden = 'hunter2 is not the form of a secret'
    for (const value of [hidden, [hidden], { inside: hidden }]) {
      const kept = keepRequest(
        question({ subject: { type: 'device', id: 'dev_1', properties: { [name]: value } } }),
      )
      expect(kept?.leftOut).toEqual([['subject', 'properties', name]])
      expect(JSON.stringify(kept)).not.toContain('hunter2')
    }
  })

  test('is nothing where it would be too much', () => {
    const values = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [i, i]))
    expect(keepRequest(question({ context: values(MAX_KEPT_VALUES) }))).toBeDefined()
    expect(keepRequest(question({ context: values(MAX_KEPT_VALUES + 1) }))).toBeUndefined()
    expect(keepRequest(question({ context: { list: Array(1000).fill(0) } }))).toBeUndefined()
    const text = 'x'.repeat(MAX_KEPT_CHARS)
    expect(keepRequest(question({ context: { text } }))).toBeUndefined()
    expect(keepRequest(question({ context: { [text]: 1 } }))).toBeUndefined()
    expect(keepRequest(question({ subject: { ...question().subject, id: text } }))).toBeUndefined()
  })

  test('never holds a planted secret, and never more than it may, whatever is sent', () => {
    const json = fc.jsonValue({ maxDepth: 4 }).filter((value) => typeof value === 'object')
    const secret = fc.constantFrom(...SECRETS)
    const members = fc.dictionary(
      fc.string(),
      fc.oneof(json, secret, fc.array(fc.oneof(json, secret))),
    )
    fc.assert(
      fc.property(members, members, (context, properties) => {
        const subject = { type: 'user', id: 'alice', properties }
        const text = JSON.stringify(keepRequest(question({ context, subject }))) ?? ''
        for (const one of SECRETS) expect(text).not.toContain(JSON.stringify(one).slice(1, -1))
        expect(text.length).toBeLessThan(16 * MAX_KEPT_CHARS)
      }),
    )
  })

  test('keeps a member that is called as no object may be', () => {
    const context = JSON.parse('{"__proto__": {"polluted": true}}')
    const kept = keepRequest(question({ context }))
    expect(Object.keys(kept?.request.context ?? {})).toEqual(['__proto__'])
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})

describe('the shape of a question', () => {
  const shapeOf = (context: Record<string, unknown>) => keepRequest(question({ context }))?.shape

  test('is the same for other values, and for lists of other lengths', () => {
    expect(shapeOf({ network: 'a', list: [1] })).toBe(shapeOf({ network: 'b', list: [1, 2, 3] }))
  })

  test('is another one for another name, type or place', () => {
    const shapes = [{ a: 1 }, { b: 1 }, { a: '1' }, { a: null }, { a: { a: 1 } }, { a: [1] }, {}]
    expect(new Set(shapes.map(shapeOf)).size).toBe(shapes.length)
  })
})
