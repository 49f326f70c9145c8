import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../src/appraisal/reference-values.ts'
import { lintDocument, withoutErrors } from '../src/operations/release/check-document.ts'
import { runPolicyTests } from '../src/operations/release/policy-tests.ts'
import { compilePolicy } from '../src/policy/document/compile.ts'
import { documentOf } from './policy/healthy-device.ts'
import type { Json } from './support/json.ts'
import { expectOk } from './support/refusal.ts'

const NOW = new Date('2026-11-27T12:00:00Z')
const NOTHING = expectOk(parseReferenceValues({ enclaves: [] }))

const ANY = expectOk(compilePolicy(documentOf('true || true')))

type Recipe = { readonly title: string; readonly policy: Json; readonly tests: Json }

/** Each heading with the two documents below it, as whoever copies them gets them. */
const RECIPES: readonly Recipe[] = readFileSync('docs/recipes.md', 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((section) => {
    const blocks = [...section.matchAll(/^```json\n([\s\S]*?)^```/gm)]
    const [policy, tests, ...more] = blocks.map(([, text = '']) => JSON.parse(text) as Json)
    expect(more).toEqual([])
    return { title: section.split('\n', 1)[0] ?? '', policy, tests }
  })

function failing(policy: Json, tests: Json): readonly string[] {
  const checked = expectOk(withoutErrors(lintDocument('policy', JSON.stringify(policy), NOW)))
  if (checked.kind !== 'policy') throw new TypeError('it was read as a policy')
  const options = { policy: checked.compiled, referenceValues: NOTHING, now: NOW }
  const outcomes = expectOk(runPolicyTests(tests, options))
  return outcomes.filter(({ differences }) => differences.length > 0).map(({ name }) => name)
}

test('the form of tests that the page on policies shows is what is read', () => {
  const page = readFileSync('docs/policy.md', 'utf8')
  const blocks = [...page.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, text = '']) => text)
  const shown = blocks.filter((text) => text.includes('"cases"'))
  expect(shown).toHaveLength(1)
  expectOk(
    runPolicyTests(JSON.parse(shown[0] ?? ''), { policy: ANY, referenceValues: NOTHING, now: NOW }),
  )
})

test('there are the six that people ask for', () => {
  expect(RECIPES.map(({ title }) => title)).toEqual([
    'BitLocker from a date, with grace',
    'A clause for one application',
    "An agent's new version",
    'An exception for a lab',
    'Business hours',
    'A staged TPM root',
  ])
})

describe.each(RECIPES)('$title', ({ policy, tests }) => {
  test('lint has nothing against it, nor against the reference values beside it', () => {
    expect(lintDocument('policy', JSON.stringify(policy, null, 2), NOW).findings).toEqual([])
    if (tests.reference_values === undefined) return
    const values = JSON.stringify(tests.reference_values, null, 2)
    expect(lintDocument('reference-values', values, NOW).findings).toEqual([])
  })

  test('it decides as its cases say, and without its clause it does not', () => {
    expect(failing(policy, tests)).toEqual([])
    const nothing = { id: 'nothing', require: 'true || true' }
    const clauses = [
      {
        ...policy.clauses[0],
        ...nothing,
        when: undefined,
        enforce_from: undefined,
        grace_seconds: undefined,
      },
    ]
    const without = { ...policy, clauses: JSON.parse(JSON.stringify(clauses)) }
    const denied = tests.cases.filter((one: Json) => !one.decision).map((one: Json) => one.name)
    expect(denied.length).toBeGreaterThan(0)
    expect(failing(without, tests)).toEqual(expect.arrayContaining(denied))
  })
})
