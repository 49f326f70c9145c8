import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { explainClauses } from '../../access/explain-clauses.ts'
import type { ReferenceValues } from '../../appraisal/reference-values.ts'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import {
  type Difference,
  runPolicyTests,
  type TestOutcome,
} from '../../operations/release/policy-tests.ts'
import { EXIT } from '../framework/command.ts'
import { printable, printJson, printText } from '../framework/output.ts'
import { readJsonFile } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import { describeFindings } from './describe-findings.ts'
import { FILE_OF_KIND } from './document-kinds.ts'
import {
  type Candidate,
  demandChecked,
  hasErrors,
  lintCandidate,
  readCandidate,
} from './read-document.ts'

/** What became of the tests of a policy. */
export type RanTests = {
  readonly file: string
  /** Why they cannot be run; empty where they were. */
  readonly problems: readonly string[]
  readonly outcomes: readonly TestOutcome[]
}

/** The tests that stand beside a policy: `policy.test.json` beside `policy.json`. */
export function testsBeside(file: string): string | undefined {
  const beside = file.replace(/\.json$/, '.test.json')
  return beside !== file && existsSync(beside) ? beside : undefined
}

/** Runs the tests of a policy, beside the reference values that lie in its folder. */
export function runTests(candidate: Candidate, file: string, now: Date): RanTests {
  const checked = demandChecked(candidate)
  if (checked.kind !== 'policy') throw new UsageError('only policies have tests')
  const ran = runPolicyTests(readJsonFile(file), {
    policy: checked.compiled,
    referenceValues: readValuesBeside(candidate.label, now),
    now,
  })
  if (ran.ok) return { file, problems: [], outcomes: ran.value }
  return { file, problems: ran.failure.problems, outcomes: [] }
}

export function haveFailed({ problems, outcomes }: RanTests): boolean {
  return problems.length > 0 || outcomes.some(({ differences }) => differences.length > 0)
}

/** None lie there: no enclave is listed, and tests that need one bring their own. */
const NO_VALUES = '{"enclaves":[]}'

function readValuesBeside(policyFile: string, now: Date): ReferenceValues {
  const kind = 'reference-values'
  const file = join(dirname(policyFile), FILE_OF_KIND[kind])
  const candidate = existsSync(file)
    ? readCandidate(kind, file, { now })
    : lintCandidate({ kind, label: 'no reference values', text: NO_VALUES, now })
  const checked = demandChecked(candidate)
  if (checked.kind !== kind) throw new TypeError('a document is of the kind that it was read as')
  return checked.compiled
}

/** Runs the tests of one policy and prints what is not as expected. */
export function testPolicy(options: {
  readonly file: string
  readonly fixtures: string | undefined
  readonly json: boolean
  readonly now: Date
}): number {
  const { file, json, now } = options
  const candidate = readCandidate('policy', file, { now })
  if (hasErrors(candidate)) {
    if (json) printJson({ file: candidate.label, ok: false, findings: candidate.findings })
    else printText(describeFindings(candidate))
    return EXIT.refused
  }
  const fixtures = options.fixtures ?? testsBeside(file)
  if (fixtures === undefined) {
    const beside = file.replace(/(\.json)?$/, '.test.json')
    throw new UsageError(
      `there is no ${beside}: write it (${COMMAND} policy schema test), or name the tests with --fixtures`,
    )
  }
  const ran = runTests(candidate, fixtures, now)
  if (json) printJson({ file: candidate.label, ok: !haveFailed(ran), ...showTests(ran) })
  else printText(describeTests(ran))
  return haveFailed(ran) ? EXIT.refused : EXIT.done
}

export function showTests({ file: fixtures, problems, outcomes }: RanTests): object {
  const cases = outcomes.map(({ name, differences, decided }) => {
    const isAsExpected = differences.length === 0
    const clauses = isAsExpected ? {} : { clauses: explainClauses(decided) }
    return { name, ok: isAsExpected, differences, ...clauses }
  })
  return { fixtures, problems, cases }
}

/** All that is wrong, and a line that says how many cases there are. */
export function describeTests({ file, problems, outcomes }: RanTests): string {
  if (problems.length > 0) {
    return `${problems.map((problem) => printable(`${file}: ${problem}`)).join('\n')}\n`
  }
  const failed = outcomes.filter(({ differences }) => differences.length > 0)
  const all = plural(outcomes.length, 'case')
  if (failed.length === 0) return `${file}: ${all}, all as expected\n`
  const end = `${file}: ${failed.length} of ${all} ${failed.length === 1 ? 'is' : 'are'} not as expected\n`
  return failed.map(describeFailed).join('') + end
}

function describeFailed({ name, differences, decided }: TestOutcome): string {
  const lines = differences.map(({ member, expected, found }) => {
    return `    ${member}: expected ${describeValue(expected)}, and it is ${describeValue(found)}`
  })
  const clauses = explainClauses(decided)
    .filter(({ severity, status }) => {
      return severity === 'enforce' && (status === 'fail' || status === 'undecidable')
    })
    .map(({ clause, status, reads }) => {
      const values = Object.entries(reads).map(([path, value]) => {
        return `${path} = ${value === null ? 'nothing' : JSON.stringify(value)}`
      })
      return `    ${clause}: ${status}, as ${values.join(', ')}`
    })
  return `${[`  ✗ ${name}`, ...lines, ...clauses].map(printable).join('\n')}\n`
}

function describeValue(value: Difference['found']): string {
  if (typeof value === 'boolean') return value ? 'granted' : 'denied'
  return value.length === 0 ? 'none' : value.join(', ')
}
