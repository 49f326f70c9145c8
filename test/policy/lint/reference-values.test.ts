import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import { LINT_CODES, type LintFinding } from '../../../src/policy/lint/finding.ts'
import { lintReferenceValues } from '../../../src/policy/lint/reference-values.ts'
import { agent, FAMILY, IMAGE, NOW, OTHER_AUTHOR } from '../healthy-device.ts'

const lint = (document: object): readonly LintFinding[] =>
  lintReferenceValues(JSON.stringify(document, null, 2), { now: NOW }).findings

const codesOf = (document: object) => lint(document).map(({ code }) => code)

const LAST_MONTH = '2026-04-01T00:00:00Z'
const LAST_WEEK = '2026-04-27T00:00:00Z'
const NEXT_WEEK = '2026-05-11T00:00:00Z'
const NEXT_MONTH = '2026-06-04T00:00:00Z'

const ISSUER = 'https://contoso.weu.attest.azure.net'
const HASH = Buffer.alloc(32, 1).toString('base64url')
const OTHER_HASH = Buffer.alloc(32, 2).toString('base64url')
const pin = (changes: object = {}) => ({ issuer: ISSUER, hash: HASH, ...changes })
const withPins = (...pins: readonly object[]) => ({ enclaves: [agent()], azure_policies: pins })

describe('reference values as they should be', () => {
  test('have no finding', () => {
    expect(lint({ enclaves: [agent()] })).toEqual([])
    expect(lint(withPins(pin(), pin({ hash: OTHER_HASH })))).toEqual([])
  })

  test('old → old and new → new may overlap', () => {
    const old = agent({ minimum_svn: 5, valid_until: NEXT_MONTH })
    expect(lint({ enclaves: [old, agent({ minimum_svn: 6, valid_from: NEXT_WEEK })] })).toEqual([])
    expect(lint({ enclaves: [old, agent({ minimum_svn: 6 })] })).toEqual([])
    const other = agent({ author_id: OTHER_AUTHOR, valid_from: NEXT_MONTH })
    expect(lint({ enclaves: [agent({ valid_until: NEXT_MONTH }), other] })).toEqual([])
  })
})

describe('what they are made of', () => {
  test('all mistakes at once, each at its place', () => {
    const text = `{
  "enclaves": [
    {"name": "agent", "author_id": "AAAA", "minimum_svm": 5, "minimum_svn": -1}
  ],
  "azure_policies": [
    {"issuer": "https://a.example/", "hash": "${HASH}", "valid_from": "yesterday"}
  ]
}`
    expect(lintReferenceValues(text, { now: NOW }).findings).toEqual([
      {
        severity: 'error',
        code: 'document_value_invalid',
        member: 'enclaves.0.author_id',
        line: 3,
        column: 36,
        message: 'must be base64url of 32 bytes without padding',
      },
      {
        severity: 'error',
        code: 'document_member_unknown',
        member: 'enclaves.0.minimum_svm',
        line: 3,
        column: 44,
        message: expect.stringContaining('there is no member minimum_svm here, but name, '),
        suggestion: 'minimum_svn',
      },
      {
        severity: 'error',
        code: 'document_value_invalid',
        member: 'enclaves.0.minimum_svn',
        line: 3,
        column: 77,
        message: 'must be 0 or more',
      },
      {
        severity: 'error',
        code: 'document_value_invalid',
        member: 'azure_policies.0.issuer',
        line: 6,
        column: 16,
        message: 'must be the https URL of a provider, without a path',
      },
      {
        severity: 'error',
        code: 'document_value_invalid',
        member: 'azure_policies.0.valid_from',
        line: 6,
        column: 107,
        message: 'must be a time in UTC such as 2026-01-31T00:00:00Z',
      },
    ])
  })

  test('a time that ends before it begins, and JSON that is none', () => {
    const turned = agent({ valid_from: NEXT_MONTH, valid_until: NEXT_WEEK })
    expect(lint({ enclaves: [turned] })).toMatchObject([
      { member: 'enclaves.0.valid_until', message: 'valid_until must be after valid_from' },
    ])
    expect(lintReferenceValues('{', { now: NOW }).findings).toMatchObject([{ code: 'json_syntax' }])
  })

  test('a document that is too long as a whole', () => {
    const images = Array.from({ length: 256 }, (_, at) =>
      Buffer.alloc(16, at).toString('base64url'),
    )
    const enclaves = Array.from({ length: 200 }, () => agent({ image_ids: images }))
    expect(lint({ enclaves })).toMatchObject([{ code: 'document_over_limit', line: 1, column: 1 }])
  })
})

describe('what they mean', () => {
  test('no enclave, or none that counts now: nothing is trusted', () => {
    expect(lint({ enclaves: [] })).toMatchObject([
      { severity: 'warning', code: 'reference_values_empty', line: 2, column: 15 },
    ])
    const later = agent({ valid_from: NEXT_WEEK })
    expect(codesOf({ enclaves: [later] })).toEqual(['reference_values_empty'])
  })

  test('an entry that has ended', () => {
    const enclaves = [agent({ valid_until: LAST_WEEK }), agent({ minimum_svn: 6 })]
    expect(lint({ enclaves })).toMatchObject([
      {
        severity: 'warning',
        code: 'reference_values_expired',
        member: 'enclaves.0.valid_until',
        line: 7,
        column: 22,
      },
    ])
  })

  test('a time to come without any entry of an author, or pin of an issuer', () => {
    const enclaves = [
      agent({ minimum_svn: 6, valid_from: NEXT_MONTH }),
      agent({ valid_until: NEXT_WEEK }),
    ]
    expect(lint({ enclaves })).toMatchObject([
      {
        severity: 'warning',
        code: 'reference_values_gap',
        member: 'enclaves.0.valid_from',
        line: 7,
        column: 21,
        message: expect.stringContaining('since 2026-05-11T00:00:00.000Z'),
      },
    ])
    const pins = withPins(pin({ valid_until: NEXT_WEEK }), pin({ valid_from: NEXT_MONTH }))
    expect(codesOf(pins)).toEqual(['reference_values_gap'])
    const touching = withPins(pin({ valid_until: NEXT_WEEK }), pin({ valid_from: NEXT_WEEK }))
    expect(codesOf(touching)).toEqual([])
  })

  test('a gap that is over is no news', () => {
    const enclaves = [agent({ valid_until: LAST_MONTH }), agent({ valid_from: LAST_WEEK })]
    expect(codesOf({ enclaves })).toEqual(['reference_values_expired'])
  })

  test('an author or issuer of whom nothing is left in the days to come', () => {
    const other = agent({ author_id: OTHER_AUTHOR })
    const earlier = agent({ minimum_svn: 6, valid_until: LAST_WEEK })
    const found = lint({ enclaves: [agent({ valid_until: NEXT_WEEK }), other, earlier] })
    expect(found.filter(({ code }) => code !== 'reference_values_expired')).toMatchObject([
      {
        severity: 'warning',
        code: 'reference_values_ends_soon',
        member: 'enclaves.0.valid_until',
        line: 7,
        column: 22,
        message: expect.stringContaining('within 7 days, at 2026-05-11T00:00:00.000Z'),
      },
    ])
    expect(codesOf(withPins(pin({ valid_until: NEXT_WEEK })))).toEqual([
      'reference_values_ends_soon',
    ])
    const followed = withPins(pin({ valid_until: NEXT_WEEK }), pin({ hash: OTHER_HASH }))
    expect(codesOf(followed)).toEqual([])
    expect(codesOf(withPins(pin({ valid_until: NEXT_MONTH })))).toEqual([])
    const [soon] = lint({ enclaves: [agent({ valid_until: '2026-05-04T11:00:00Z' })] })
    expect(soon?.message).toMatch(/^ends within 1 hour, at /)
  })

  test('an image of which nothing is left, whatever else of its author is listed', () => {
    const listed = (byte: number, changes: object = {}) =>
      agent({ image_ids: [Buffer.alloc(16, byte).toString('base64url')], ...changes })
    const soon = new Date(NOW.getTime() + 13 * 3_600_000).toISOString()
    const ending = listed(1, { valid_until: soon })
    expect(lint({ enclaves: [ending, listed(2)] })).toMatchObject([
      {
        code: 'reference_values_ends_soon',
        member: 'enclaves.0.valid_until',
        message: expect.stringContaining('within 13 hours'),
      },
    ])
    const family = agent({ family_id: FAMILY, valid_until: soon })
    expect(codesOf({ enclaves: [family, listed(2)] })).toEqual(['reference_values_ends_soon'])
    // What lists the same images or more goes on, with a higher minimum too.
    for (const follower of [listed(1, { minimum_svn: 9 }), agent({ minimum_svn: 9 })]) {
      expect(codesOf({ enclaves: [ending, follower] })).toEqual([])
    }
    const minute = new Date(NOW.getTime() + 60_000).toISOString()
    const [one] = lint({ enclaves: [listed(1, { valid_until: minute }), listed(2)] })
    expect(one?.message).toContain('within 1 hour,')
  })

  test('a higher minimum that the entry before it makes void', () => {
    const enclaves = [agent({ minimum_svn: 5 }), agent({ minimum_svn: 6 })]
    expect(lint({ enclaves })).toMatchObject([
      {
        severity: 'warning',
        code: 'reference_values_shadowed',
        member: 'enclaves.1',
        message: expect.stringContaining('enclaves.0'),
      },
    ])
    const narrower = agent({ family_id: FAMILY, image_ids: [IMAGE] })
    expect(codesOf({ enclaves: [narrower, agent()] })).toEqual(['reference_values_shadowed'])
    expect(codesOf({ enclaves: [agent(), agent()] })).toEqual(['reference_values_shadowed'])
    expect(codesOf({ enclaves: [narrower, agent({ minimum_svn: 6 })] })).toEqual([])
    expect(codesOf(withPins(pin(), pin()))).toEqual(['reference_values_shadowed'])
  })

  test('an issuer whose pins count no more, or not yet: all of its tokens are refused', () => {
    const ended = pin({ valid_until: LAST_WEEK })
    expect(lint(withPins(ended)).filter(({ severity }) => severity === 'error')).toMatchObject([
      { code: 'reference_values_pins_invalid', member: 'azure_policies.0', line: 10, column: 5 },
    ])
    expect(codesOf(withPins(pin({ valid_from: NEXT_WEEK })))).toEqual([
      'reference_values_pins_invalid',
    ])
    expect(codesOf(withPins(ended, pin({ hash: OTHER_HASH })))).toEqual([
      'reference_values_expired',
    ])
  })
})

test('any text is looked through without an error, and what has none can come into force', () => {
  const time = fc.constantFrom(undefined, LAST_MONTH, LAST_WEEK, NEXT_WEEK, NEXT_MONTH, 'x')
  const entry = fc
    .record({ valid_from: time, valid_until: time, minimum_svn: fc.constantFrom(4, 5, '5') })
    .map(agent)
  const document = fc
    .record({ enclaves: fc.array(entry, { maxLength: 5 }), name: fc.string({ unit: 'binary' }) })
    .map((value) => JSON.stringify(value, null, 1))
  fc.assert(
    fc.property(fc.oneof(document, fc.string(), fc.json()), (text) => {
      const { findings, compiled } = lintReferenceValues(text, { now: NOW })
      const lines = text.split('\n')
      const wrong = findings.filter(({ line, column, code }) => {
        return !LINT_CODES.includes(code) || column > (lines[line - 1] ?? '').length + 1
      })
      expect(wrong).toEqual([])
      if (findings.some(({ severity }) => severity === 'error')) return
      const alone = parseReferenceValues(JSON.parse(text))
      expect(alone.ok && alone.value.hash).toBe(compiled?.hash)
    }),
    { numRuns: 500 },
  )
})
