import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { knownAnchor } from '../../src/appraisal/known-anchors.ts'
import { MAX_REFERENCE_DOCUMENT_CHARS, MAX_TRUST_ANCHORS } from '../../src/appraisal/limits.ts'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { listAnchorsAt } from '../../src/appraisal/trust-anchors.ts'
import { toBase64 } from '../../src/base/encoding.ts'
import { fingerprintOf } from '../../src/evidence/x509/fingerprint.ts'
import { issueChain } from '../support/certificates.ts'
import { describeMicrosoftChains, readMicrosoft } from '../support/microsoft-chains.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { makeAnchor } from '../support/trust-anchors.ts'

const one = await makeAnchor('One')
const two = await makeAnchor('Two', { notAfter: new Date('2030-01-01T00:00:00Z') })
const { intermediate } = await issueChain()

const read = (...trust_anchors: readonly object[]) =>
  expectOk(parseReferenceValues({ enclaves: [], trust_anchors }))
const listedAt = (values: ReturnType<typeof read>, time: string) =>
  listAnchorsAt(values.anchors, Date.parse(time)).certificates
const knownAt = (values: ReturnType<typeof read>, time: string) =>
  listAnchorsAt(values.anchors, Date.parse(time)).known

test('a document without them has the name that it always had, and lists none', () => {
  const { hash, anchors } = expectOk(parseReferenceValues({ enclaves: [] }))
  expect(hash).toBe('2e37db95117a348824923befe2182b43cbe64cacadb1d4daf62a4fa5dca216ad')
  expect(anchors.size).toBe(0)
  expect(read().anchors.size).toBe(0)
})

test('are found by the SHA-256 of their DER', () => {
  const { anchors } = read(one.entry(), two.entry())
  const expected = createHash('sha256').update(one.certificate.der).digest('base64url')
  expect([...anchors.keys()]).toEqual([expected, two.fingerprint])
  expect(anchors.get(expected)).toMatchObject([{ name: 'One', fingerprint: expected }])
})

test('count while both the entry and the certificate are valid', () => {
  const values = read(
    one.entry({ valid_from: '2026-06-01T00:00:00Z', valid_until: '2026-07-01T00:00:00Z' }),
    two.entry({ valid_from: '2020-01-01T00:00:00Z', valid_until: '2040-01-01T00:00:00Z' }),
  )
  expect(listedAt(values, '2025-12-31T23:59:59Z')).toEqual([])
  expect(listedAt(values, '2026-01-01T00:00:00Z')).toEqual([two.certificate])
  expect(listedAt(values, '2026-06-01T00:00:00Z')).toHaveLength(2)
  expect(listedAt(values, '2026-07-01T00:00:00Z')).toEqual([two.certificate])
  expect(listedAt(values, '2030-01-01T00:00:00Z')).toEqual([two.certificate])
  expect(listedAt(values, '2030-01-01T00:00:00.001Z')).toEqual([])
})

test('several entries of one certificate are one anchor, those that count longest first', () => {
  const values = read(
    two.entry({ name: 'first', valid_until: '2026-03-01T00:00:00Z' }),
    two.entry({ name: 'second', valid_from: '2026-02-01T00:00:00Z' }),
    one.entry(),
  )
  expect(values.anchors.get(two.fingerprint)?.map(({ name }) => name)).toEqual(['first', 'second'])
  expect(listedAt(values, '2026-02-15T00:00:00Z')).toEqual([one.certificate, two.certificate])
  expect(listedAt(values, '2026-04-15T00:00:00Z')).toEqual([one.certificate, two.certificate])
})

describe('a root that is known by name', () => {
  const { fingerprint } = knownAnchor('microsoft-tpm-root-2014')
  const known = (changes: object = {}) => ({ known: 'microsoft-tpm-root-2014', ...changes })

  test('is an anchor by its fingerprint, in its own time and that of its entry', () => {
    const values = read(known({ valid_until: '2039-12-31T00:00:00Z' }), one.entry())
    expect(values.anchors.get(fingerprint)).toMatchObject([
      { name: 'microsoft-tpm-root-2014', certificate: undefined },
    ])
    expect(knownAt(values, '2014-12-10T21:31:18Z')).toEqual([])
    expect(knownAt(values, '2014-12-10T21:31:19Z')).toEqual([fingerprint])
    expect(knownAt(values, '2039-12-10T21:39:28Z')).toEqual([fingerprint])
    expect(knownAt(values, '2039-12-10T21:39:28.001Z')).toEqual([])
    expect(listedAt(values, '2026-02-01T00:00:00Z')).toEqual([one.certificate])
    const ending = read(known({ name: 'Microsoft', valid_until: '2027-01-01T00:00:00Z' }))
    expect(knownAt(ending, '2027-01-01T00:00:00Z')).toEqual([])
    expect(ending.anchors.get(fingerprint)).toMatchObject([{ name: 'Microsoft' }])
  })

  describeMicrosoftChains('and by its certificate', () => {
    const certificate = readMicrosoft('microsoft-tpm-root-2014')

    test('is one anchor, with the certificate that is there', () => {
      const listed = { name: 'Microsoft', certificate: toBase64(certificate.der) }
      const values = read(listed, known())
      expect([...values.anchors.keys()]).toEqual([fingerprint])
      expect(listedAt(values, '2026-02-01T00:00:00Z').map(fingerprintOf)).toEqual([fingerprint])
      expect(knownAt(values, '2026-02-01T00:00:00Z')).toEqual([])
      // The entry that counts may be the one without the certificate.
      const ended = read({ ...listed, valid_until: '2026-01-01T00:00:00Z' }, known())
      expect(listedAt(ended, '2026-02-01T00:00:00Z').map(fingerprintOf)).toEqual([fingerprint])
    })
  })
})

test('as many as there may be fit into a document, each as large as it may be', () => {
  expect(MAX_TRUST_ANCHORS * 6_000).toBeLessThan(MAX_REFERENCE_DOCUMENT_CHARS / 2)
})

describe('what is not a trust anchor', () => {
  const padded = Buffer.concat([one.certificate.der, Buffer.alloc(1)])
  const cases: readonly [string, object, string][] = [
    ['no certificate', { name: 'x' }, 'trust_anchors.0'],
    ['no name', { certificate: one.text }, 'trust_anchors.0'],
    ['an unknown name', { known: 'microsoft-tpm-root-2015' }, 'known'],
    ['both', { known: 'microsoft-tpm-root-2014', ...one.entry() }, 'trust_anchors.0'],
    ['PEM', one.entry({ certificate: `-----BEGIN CERTIFICATE-----\n${one.text}` }), 'certificate'],
    ['base64 with line ends', one.entry({ certificate: `${one.text}\n` }), 'certificate'],
    [
      'base64url',
      one.entry({ certificate: Buffer.from(one.certificate.der).toString('base64url') }),
      'certificate',
    ],
    [
      'other text of the same bytes',
      one.entry({ certificate: respell(one.certificate.der) }),
      'certificate',
    ],
    ['bytes after the certificate', one.entry({ certificate: toBase64(padded) }), 'certificate'],
    ['bytes that are no certificate', one.entry({ certificate: 'AAAA' }), 'certificate'],
    [
      'more than 4 KiB',
      one.entry({ certificate: toBase64(Buffer.alloc(4_097, 0x30)) }),
      'certificate',
    ],
    [
      'a certificate of another issuer',
      one.entry({ certificate: toBase64(intermediate.der) }),
      'certificate',
    ],
    [
      'a window that ends first',
      one.entry({ valid_from: '2026-02-02T00:00:00Z', valid_until: '2026-02-01T00:00:00Z' }),
      'valid_until',
    ],
    ['an unknown member', one.entry({ fingerprint: one.fingerprint }), 'trust_anchors.0'],
  ]
  test.each(cases)('%s', (_name, entry, path) => {
    const document = { enclaves: [], trust_anchors: [entry] }
    const failure = expectRefusal(parseReferenceValues(document), 'reference_values_invalid')
    if (failure.reason !== 'reference_values_invalid') expect.unreachable()
    expect(failure.problems[0]?.path).toContain(path)
  })

  test('one too many', () => {
    const trust_anchors = Array.from({ length: MAX_TRUST_ANCHORS + 1 }, () => one.entry())
    expectOk(parseReferenceValues({ enclaves: [], trust_anchors: trust_anchors.slice(1) }))
    expectRefusal(parseReferenceValues({ enclaves: [], trust_anchors }), 'reference_values_invalid')
  })
})

/** Base64 of the same bytes with other spare bits; of three more bytes where there are none. */
function respell(der: Uint8Array): string {
  const text = toBase64(der)
  const at = text.indexOf('=') - 1
  if (at < 0) return `${text}====`
  return `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) + 1)}${text.slice(at + 1)}`
}
