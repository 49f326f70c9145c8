import { describe, expect, test } from 'vitest'
import { parseReferenceValues, pinnedPolicies } from '../../src/appraisal/reference-values.ts'
import { nameDocument, nameKeptDocument } from '../../src/base/document-hash.ts'
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
  expect(nameKeptDocument({ a: 'x\0' })).toBeUndefined()
  expect(nameKeptDocument({ a: '\\\0' })).toBeUndefined()
  expect(nameKeptDocument({ a: '\\u0000' })).toEqual(nameDocument({ a: '\\u0000' }))
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

describe('pinned policies of Azure providers', () => {
  const issuer = 'https://contoso.eus.attest.azure.net'
  const hash = 'ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc'
  const other = 'GiGQCTOylCohHt4rd3pEppD9arh5mXC3ifF1m1hONh0'
  const now = new Date('2026-02-15T00:00:00Z')
  const read = (...azure_policies: unknown[]) =>
    expectOk(parseReferenceValues({ enclaves: [], azure_policies }))

  test('a document without them is named as it was before there were any', () => {
    const { hash: name } = expectOk(parseReferenceValues({ enclaves: [] }))
    expect(name).toBe('2e37db95117a348824923befe2182b43cbe64cacadb1d4daf62a4fa5dca216ad')
    expect(read().hash).not.toBe(name)
  })

  test('are those of one issuer, of which several may count at a time', () => {
    const values = read(
      { issuer, hash, name: 'old' },
      { issuer, hash: other },
      {
        issuer: 'https://fabrikam.weu.attest.azure.net',
        hash,
      },
    )
    expect(pinnedPolicies(values, issuer, now)).toEqual([hash, other])
    expect(pinnedPolicies(values, 'https://fabrikam.weu.attest.azure.net', now)).toEqual([hash])
    expect(pinnedPolicies(values, 'https://evil.eus.attest.azure.net', now)).toEqual([])
    expect(pinnedPolicies(read(), issuer, now)).toEqual([])
  })

  test('count from their beginning to their end', () => {
    const pin = {
      issuer,
      hash,
      valid_from: '2026-02-15T00:00:00Z',
      valid_until: '2026-02-16T00:00:00Z',
    }
    const at = (time: string) => pinnedPolicies(read(pin), issuer, new Date(time))
    expect(at('2026-02-14T23:59:59.999Z')).toEqual([])
    expect(at('2026-02-15T00:00:00Z')).toEqual([hash])
    expect(at('2026-02-15T23:59:59.999Z')).toEqual([hash])
    expect(at('2026-02-16T00:00:00Z')).toEqual([])
  })

  test.each([
    ['a hash of 31 bytes', { issuer, hash: hash.slice(0, 42) }, 'hash'],
    ['a hash in hexadecimal', { issuer, hash: 'ab'.repeat(32) }, 'hash'],
    ['other text of the same bytes', { issuer, hash: hash.replace(/c$/, 'd') }, 'hash'],
    ['a provider without TLS', { issuer: 'http://contoso.eus.attest.azure.net', hash }, 'issuer'],
    ['a provider with a path', { issuer: `${issuer}/`, hash }, 'issuer'],
    ['a provider in capitals', { issuer: 'https://CONTOSO.eus.attest.azure.net', hash }, 'issuer'],
    [
      'a window that ends first',
      {
        issuer,
        hash,
        valid_from: '2026-02-02T00:00:00Z',
        valid_until: '2026-02-01T00:00:00Z',
      },
      'valid_until',
    ],
    ['an unknown member', { issuer, hash, policy: 'x' }, 'azure_policies.0'],
  ])('are refused: %s', (_name, pin, path) => {
    const document = { enclaves: [], azure_policies: [pin] }
    const failure = expectRefusal(parseReferenceValues(document), 'reference_values_invalid')
    if (failure.reason !== 'reference_values_invalid') expect.unreachable()
    expect(failure.problems[0]?.path).toContain(path)
  })

  test('are no more than a document bears', () => {
    const document = { enclaves: [], azure_policies: Array(257).fill({ issuer, hash }) }
    expectRefusal(parseReferenceValues(document), 'reference_values_invalid')
  })
})
