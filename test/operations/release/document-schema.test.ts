import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import {
  schemaOf,
  WRITTEN_KINDS,
  type WrittenKind,
} from '../../../src/operations/release/document-schema.ts'
import { policyTestsSchema } from '../../../src/operations/release/policy-tests.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { policySchema } from '../../../src/policy/document/document.ts'
import { AUTHOR, agent, documentOf } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { makeAnchor } from '../../support/trust-anchors.ts'

/** The witness is Ajv, which nobody here wrote; it refuses schemas that are none themselves. */
const ajv = new Ajv2020({ strict: true, allErrors: true, strictRequired: false })
addFormats.default(ajv)
const VALID = Object.fromEntries(
  WRITTEN_KINDS.map((kind) => [kind, ajv.compile(schemaOf(kind))]),
) as Record<WrittenKind, ReturnType<typeof ajv.compile>>

const PARSES: Readonly<Record<WrittenKind, (json: unknown) => boolean>> = {
  policy: (json) => policySchema.safeParse(json).success,
  'reference-values': (json) => parseReferenceValues(json).ok,
  test: (json) => policyTestsSchema.safeParse(json).success,
}

const root = await makeAnchor('Root')
const clause = documentOf('attestation.vbsEnabled').clauses[0]
const withClause = (changes: object) => ({ name: 'x', clauses: [{ ...clause, ...changes }] })
const texts = (tags: readonly string[]) =>
  Object.fromEntries(tags.map((tag) => [tag, { title: 'a', repair: 'b' }]))
const TAGS = [...'abcdefghijklmnopqrstuvwxyz'].flatMap((one) => [`a${one}`, `b${one}`])
const PIN = { issuer: 'https://contoso.weu.attest.azure.net', hash: 'A'.repeat(43) }
const values = (changes: object) => ({ enclaves: [agent()], ...changes })
const cases = (changes: object) => ({ cases: [{ name: 'x', decision: true, ...changes }] })

const GOOD: readonly [WrittenKind, string, Json][] = [
  ['policy', 'the baseline', BASELINE_POLICY],
  [
    'policy',
    'a clause with all members',
    withClause({ when: 'true', grace_seconds: 60, hold: 'never' }),
  ],
  ['policy', 'languages', withClause({ texts: texts(['en', 'de', 'zh-Hant-TW']) })],
  ['reference-values', 'none', { enclaves: [] }],
  ['reference-values', 'an enclave', values({})],
  [
    'reference-values',
    'an enclave with its end',
    values({ enclaves: [agent({ valid_until: '2027-01-01T00:00:00Z' })] }),
  ],
  ['reference-values', 'a pin', values({ azure_policies: [PIN] })],
  ['reference-values', 'an anchor', values({ trust_anchors: [root.entry()] })],
  [
    'reference-values',
    'a known anchor',
    values({ trust_anchors: [{ known: 'microsoft-tpm-root-2014' }] }),
  ],
  ['test', 'a case', cases({})],
  [
    'test',
    'a case with all members',
    {
      ...{
        at: '2026-12-01T00:00:00Z',
        claims: { enclaveSvn: 7 },
        reference_values: { enclaves: [] },
      },
      ...cases({
        ...{
          at: '2026-12-02T00:00:00Z',
          device: { labels: ['a'], ring: 3 },
          claims: { enclaveSvn: null },
        },
        ...{ failing_since: { clause_0: '2026-12-01T00:00:00Z' }, reasons: ['clause_0'] },
        question: { resource: { type: 'a', id: 'b' }, context: { level: 1 } },
      }),
    },
  ],
]

const BAD: readonly [WrittenKind, string, unknown][] = [
  ['policy', 'no object', []],
  ['policy', 'no clause', { name: 'x', clauses: [] }],
  ['policy', 'too many clauses', { name: 'x', clauses: Array(129).fill(clause) }],
  ['policy', 'no name', { clauses: [clause] }],
  ['policy', 'a member that there is not', withClause({ requires: 'true' })],
  ['policy', 'an id with a capital', withClause({ id: 'A' })],
  ['policy', 'a severity that there is not', withClause({ severity: 'deny' })],
  ['policy', 'a grace of a second', withClause({ grace_seconds: 1 })],
  ['policy', 'a grace with a fraction', withClause({ grace_seconds: 60.5 })],
  ['policy', 'no English', withClause({ texts: texts(['de']) })],
  ['policy', 'a key that is no language', withClause({ texts: texts(['en', 'English']) })],
  ['policy', 'too many languages', withClause({ texts: texts(['en', ...TAGS]) })],
  ['policy', 'an empty repair', withClause({ texts: { en: { title: 'a', repair: '' } } })],
  ['reference-values', 'no enclaves', {}],
  [
    'reference-values',
    'an author of 31 bytes',
    values({ enclaves: [agent({ author_id: AUTHOR.slice(0, 42) })] }),
  ],
  [
    'reference-values',
    'an author with padding',
    values({ enclaves: [agent({ author_id: `${AUTHOR}=` })] }),
  ],
  ['reference-values', 'a version below 0', values({ enclaves: [agent({ minimum_svn: -1 })] })],
  [
    'reference-values',
    'an end that is no time',
    values({ enclaves: [agent({ valid_until: 'soon' })] }),
  ],
  [
    'reference-values',
    'a time of another zone',
    values({ enclaves: [agent({ valid_until: '2027-01-01T00:00:00+01:00' })] }),
  ],
  [
    'reference-values',
    'an issuer with a path',
    values({ azure_policies: [{ ...PIN, issuer: `${PIN.issuer}/x` }] }),
  ],
  [
    'reference-values',
    'an issuer without TLS',
    values({ azure_policies: [{ ...PIN, issuer: 'http://a.example' }] }),
  ],
  [
    'reference-values',
    'an anchor of both kinds',
    values({ trust_anchors: [{ ...root.entry(), known: 'microsoft-tpm-root-2014' }] }),
  ],
  ['reference-values', 'an anchor of neither kind', values({ trust_anchors: [{ name: 'x' }] })],
  [
    'reference-values',
    'a certificate in PEM',
    values({ trust_anchors: [root.entry({ certificate: '-----BEGIN' })] }),
  ],
  ['test', 'no case', { cases: [] }],
  ['test', 'no decision', { cases: [{ name: 'x' }] }],
  ['test', 'a member that there is not', cases({ expected: true })],
  ['test', 'a time of a day', cases({ at: '2026-12-01' })],
  ['test', 'a ring of 100', cases({ device: { ring: 100 } })],
]

describe('the JSON Schema', () => {
  test.each(GOOD)('of %s takes %s, as what reads it does', (kind, _, document) => {
    VALID[kind](document)
    expect(VALID[kind].errors).toBeNull()
    expect(PARSES[kind](document)).toBe(true)
  })

  test.each(BAD)('of %s refuses %s, as what reads it does', (kind, _, document) => {
    expect(VALID[kind](document)).toBe(false)
    expect(PARSES[kind](document)).toBe(false)
  })

  test.each(WRITTEN_KINDS)('of %s stands in a file for editors', (kind) => {
    const file = `docs/schema/${kind}.schema.json`
    const how = `npm run -s countersign -- policy schema ${kind} > ${file}`
    expect(readFileSync(file, 'utf8'), how).toBe(`${JSON.stringify(schemaOf(kind), null, 2)}\n`)
  })
})
