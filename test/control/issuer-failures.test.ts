import { describe, expect, test } from 'vitest'
import { createIssuerFailures } from '../../src/control/issuer-failures.ts'
import { START } from '../support/service.ts'

const ISSUER = 'https://contoso.eus.attest.azure.net'
const MINUTE = 60_000
const at = (minutes: number) => new Date(START.getTime() + minutes * MINUTE)

/** As an agent hands it in: who made it is not known. */
function tokenOf(device: number, issuer: unknown = ISSUER): string {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
  return `${part({ alg: 'RS256', kid: 'k' })}.${part({ iss: issuer, aikPubHash: `key ${device}` })}.c2ln`
}

function refusedBy(devices: number, reason = 'policy_not_pinned') {
  const failures = createIssuerFailures([ISSUER], START)
  for (let device = 0; device < devices; device++) {
    failures.noteRefused(tokenOf(device), reason, at(16))
  }
  return failures
}

describe('issuers with whose tokens nobody gets in', () => {
  test.each([
    'policy_not_pinned',
    'token_key_unknown',
    'token_key_expired',
    'token_key_not_yet_valid',
  ])('are noticed by many refusals as %s', (reason) => {
    expect(refusedBy(20, reason).failing(at(17))).toEqual([
      { issuer: ISSUER, reasons: [reason], devices: 20 },
    ])
  })

  test('are not told of for what is about one device', () => {
    for (const reason of ['token_signature_invalid', 'token_too_old', 'token_nonce_mismatch']) {
      expect(refusedBy(50, reason).failing(at(17))).toEqual([])
    }
  })

  test('are not told of while any of their tokens is accepted', () => {
    const failures = refusedBy(50)
    failures.noteAccepted(ISSUER, at(17))
    for (let device = 0; device < 50; device++) {
      failures.noteRefused(tokenOf(device), 'policy_not_pinned', at(18))
    }
    expect(failures.failing(at(31))).toEqual([])
    expect(failures.failing(at(32.1))).toHaveLength(1)
  })

  test('are not made up by one device that is refused again and again', () => {
    const failures = createIssuerFailures([ISSUER], START)
    for (let attempt = 0; attempt < 500; attempt++) {
      failures.noteRefused(tokenOf(1), 'policy_not_pinned', at(16))
    }
    expect(failures.failing(at(17))).toEqual([])
  })

  test('are forgotten when nobody tries any more', () => {
    const failures = refusedBy(50)
    expect(failures.failing(at(31))).toHaveLength(1)
    expect(failures.failing(at(31.1))).toEqual([])
  })

  test('are only those that are configured, whatever a token says', () => {
    const failures = createIssuerFailures([ISSUER], START)
    for (let device = 0; device < 50; device++) {
      for (const issuer of ['https://evil.example', '__proto__', 7, null]) {
        failures.noteRefused(tokenOf(device, issuer), 'policy_not_pinned', at(16))
      }
      failures.noteRefused('no token', 'policy_not_pinned', at(16))
      failures.noteRefused(tokenOf(device).replace('.', ''), 'policy_not_pinned', at(16))
    }
    expect(failures.failing(at(17))).toEqual([])
  })

  test('do not fill the memory with forged names', () => {
    const failures = refusedBy(5000)
    expect(failures.failing(at(17))[0]?.devices).toBe(1000)
    const long = tokenOf(0, ISSUER).split('.')
    const huge = Buffer.from(
      JSON.stringify({ iss: ISSUER, aikPubHash: 'x'.repeat(5000) }),
    ).toString('base64url')
    failures.noteRefused([long[0], huge, long[2]].join('.'), 'policy_not_pinned', at(17))
    expect(failures.failing(at(17))[0]?.devices).toBe(1000)
  })
})
