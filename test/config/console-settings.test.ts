import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { expectOk } from '../support/refusal.ts'

const ISSUER = {
  CONSOLE_ISSUER: 'https://idp.example/realms/a/',
  CONSOLE_CLIENT_ID: 'console',
  CONSOLE_ROLES: '{"a":"owner"}',
  PUBLIC_URL: 'https://pdp.example',
}

describe('the settings of the console', () => {
  test('name no issuer unless they do', () => {
    expect(expectOk(parseConfig({})).console).toEqual({
      issuer: undefined,
      idleSeconds: 1800,
      sessionSeconds: 28_800,
      rolesSeconds: 900,
    })
  })

  test('are read once, the issuer as it calls itself', () => {
    const { console: read } = expectOk(parseConfig({ ...ISSUER, CONSOLE_IDLE_SECONDS: '86400' }))
    expect(read.issuer).toEqual({
      url: 'https://idp.example/realms/a/',
      clientId: 'console',
      clientSecret: undefined,
      scope: 'openid profile email',
      rolesClaim: 'roles',
      roles: new Map([['a', ['owner']]]),
    })
    expect(read.idleSeconds).toBe(28_800)
  })

  test.each([
    [{ CONSOLE_CLIENT_ID: 'x' }, 'CONSOLE_CLIENT_ID: has no effect without CONSOLE_ISSUER'],
    [{ CONSOLE_ROLES: '{"a":"owner"}' }, 'CONSOLE_ROLES: has no effect without CONSOLE_ISSUER'],
    [{ ...ISSUER, CONSOLE_ROLES: undefined }, 'CONSOLE_ROLES: is needed with CONSOLE_ISSUER'],
    [{ ...ISSUER, CONSOLE_CLIENT_ID: '' }, 'CONSOLE_CLIENT_ID: is needed with CONSOLE_ISSUER'],
    [
      { ...ISSUER, PUBLIC_URL: 'http://pdp.example' },
      'CONSOLE_ISSUER: needs PUBLIC_URL with https, or on a loopback address',
    ],
    [
      { ...ISSUER, CONSOLE_ISSUER: 'http://idp.example' },
      'CONSOLE_ISSUER: must be an https URL, but for one on a loopback address',
    ],
    [{ ...ISSUER, CONSOLE_ISSUER: 'ftp://x' }, 'CONSOLE_ISSUER: must be an http(s) URL'],
    [
      { ...ISSUER, CONSOLE_ISSUER: 'https://idp.example/?a' },
      'CONSOLE_ISSUER: must have no query, fragment or credentials',
    ],
    [{ ...ISSUER, CONSOLE_ROLES: '{"a":"root"}' }, /^CONSOLE_ROLES: a: /],
    [{ ...ISSUER, CONSOLE_SCOPE: 'profile' }, /^CONSOLE_SCOPE: must be names .* openid/],
    [{ CONSOLE_IDLE_SECONDS: '5' }, /^CONSOLE_IDLE_SECONDS: must be a whole number/],
  ])('are refused where they are wrong, by their name: %o', (given, mistake) => {
    const parsed = parseConfig(given)
    const mistakes = parsed.ok ? [] : parsed.failure.mistakes
    expect(mistakes).toEqual([
      typeof mistake === 'string' ? mistake : expect.stringMatching(mistake),
    ])
  })

  test('are no mistake on a loopback address', () => {
    const local = { ...ISSUER, PUBLIC_URL: undefined, CONSOLE_ISSUER: 'http://127.0.0.1:4000' }
    expect(expectOk(parseConfig(local)).console.issuer?.url).toBe('http://127.0.0.1:4000')
  })
})
