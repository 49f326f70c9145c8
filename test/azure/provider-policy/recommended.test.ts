import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CLAIM_NAMES } from '../../../src/appraisal/claims.ts'
import { readTokens } from '../../../src/azure/provider-policy/policy-lexer.ts'
import { readPolicyText } from '../../../src/azure/provider-policy/policy-text.ts'
import {
  NEEDED_CLAIMS,
  NOT_ISSUED,
  RECOMMENDED_POLICY,
  RECOMMENDED_POLICY_HASH,
} from '../../../src/azure/provider-policy/recommended.ts'
import { expectOk } from '../../support/refusal.ts'

const outline = expectOk(readPolicyText(RECOMMENDED_POLICY))

test('is the text that fleets have pinned: who changes it makes another policy', () => {
  expect(RECOMMENDED_POLICY_HASH).toBe('gxexd197g454cJflBDckjOWthXerBN2TjIs-oNLSUwo')
})

describe('the claims of the recommended policy', () => {
  test('are all that are known, but those of which it is said why not', () => {
    expect(outline.version).toBe('1.2')
    expect([...outline.issued].sort()).toEqual([...NEEDED_CLAIMS].sort())
    const left = CLAIM_NAMES.filter((claim) => !outline.issued.has(claim))
    expect(left.sort()).toEqual(Object.keys(NOT_ISSUED).sort())
  })

  test('are all that the appraisal reads', () => {
    const files = ['appraise.ts', 'trust-mapping.ts']
    const source = files.map((name) => readFileSync(`src/appraisal/${name}`, 'utf8')).join()
    const read = CLAIM_NAMES.filter((claim) => new RegExp(`\\b${claim}\\b`).test(source))
    expect(read.length).toBeGreaterThan(15)
    expect(read.filter((claim) => !outline.issued.has(claim))).toEqual([])
  })

  test('come from nobody but the service and the policy itself', () => {
    expect(outline.unguardedLines).toEqual([])
    const words = readTokens(RECOMMENDED_POLICY)
    const issuers = words.filter((_, at) => words[at - 2]?.text === 'issuer')
    expect(new Set(issuers.map(({ text }) => text))).toEqual(
      new Set(['AttestationService', 'AttestationPolicy']),
    )
  })

  test('are each issued in one form only, but for alternatives that exclude each other', () => {
    const rules = RECOMMENDED_POLICY.split('\n').map((line) => line.trim())
    const names = rules
      .filter((rule) => !rule.startsWith('!['))
      .flatMap((rule) => /=> issue\(type="(\w+)"/.exec(rule)?.[1] ?? [])
    expect(names).toEqual([...new Set(names)])
  })
})

test('what it reads of the log ends where the boot ends', () => {
  const events = RECOMMENDED_POLICY.split('\n').filter((line) => line.includes('EV_EVENT_TAG'))
  expect(events.length).toBeGreaterThan(5)
  for (const line of events)
    expect(line).toMatch(/\[type=="beforeClosing", issuer=="AttestationPolicy"\]/)
})

test('asks for a certified attestation key and for tokens that end soon', () => {
  expect(RECOMMENDED_POLICY).toContain('issueproperty(type="require_valid_aik_cert", value=true)')
  expect(RECOMMENDED_POLICY).toContain('issueproperty(type="report_validity_in_minutes", value=60)')
})

test('its queries close what they open', () => {
  const queries = readTokens(RECOMMENDED_POLICY)
    .filter(({ kind, text }) => kind === 'string' && /[[(`]/.test(text))
    .map(({ text }) => text)
  expect(queries.length).toBeGreaterThan(20)
  for (const line of RECOMMENDED_POLICY.split('\n').filter((one) => one.includes('JmesPath'))) {
    for (const [open, close] of [
      ['[', ']'],
      ['(', ')'],
      ['{', '}'],
    ] as const) {
      expect(line.split(open).length, line).toBe(line.split(close).length)
    }
    for (const quote of ['`', "'", '"']) expect(line.split(quote).length % 2, line).toBe(1)
  }
})
