import { describe, expect, test } from 'vitest'
import { LOCAL_OWNER, nameOf, personIdOf } from '../../src/people/person.ts'
import { readReturnTo } from '../../src/people/return-to.ts'
import { readRoleRules, rolesOfClaims } from '../../src/people/roles.ts'
import { cookieEnd, isRenewalDue, judgeRoles } from '../../src/people/session.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const RULES = '{"a": "viewer", "b": ["operator", "approver"], "realm admin": "owner"}'

describe('rules of roles', () => {
  test.each([
    ['{', /must be JSON/],
    ['[]', /expected record/],
    ['{}', /one value at least/],
    ['{"a": "admin"}', /a: .*/],
    ['{"a": []}', /a: .*/],
    ['{"": "owner"}', /the object|: /],
  ])('are refused where they give no roles: %s', (text, why) => {
    const failure = expectRefusal(readRoleRules(text), 'roles_malformed')
    expect(failure.detail).toMatch(why)
  })

  const roles = expectOk(readRoleRules(RULES))

  test.each([
    [{ roles: ['a'] }, ['viewer']],
    [{ roles: 'b' }, ['operator', 'approver']],
    [{ roles: ['b', 'a', 'a', 'z'] }, ['viewer', 'operator', 'approver']],
    [{ roles: 'realm admin' }, ['owner']],
    // Nothing is read into a value: neither parts of it nor another case.
    [{ roles: 'a b' }, []],
    [{ roles: ['A'] }, []],
    [{ roles: { a: true } }, []],
    [{ roles: [{ name: 'a' }, ['a'], null, 1] }, []],
    [{}, []],
    [{ roles: ['__proto__', 'constructor', 'toString'] }, []],
  ])('give by claims %j the roles %j', (claims, given) => {
    expect(rolesOfClaims(claims, { claim: 'roles', roles })).toEqual(given)
  })

  test('find a claim in another one, and one whose name has dots', () => {
    const nested = { realm_access: { roles: ['a'] } }
    expect(rolesOfClaims(nested, { claim: 'realm_access.roles', roles })).toEqual(['viewer'])
    const dotted = { 'https://a.example/roles': ['a'], https: 7 }
    expect(rolesOfClaims(dotted, { claim: 'https://a.example/roles', roles })).toEqual(['viewer'])
    expect(rolesOfClaims({}, { claim: 'constructor.name', roles })).toEqual([])
  })
})

describe('a person', () => {
  test('is named by issuer and subject: the same subject elsewhere is somebody else', () => {
    const [one, other] = [
      personIdOf('https://a.example', 'x'),
      personIdOf('https://b.example', 'x'),
    ]
    expect(one).toMatch(/^person:[a-z2-7]{10}:x$/)
    expect(one).not.toBe(other)
    expect([one, other]).not.toContain(LOCAL_OWNER.personId)
  })

  test.each(['', ' ', 'ü', 'a\nb', 'x'.repeat(129), 'sha256-abc'])(
    'of a subject that is no plain name has the hash of it: %j',
    (subject) => {
      expect(personIdOf('https://a.example', subject)).toMatch(/^person:\w+:sha256-[\w-]{43}$/)
    },
  )

  test('is called what the issuer says, without what a terminal or a page could act on', () => {
    expect(nameOf({ name: 'Alice', sub: 's' })).toBe('Alice')
    expect(nameOf({ name: '', email: 'a@b.example', sub: 's' })).toBe('a@b.example')
    expect(nameOf({ name: { a: 1 }, sub: 's' })).toBe('s')
    expect(nameOf({ name: 'a\u001b[31mb\u202ec\u0000' })).toBe('a [31mb c ')
    expect(nameOf({ name: 'x'.repeat(500) })).toHaveLength(128)
  })
})

test.each([
  [undefined, '/console'],
  ['/console', '/console'],
  ['/console/', '/console/'],
  ['/console?a=b', '/console?a=b'],
  ['/console/devices/dev_x?a=%2F#part', '/console/devices/dev_x?a=%2F'],
  ['/console/./devices', '/console/devices'],
  ['/v1/devices', '/console'],
  ['/console/../v1/devices', '/console'],
  ['//console', '/console'],
  ['console', '/console'],
  ['/console/sign-out', '/console'],
  ['/console/x/../sign-out', '/console'],
])('a sign-in that is to lead to %s leads to %s', (asked, place) => {
  expect(readReturnTo(asked)).toBe(place)
})

describe('the time of a session', () => {
  const at = (seconds: number) => new Date(seconds * 1000)
  const limits = { idleSeconds: 600, sessionSeconds: 3600, rolesSeconds: 300 }

  test('is that of its cookie, and never past its own end', () => {
    expect(cookieEnd({ expiresAt: at(3600) }, limits, at(0))).toEqual(at(600))
    expect(cookieEnd({ expiresAt: at(3600) }, limits, at(3500))).toEqual(at(3600))
    expect(isRenewalDue(at(0), limits, at(59))).toBe(false)
    expect(isRenewalDue(at(0), limits, at(60))).toBe(true)
  })

  test.each([
    [299, false, true],
    [300, false, false],
    [300, true, true],
    [599, true, true],
    [600, true, false],
  ])('roles that were read %i s ago count (change: %s): %s', (age, isChange, counts) => {
    const judged = judgeRoles(at(0), { limits, isChange, now: at(age) })
    if (counts) expectOk(judged)
    else expectRefusal(judged, 'session_roles_stale')
  })
})
