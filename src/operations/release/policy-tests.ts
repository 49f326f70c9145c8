import { z } from 'zod'
import type { Documents } from '../../access/assess.ts'
import { type Decided, decide } from '../../access/decide.ts'
import { parseReferenceValues, type ReferenceValues } from '../../appraisal/reference-values.ts'
import { describeIssue } from '../../base/fields.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { CompiledPolicy } from '../../policy/document/compile.ts'
import {
  completeQuestion,
  describeHypothesisFailure,
  hypotheticalDeviceSchema,
  hypotheticalEvidence,
  hypotheticalQuestionSchema,
  recordOfHypothesis,
} from '../decide/hypothesis.ts'

const MAX_CASES = 1000
const MAX_NAME_CHARS = 200
const listed = z.array(z.string().min(1).max(128)).max(100)

/** What all cases share, and each may change. */
const situation = {
  /** When the question is asked. */
  at: z.iso.datetime().optional(),
  /** Since when the policy is in force, for graces; for ever unless said. */
  in_force_since: z.iso.datetime().optional(),
  /** `null`: the question names none. */
  device: hypotheticalDeviceSchema.nullable().optional(),
  ...hypotheticalEvidence,
  question: hypotheticalQuestionSchema.optional(),
}

const testCase = z.strictObject({
  name: z.string().min(1).max(MAX_NAME_CHARS),
  ...situation,
  decision: z.boolean(),
  /** Of a denial: ids of clauses, or codes such as `stale`. In any order, all of them. */
  reasons: listed.optional(),
  /** The same of what is wrong and does not count for the moment, such as in its grace. */
  relief: listed.optional(),
  /** Ids of clauses of severity `report` that do not hold. */
  reported: listed.optional(),
})

/** The tests of a policy: what is decided for which device that asks for what. */
export const policyTestsSchema = z.strictObject({
  ...situation,
  /** Beside which the policy decides; else those that lie beside it, and none where none do. */
  reference_values: z.record(z.string(), z.unknown()).optional(),
  cases: z.array(testCase).min(1).max(MAX_CASES),
})

export type PolicyTests = z.infer<typeof policyTestsSchema>
type TestCase = PolicyTests['cases'][number]

export const POLICY_TESTS_REASONS = ['policy_tests_invalid'] as const

/** The tests cannot be run: each problem with the place that has it. */
export type PolicyTestsFailure = {
  readonly reason: (typeof POLICY_TESTS_REASONS)[number]
  readonly problems: readonly string[]
}

/** What one case came to. */
export type TestOutcome = {
  readonly name: string
  /** What was expected and is not so; empty where the case is as expected. */
  readonly differences: readonly Difference[]
  readonly decided: Decided
}

export type Difference = {
  readonly member: 'decision' | 'reasons' | 'relief' | 'reported'
  readonly expected: boolean | readonly string[]
  readonly found: boolean | readonly string[]
}

/**
 * Runs the tests of a policy by the code that decides. `now`: when a question is asked whose case and
 * file name no time.
 */
export function runPolicyTests(
  json: unknown,
  options: {
    readonly policy: CompiledPolicy
    /** Beside which it decides, unless the tests bring their own. */
    readonly referenceValues: ReferenceValues
    readonly now: Date
  },
): Result<readonly TestOutcome[], PolicyTestsFailure> {
  const parsed = policyTestsSchema.safeParse(json)
  if (!parsed.success) return invalid(parsed.error.issues.map(describePlace))
  const tests = parsed.data
  const own = tests.reference_values && parseReferenceValues(tests.reference_values)
  if (own?.ok === false) {
    const { failure } = own
    const problems = 'problems' in failure ? failure.problems : []
    return invalid([
      `reference_values: ${problems.map(({ path, message }) => `${path} ${message}`).join('; ') || failure.reason}`,
    ])
  }
  const rules = { policy: options.policy, referenceValues: own?.value ?? options.referenceValues }
  const outcomes: TestOutcome[] = []
  const problems: string[] = []
  for (const [index, one] of tests.cases.entries()) {
    const decided = decideCase({ tests, one, rules, now: options.now })
    if (decided.ok) outcomes.push(compare(one, decided.value))
    else problems.push(`cases.${index} (${one.name}): ${decided.failure.problems.join('; ')}`)
  }
  return problems.length > 0 ? invalid(problems) : ok(outcomes)
}

const MAX_PROBLEMS = 20

function invalid(problems: readonly string[]) {
  return err({ reason: 'policy_tests_invalid', problems: problems.slice(0, MAX_PROBLEMS) } as const)
}

function describePlace(issue: z.core.$ZodIssue): string {
  const message = describeIssue(issue)
  return issue.path.length === 0 ? message : `${issue.path.join('.')}: ${message}`
}

function decideCase(input: {
  readonly tests: PolicyTests
  readonly one: TestCase
  readonly rules: Documents
  readonly now: Date
}): Result<Decided, PolicyTestsFailure> {
  const { tests, one, rules } = input
  const at = one.at ?? tests.at
  const now = at === undefined ? input.now : new Date(at)
  const isNone = one.device === null || (tests.device === null && one.device === undefined)
  const hypothesis = {
    ...{ ...tests, ...one },
    device: { ...tests.device, ...one.device },
    claims: { ...tests.claims, ...one.claims },
    failing_since: { ...tests.failing_since, ...one.failing_since },
  }
  const record = recordOfHypothesis(hypothesis, now)
  if (!record.ok) return invalid([describeHypothesisFailure(record.failure)])
  const deviceId = isNone ? undefined : record.value.deviceId
  const request = completeQuestion({ ...tests.question, ...one.question }, deviceId)
  if (!request.ok) return invalid([`question: ${request.failure.message}`])
  const since = one.in_force_since ?? tests.in_force_since
  const reliefs = {
    policySince: since === undefined ? new Date(0) : new Date(since),
    holds: [],
    allowedUntil: null,
    outageGraceMs: 0,
  }
  const asked = { rules, request: request.value, reliefs, now }
  return ok(
    isNone
      ? decide({ ...asked, record: null, unnamed: 'device_not_named' })
      : decide({ ...asked, record: record.value }),
  )
}

function compare(one: TestCase, decided: Decided): TestOutcome {
  const { decision, context } = decided.decision
  const found = {
    reasons: context.reasons.map(({ clause, code }) => clause ?? code),
    relief: (context.relief ?? []).map(({ reason, kind }) => reason ?? kind),
    reported: context.reported,
  }
  const differences: Difference[] = []
  if (one.decision !== decision) {
    differences.push({ member: 'decision', expected: one.decision, found: decision })
  }
  for (const member of ['reasons', 'relief', 'reported'] as const) {
    const expected = one[member]
    if (expected !== undefined && !isSameSet(expected, found[member])) {
      differences.push({ member, expected, found: found[member] })
    }
  }
  return { name: one.name, differences, decided }
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  const [a, b] = [new Set(one), new Set(other)]
  return a.size === b.size && [...a].every((item) => b.has(item))
}
