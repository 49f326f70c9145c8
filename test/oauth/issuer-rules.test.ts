import { expect, test } from 'vitest'
import { readIssuerRules } from '../../src/oauth/issuer-rules.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const RULES = {
  name: 'idp',
  issuer: 'https://idp.example',
  jwks_uri: 'https://idp.example/jwks',
  audience: 'https://pdp.example',
  scopes: [{ claim: 'scope', value: 'decide', grants: ['access.evaluate'] }],
}

test('an issuer has the algorithm, the type and the claim of RFC 9068 unless told otherwise', () => {
  expect(expectOk(readIssuerRules(JSON.stringify([RULES])))).toEqual([
    {
      ...RULES,
      algorithms: ['RS256'],
      types: ['at+jwt'],
      caller_claim: 'client_id',
      claims: {},
      max_lifetime_seconds: 7200,
    },
  ])
})

test('what is wrong is told with its place', () => {
  for (const [change, place] of [
    [{ issuer: 'http://idp.example' }, '0.issuer'],
    [{ jwks_uri: 'https://user:x@idp.example/jwks' }, '0.jwks_uri'],
    [{ algorithms: ['HS256'] }, '0.algorithms.0'],
    [{ algorithms: ['none'] }, '0.algorithms.0'],
    [{ name: 'Idp:x' }, '0.name'],
    [{ scopes: [] }, '0.scopes'],
    [{ scopes: [{ claim: 'a', value: 'b', grants: ['all'] }] }, '0.scopes.0.grants.0'],
    [{ max_lifetime_seconds: 86_401 }, '0.max_lifetime_seconds'],
    [{ secret: 'x' }, '0'],
  ] as const) {
    const read = readIssuerRules(JSON.stringify([{ ...RULES, ...change }]))
    expect(expectRefusal(read, 'issuers_malformed').detail).toMatch(new RegExp(`^${place}:`))
  }
  for (const text of ['', '{}', '[]', 'x']) {
    expectRefusal(readIssuerRules(text), 'issuers_malformed')
  }
  expectRefusal(readIssuerRules(JSON.stringify([RULES, RULES])), 'issuers_repeated')
})
