import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../../src/config/config.ts'
import { MAX_LOG_EVENTS } from '../../../src/evidence/event-log/limits.ts'
import { MAX_PROOF_CHARS } from '../../../src/evidence/limits.ts'
import { NONCE_BYTES } from '../../../src/evidence/nonce.ts'
import {
  MAX_ATTEST_BYTES,
  MAX_PLATFORM_STATEMENT_BYTES,
  MAX_PUBLIC_BYTES,
  MAX_RSA_BITS,
  MAX_SIGNATURE_BYTES,
  MIN_RSA_BITS,
} from '../../../src/evidence/tpm/limits.ts'
import { MAX_REPORT_PACKAGE_BYTES } from '../../../src/evidence/vbs/limits.ts'
import { AIK_PURPOSE } from '../../../src/evidence/x509/path.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { REQUIRED_PCRS } from '../../../src/verifier/kinds/tpm/required-pcrs.ts'
import {
  CHALLENGE_BYTES,
  MAX_CERTIFICATE_BYTES,
  MAX_ENVELOPE_BYTES,
  MAX_LOG_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_RP_ID_CHARS,
} from '../../../src/verifier/limits.ts'
import { API_VERSIONS } from '../../../src/verifier/protocol/api-version.ts'
import { QUOTE_HASHES } from '../../../src/verifier/protocol/request-keys.ts'
import { expectOk } from '../../support/refusal.ts'

/** What a vendor builds by. Numbers and names in it are those of the source. */
const PROTOCOL = readFileSync('docs/agent-protocol.md', 'utf8')
const EVIDENCE = readFileSync('docs/agent-evidence.md', 'utf8')

const config = expectOk(parseConfig({}))
const written = (number: number) => number.toLocaleString('en-US')

/** The row of a table that begins with this cell. */
function rowOf(page: string, cell: string): string {
  const row = page.split('\n').find((line) => line.startsWith(`| ${cell} |`))
  return row ?? expect.fail(`no row ${cell}`)
}

describe('lifetimes and limits', () => {
  test.each<[string, readonly number[]]>([
    ['nonce, challenge and service context', [config.challengeTtlSeconds]],
    [
      'body of step 3, message in it, one boot log',
      [MAX_ENVELOPE_BYTES, MAX_MESSAGE_BYTES, MAX_LOG_BYTES],
    ],
    ['body of step 4, proof', [128 * 1024, MAX_PROOF_CHARS]],
    [
      'quote, signature, public area; statement of version 1; report; certificate',
      [
        ...[MAX_ATTEST_BYTES, MAX_SIGNATURE_BYTES, MAX_PUBLIC_BYTES, MAX_PLATFORM_STATEMENT_BYTES],
        ...[MAX_REPORT_PACKAGE_BYTES, MAX_CERTIFICATE_BYTES],
      ],
    ],
    ['attestations of one proven device key', [config.deviceAttestationsPerMinute]],
  ])('of %s', (what, numbers) => {
    const told = rowOf(PROTOCOL, what)
    for (const number of numbers) expect(told).toContain(written(number))
  })

  test('of proofs, by the clock', () => {
    const { clockSkewSeconds: skew, tokenMaxAgeSeconds: age } = config
    const told = `may be ${skew} seconds (\`CLOCK_SKEW_SECONDS\`) in the\nfuture and ${age + skew} in the past`
    expect(PROTOCOL).toContain(told)
  })

  test('of bytes and characters in the text', () => {
    expect(PROTOCOL).toContain(`(${NONCE_BYTES} bytes, base64url)`)
    expect(PROTOCOL).toContain(`\`challenge\` has ${CHALLENGE_BYTES} bytes`)
    expect(PROTOCOL).toContain(`at most ${written(MAX_RP_ID_CHARS)} characters`)
    expect(PROTOCOL).toContain(`RSA of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits`)
    expect(EVIDENCE).toContain(`${MAX_LOG_BYTES / 1024} KiB, ${written(MAX_LOG_EVENTS)} events`)
  })
})

test('the PCRs that are asked for are told', () => {
  expect(REQUIRED_PCRS).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14])
  expect(EVIDENCE).toContain('PCRs 0 to 7 and 11 to 14 have to be among those quoted')
})

test('names of hashes, versions and purposes are told', () => {
  for (const name of [...QUOTE_HASHES.keys(), ...API_VERSIONS]) {
    expect(PROTOCOL).toContain(`\`${name}\``)
  }
  expect(PROTOCOL).toContain(AIK_PURPOSE)
})

test('what the first policy asks for is told', () => {
  const section = PROTOCOL.slice(PROTOCOL.indexOf('## To try an agent'))
  for (const { require, severity } of BASELINE_POLICY.clauses) {
    const [, claim] = /^attestation\.(\w+)$/.exec(require) ?? []
    if (severity !== 'enforce' || claim === undefined || claim === 'vbsReportPresent') continue
    expect(section).toContain(`\`${claim}\``)
  }
})
