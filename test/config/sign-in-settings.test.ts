import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { expectOk } from '../support/refusal.ts'

const OKTA = JSON.stringify([
  { provider: 'okta', client_id: 'okta', redirect_uris: ['https://acme.okta.com/callback'] },
])

describe('the settings of sign-ins', () => {
  test('name nobody unless they are set', () => {
    expect(expectOk(parseConfig({})).signIn).toEqual({ clients: [], agentPort: 28_415 })
  })

  test('are read once', () => {
    const { signIn } = expectOk(parseConfig({ SIGN_IN_CLIENTS: OKTA, SIGN_IN_AGENT_PORT: '4711' }))
    expect(signIn.clients).toMatchObject([{ provider: 'okta', clientId: 'okta' }])
    expect(signIn.agentPort).toBe(4711)
  })

  test.each([
    [{ SIGN_IN_CLIENTS: '{' }, 'SIGN_IN_CLIENTS: must be JSON: a list of identity providers'],
    [{ SIGN_IN_CLIENTS: '[{"provider":"okta"}]' }, /^SIGN_IN_CLIENTS: 0\.client_id: is missing/],
    [{ SIGN_IN_AGENT_PORT: '80' }, /^SIGN_IN_AGENT_PORT: must be a whole number from 1024 /],
    [
      { SIGN_IN_CLIENTS: OKTA, SIGN_IN_CLIENTS_FILE: '/x' },
      'SIGN_IN_CLIENTS: give either this or SIGN_IN_CLIENTS_FILE',
    ],
  ])('are refused where they are wrong, by their name: %o', (given, mistake) => {
    const parsed = parseConfig(given)
    const mistakes = parsed.ok ? [] : parsed.failure.mistakes
    expect(mistakes).toEqual([
      typeof mistake === 'string' ? mistake : expect.stringMatching(mistake),
    ])
  })
})
