import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

describe('parseConfig', () => {
  test('an empty environment gives the embedded service on loopback', () => {
    const config = expectOk(parseConfig({}))
    expect(config.database).toEqual({ kind: 'embedded', dataDir: './data' })
    expect(config.host).toBe('127.0.0.1')
    expect(config.publicUrl).toBe('http://localhost:8080')
    expect(config.agentOrigins).toContain('http://127.0.0.1:8080')
  })

  test('an empty value counts as unset', () => {
    expect(expectOk(parseConfig({ PORT: '', DATABASE_URL: '' })).port).toBe(8080)
  })

  test('every mistake is listed at once, each with its setting', () => {
    const failure = expectRefusal(
      parseConfig({
        PORT: 'eighty',
        DATABASE_URL: 'mysql://x',
        ENROLMENT: 'maybe',
        SECRET_KEY: 'short',
        HOST: '0.0.0.0',
      }),
      'config_invalid',
    )
    const named = failure.mistakes.map((line) => line.split(':')[0])
    expect(new Set(named)).toEqual(
      new Set(['PORT', 'DATABASE_URL', 'ENROLMENT', 'SECRET_KEY', 'PUBLIC_URL']),
    )
  })

  test('a public URL is the only origin of agents once it is set', () => {
    const config = expectOk(parseConfig({ PUBLIC_URL: 'https://trust.example.com/' }))
    expect(config.publicUrl).toBe('https://trust.example.com')
    expect(config.agentOrigins).toEqual(['https://trust.example.com'])
  })

  test('a public URL with a query, fragment or credentials is refused', () => {
    for (const url of ['https://a.example/?x=1', 'https://a.example/#f', 'https://u:p@a.example']) {
      expectRefusal(parseConfig({ PUBLIC_URL: url }), 'config_invalid')
    }
  })

  test('an unlimited lifetime cannot be configured', () => {
    expectRefusal(parseConfig({ ATTESTATION_VALIDITY_SECONDS: '99999999' }), 'config_invalid')
  })

  test('evidence outlives its verifier by hours, and never by more than a week', () => {
    expect(expectOk(parseConfig({})).outageGraceSeconds).toBe(14_400)
    const longest = parseConfig({ OUTAGE_GRACE_SECONDS: '604800' })
    expect(expectOk(longest).outageGraceSeconds).toBe(604_800)
    expect(expectOk(parseConfig({ OUTAGE_GRACE_SECONDS: '0' })).outageGraceSeconds).toBe(0)
    expectRefusal(parseConfig({ OUTAGE_GRACE_SECONDS: '604801' }), 'config_invalid')
  })
})
