import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLAIMS_REASONS } from '../../../src/appraisal/read-claims.ts'
import {
  type FixedService,
  openFixedService,
  serviceKeys,
  VECTORS_NOW,
} from '../../../src/cli/vectors/fixed-service.ts'
import { REFUSAL_PLANS } from '../../../src/cli/vectors/make-vectors.ts'
import { RefusalBench } from '../../../src/cli/vectors/refusal-bench.ts'
import { type GoodRun, playRun, RUN_PLANS } from '../../../src/cli/vectors/runs.ts'
import type { Environment } from '../../../src/config/config.ts'
import { PROOF_REASONS } from '../../../src/evidence/jws/confirmation.ts'
import { NONCE_REASONS } from '../../../src/evidence/nonce.ts'
import { ATTESTATION_TOKEN_REASONS } from '../../../src/evidence/token/attestation-token.ts'
import { ENROLMENT_ANSWERS } from '../../../src/http/agent/enrolment-problem.ts'
import { REQUEST_REASONS } from '../../../src/http/read-json.ts'
import { RECEIVING_REASONS } from '../../../src/operations/attest/receive-submission.ts'
import { RECORDING_REASONS } from '../../../src/operations/attest/record-attestation.ts'
import { SUBMISSION_REASONS } from '../../../src/operations/attest/submission-failure.ts'
import { UNVOUCHED_REASONS } from '../../../src/operations/attest/unvouched-devices.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { BUILT_IN_KINDS } from '../../../src/verifier/kinds/built-in.ts'
import { listAnswers } from '../../../src/verifier/protocol/errors.ts'
import { readRefusal } from '../../support/agent-vectors.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import type { RefusalCase } from './refusals/case.ts'
import { awayCases, certificateCases, makeTestRoots } from './refusals/certificate-cases.ts'
import { ENROLMENT_CASES, withdrawnCase } from './refusals/enrolment-cases.ts'
import { EVIDENCE_CASES } from './refusals/evidence-cases.ts'
import { LOG_CASES } from './refusals/log-cases.ts'
import { MESSAGE_CASES } from './refusals/message-cases.ts'
import { BODY_CASES, BUSY_CASES, SUBMISSION_CASES } from './refusals/submission-cases.ts'

/*
 * Every reason for which an agent can be refused at `/attest/Tpm`, `/v1/challenge`, `/v1/attestations`
 * and `/v1/enrolments` is produced from outside: by the exported vectors, or by the cases here. What is
 * not says why, or which test does it.
 */

/** Reasons that want more than one agent and one service, and the test that has them. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  body_incomplete: 'test/http/app.test.ts',
  body_not_utf8: 'test/http/app.test.ts',
  device_not_listed: 'test/http/agent/refusals.test.ts',
  device_rate_limited: 'test/http/agent/attestations.test.ts',
  device_keys_exhausted: 'test/http/agent/one-tpm-one-device.test.ts',
  device_not_vouched: 'test/http/agent/unvouched-devices.test.ts',
  enrolment_rate_limited: 'test/http/agent/unvouched-devices.test.ts',
  enrolment_full: 'test/http/agent/unvouched-devices.test.ts',
  attestation_overtaken: 'test/http/access/device-token-standing.test.ts',
  token_key_not_yet_valid: 'test/http/agent/refusals.test.ts',
  token_key_expired: 'test/http/agent/refusals.test.ts',
  key_set_unavailable: 'test/operations/attest/examine-report.test.ts',
}

const OF_CONFIGURATION = 'of files that an administrator hands over'
const BEYOND_LIMITS = 'a message has no room for that many, or for one so large'
const OF_OTHER_VERIFIERS = 'a token of our own verifier is never so, and others are only relayed'

/** Reasons that no agent can bring about. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  certificate_bundle_malformed: OF_CONFIGURATION,
  certificate_bundle_too_large: OF_CONFIGURATION,
  certificate_too_large: BEYOND_LIMITS,
  certificate_path_too_long: BEYOND_LIMITS,
  certificate_path_too_complex: BEYOND_LIMITS,
  report_key_refused: 'a boot log with such a key is refused before',
  quote_pcr_length_wrong: 'values of another length do not read as a message',
  token_policy_answer: OF_OTHER_VERIFIERS,
  token_version_refused: OF_OTHER_VERIFIERS,
  token_claims_malformed: OF_OTHER_VERIFIERS,
  token_policy_missing: OF_OTHER_VERIFIERS,
  policy_not_pinned: OF_OTHER_VERIFIERS,
  token_not_yet_valid: OF_OTHER_VERIFIERS,
  token_issued_in_future: OF_OTHER_VERIFIERS,
  token_nonce_malformed: OF_OTHER_VERIFIERS,
  token_nonce_mismatch: OF_OTHER_VERIFIERS,
  token_confirmation_malformed: OF_OTHER_VERIFIERS,
  token_kind_refused: OF_OTHER_VERIFIERS,
  token_confirmation_unbound: OF_OTHER_VERIFIERS,
  token_without_device_key: OF_OTHER_VERIFIERS,
  claims_wrong_type: OF_OTHER_VERIFIERS,
  claims_over_limit: OF_OTHER_VERIFIERS,
  claims_contradictory: OF_OTHER_VERIFIERS,
}

/** What the sources know. */
const KNOWN: readonly string[] = [
  ...Object.keys(listAnswers(BUILT_IN_KINDS)),
  ...REQUEST_REASONS,
  ...ATTESTATION_TOKEN_REASONS,
  ...PROOF_REASONS,
  ...NONCE_REASONS,
  ...CLAIMS_REASONS,
  ...SUBMISSION_REASONS,
  ...RECORDING_REASONS,
  ...RECEIVING_REASONS,
  ...UNVOUCHED_REASONS,
  ...Object.values(ENROLMENT_ANSWERS).map(({ told }) => told),
  ...[
    'ek_certificate_malformed',
    'ek_certificate_refused',
    'issuer_unavailable',
    'key_set_unavailable',
  ],
  ...['verifier_busy', 'submissions_busy', 'enrolment_busy'],
]

const roots = await makeTestRoots()
const cases: readonly RefusalCase[] = [
  ...MESSAGE_CASES,
  ...EVIDENCE_CASES,
  ...LOG_CASES,
  ...certificateCases(roots),
  await withdrawnCase(),
  ...(await awayCases()),
  ...SUBMISSION_CASES,
  ...ENROLMENT_CASES,
  ...BODY_CASES,
  ...BUSY_CASES,
]

let database: TestDatabase
const runs = new Map<string, GoodRun>()
const services = new Map<string, FixedService>()

/** One service for each set of settings, all over one database, in which the good runs were. */
async function serviceWith(settings: Environment): Promise<FixedService> {
  const name = JSON.stringify(settings)
  const known = services.get(name)
  if (known !== undefined) return known
  const { store, serve } = database
  const service = await openFixedService({ store, serve, settings })
  services.set(name, service)
  return service
}

async function trustEveryRoot(): Promise<Environment> {
  const { anchorPem } = await createAkAuthority(VECTORS_NOW, serviceKeys().authority)
  return { AK_TRUST_ANCHORS: [anchorPem, ...Object.values(roots).map(({ pem }) => pem)].join('') }
}

beforeAll(async () => {
  database = await openTestDatabase()
  const service = await serviceWith(await trustEveryRoot())
  for (const plan of RUN_PLANS) runs.set(plan.name, await playRun(service, plan))
}, 180_000)

afterAll(() => database?.close())

const produced = new Set(REFUSAL_PLANS.map(({ code }) => code))

describe('what is refused', () => {
  test.each(cases)('$reason: $tries', async (one) => {
    const { reason, tries, status = 400, code = reason, where, settings } = one
    const service = await serviceWith(settings ?? (await trustEveryRoot()))
    const before = await countRefusals(service, reason)
    const bench = new RefusalBench(service, runs, `${reason}: ${tries}`)
    const { answer } = await one.send(bench)
    expect({ status: answer.status, ...readRefusal(answer.body) }).toEqual({ status, code, where })
    // Where several reasons have one code, the service says to itself which it was.
    if (code !== reason) expect(await countRefusals(service, reason)).toBe(before + 1)
    produced.add(reason)
  })
})

async function countRefusals({ services }: FixedService, reason: string): Promise<number> {
  const { values } = await services.metrics.refusals.get()
  return values.find(({ labels }) => labels.reason === reason)?.value ?? 0
}

/** The catalogue of codes, which is made from the declarations that answer them. */
const CATALOGUE = readFileSync('docs/errors.md', 'utf8')

test('every code that was told stands in the catalogue, with its status, cause and change', () => {
  const told = [
    ...REFUSAL_PLANS.map(({ code, status }) => ({ code, status })),
    ...cases.map(({ reason, status = 400 }) => ({ code: reason, status })),
  ]
  for (const { code, status } of told) {
    const row = new RegExp(
      `^\\| \`${code}\`[^|]* \\| ${status} \\| [^|]{10,} \\| [^|]{10,} \\|$`,
      'm',
    )
    expect(CATALOGUE, code).toMatch(row)
  }
})

test('every reason of the surfaces of agents is produced, or said why not', () => {
  const listed = [...Object.keys(ELSEWHERE), ...Object.keys(UNREACHABLE)]
  expect(
    listed.filter((reason) => produced.has(reason)),
    'listed, and produced',
  ).toEqual([])
  expect(
    listed.filter((reason) => !KNOWN.includes(reason)),
    'listed, and no reason',
  ).toEqual([])
  const told = new Set([...produced, ...listed])
  expect(
    KNOWN.filter((reason) => !told.has(reason)),
    'neither produced nor listed',
  ).toEqual([])
})

test.each(Object.entries(ELSEWHERE))('%s is produced by the test that is named', (reason, path) => {
  expect(existsSync(path), path).toBe(true)
  expect(readFileSync(path, 'utf8'), path).toContain(`'${reason}'`)
})
