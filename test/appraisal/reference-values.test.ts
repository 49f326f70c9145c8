import { describe, expect, test } from 'vitest'
import { nameDocument } from '../../src/appraisal/document-hash.ts'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { AUTHOR, agent, FAMILY, IMAGE } from '../policy/healthy-device.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

test('a document is named by its content, whatever the order of its members', () => {
  const a = expectOk(parseReferenceValues({ name: 'x', enclaves: [agent()] }))
  const b = expectOk(
    parseReferenceValues({
      enclaves: [{ minimum_svn: 5, author_id: AUTHOR, name: 'agent' }],
      name: 'x',
    }),
  )
  expect(a.hash).toMatch(/^[0-9a-f]{64}$/)
  expect(b.hash).toBe(a.hash)
  expect(expectOk(parseReferenceValues({ enclaves: [agent()] })).hash).not.toBe(a.hash)
})

test('the name is the SHA-256 of the RFC 8785 form', () => {
  expect(nameDocument({ b: [1e21, 'é'], a: null })).toEqual({
    canonical: '{"a":null,"b":[1e+21,"é"]}',
    hash: 'a1347d78191972fd61bf8bf3cade2eceb4aa2f3afef9b5f5a4423b571a336b7b',
  })
  expect(nameDocument({ a: '\ud800' })).toBeUndefined()
})

test('an empty list is a document', () => {
  expect(expectOk(parseReferenceValues({ enclaves: [] })).enclavesByAuthor.size).toBe(0)
})

describe('what is not a reference-value document', () => {
  const cases: readonly [string, unknown, string][] = [
    ['no object', [], ''],
    ['an unknown member', { enclaves: [agent({ minimum_svm: 1 })] }, 'enclaves.0'],
    ['an author of 31 bytes', { enclaves: [agent({ author_id: AUTHOR.slice(2) })] }, 'author_id'],
    ['hexadecimal', { enclaves: [agent({ author_id: 'a1'.repeat(32) })] }, 'author_id'],
    [
      'other text of the same bytes',
      { enclaves: [agent({ family_id: `${FAMILY.slice(0, -1)}R` })] },
      'family_id',
    ],
    ['no images', { enclaves: [agent({ image_ids: [] })] }, 'image_ids'],
    ['a negative version', { enclaves: [agent({ minimum_svn: -1 })] }, 'minimum_svn'],
    [
      'a window that ends first',
      {
        enclaves: [
          agent({ valid_from: '2026-02-01T00:00:00Z', valid_until: '2026-01-01T00:00:00Z' }),
        ],
      },
      'valid_until',
    ],
    ['half a surrogate pair', { enclaves: [agent({ name: '\ud800' })] }, ''],
  ]
  test.each(cases)('%s', (_name, document, path) => {
    const failure = expectRefusal(parseReferenceValues(document), 'reference_values_invalid')
    if (failure.reason !== 'reference_values_invalid') expect.unreachable()
    expect(failure.problems[0]?.path).toContain(path)
  })
})

test('a document beyond the size limit is refused', () => {
  const image_ids = Array.from({ length: 256 }, () => IMAGE)
  const enclaves = Array.from({ length: 200 }, () => agent({ image_ids }))
  expectRefusal(parseReferenceValues({ enclaves }), 'reference_values_over_limit')
})
