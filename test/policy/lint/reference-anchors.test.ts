import { describe, expect, test } from 'vitest'
import { toBase64 } from '../../../src/base/encoding.ts'
import { lintReferenceValues } from '../../../src/policy/lint/reference-values.ts'
import { issueCertificate } from '../../support/certificates.ts'
import { describeMicrosoftChains, readMicrosoft } from '../../support/microsoft-chains.ts'
import { makeAnchor, readAnchor } from '../../support/trust-anchors.ts'
import { agent, NOW } from '../healthy-device.ts'

const LAST_WEEK = '2026-04-27T00:00:00Z'
const NEXT_WEEK = '2026-05-11T00:00:00Z'
const NEXT_MONTH = '2026-06-04T00:00:00Z'

const root = await makeAnchor('Root')
const other = await makeAnchor('Other')
const ending = await makeAnchor('Ending', { notAfter: new Date(NEXT_WEEK) })
const ended = await makeAnchor('Ended', { notAfter: new Date(LAST_WEEK) })

const lint = (...trust_anchors: readonly object[]) =>
  lintReferenceValues(JSON.stringify({ enclaves: [agent()], trust_anchors }, null, 2), { now: NOW })
    .findings
const codesOf = (...entries: readonly object[]) => lint(...entries).map(({ code }) => code)

describe('trust anchors as they should be', () => {
  test('have no finding', () => {
    expect(lint()).toEqual([])
    expect(lint(root.entry(), other.entry())).toEqual([])
    const old = root.entry({ valid_until: NEXT_MONTH })
    expect(lint(old, root.entry({ valid_from: NEXT_WEEK }))).toEqual([])
  })

  test('that are none are told at their place, once', () => {
    const found = lint(root.entry(), root.entry({ certificate: root.text.slice(4) }))
    expect(found).toMatchObject([
      {
        severity: 'error',
        code: 'document_value_invalid',
        member: 'trust_anchors.1.certificate',
        line: 16,
        column: 22,
        message: expect.stringContaining('certificate_malformed'),
      },
    ])
  })
})

describe('what trust anchors mean', () => {
  test('an entry that has ended, by itself or with its certificate', () => {
    expect(lint(other.entry(), root.entry({ valid_until: LAST_WEEK }))).toMatchObject([
      {
        severity: 'warning',
        code: 'reference_values_expired',
        member: 'trust_anchors.1.valid_until',
        line: 17,
        column: 22,
      },
    ])
    for (const changes of [{}, { valid_until: NEXT_MONTH }]) {
      expect(lint(other.entry(), ended.entry(changes))).toMatchObject([
        {
          severity: 'warning',
          code: 'reference_values_expired',
          member: 'trust_anchors.1.certificate',
          message: expect.stringContaining('2026-04-27T00:00:00.000Z'),
        },
      ])
    }
  })

  test('none that counts now: no attestation key is believed', () => {
    const found = lint(root.entry({ valid_until: LAST_WEEK }))
    expect(found.filter(({ severity }) => severity === 'error')).toMatchObject([
      { code: 'reference_values_anchors_invalid', member: 'trust_anchors.0' },
    ])
    expect(codesOf(ended.entry())).toContain('reference_values_anchors_invalid')
    expect(codesOf(root.entry({ valid_from: NEXT_WEEK }))).toEqual([
      'reference_values_anchors_invalid',
    ])
  })

  test('an entry that promises more time than its certificate has', () => {
    const long = '2040-01-01T00:00:00Z'
    expect(lint(root.entry({ valid_until: long }))).toMatchObject([
      {
        severity: 'warning',
        code: 'reference_values_anchor_cut',
        member: 'trust_anchors.0.valid_until',
        message: expect.stringContaining('2036-01-01T00:00:00.000Z'),
      },
    ])
    const never = root.entry({ valid_from: '2037-01-01T00:00:00Z', valid_until: long })
    expect(lint(other.entry(), never)).toMatchObject([
      { code: 'reference_values_anchor_cut', member: 'trust_anchors.1' },
    ])
  })

  test('a time to come in which a root does not count', () => {
    const found = lint(
      root.entry({ valid_until: NEXT_WEEK }),
      root.entry({ valid_from: NEXT_MONTH }),
    )
    expect(found).toMatchObject([
      { code: 'reference_values_gap', member: 'trust_anchors.1.valid_from' },
    ])
  })

  test('an entry that says nothing new', () => {
    expect(lint(root.entry(), root.entry({ name: 'again' }))).toMatchObject([
      { code: 'reference_values_shadowed', member: 'trust_anchors.1' },
    ])
  })

  test('a root that ends soon, with nothing that follows', () => {
    expect(lint(root.entry({ valid_until: NEXT_WEEK }), other.entry())).toMatchObject([
      { code: 'reference_values_ends_soon', member: 'trust_anchors.0.valid_until', line: 13 },
    ])
    expect(lint(ending.entry(), other.entry())).toMatchObject([
      { code: 'reference_values_ends_soon', member: 'trust_anchors.0.certificate', line: 12 },
    ])
    expect(codesOf(root.entry({ valid_until: NEXT_MONTH }))).toEqual([])
  })

  test('a root that ends soon and was renewed with its key is followed', async () => {
    const request = { subject: 'Renewed', ca: true, notBefore: new Date(LAST_WEEK) }
    const old = await issueCertificate({ ...request, notAfter: new Date(NEXT_WEEK) })
    const young = await issueCertificate({
      ...request,
      notAfter: new Date('2036-01-01T00:00:00Z'),
      key: old.keys,
    })
    const entries = [old, young].map(({ pem }) => readAnchor(pem, 'root').entry())
    expect(lint(...entries)).toEqual([])
  })

  test('a certificate under which nothing can be certified', async () => {
    const unfit = [
      await makeAnchor('No authority', { ca: false }),
      await makeAnchor('Signs no certificates', { keyUsage: ['digitalSignature'] }),
      await makeAnchor('Weak', { key: { kind: 'rsa', bits: 1024 } }),
      await makeAnchor('Constrains what nobody knows', {
        extensions: [{ oid: '1.2.3.4.5', critical: true, value: Uint8Array.of(5, 0) }],
      }),
      await makeAnchor('For endorsement keys alone', { extendedKeyUsage: ['2.23.133.8.1'] }),
    ]
    for (const anchor of unfit) {
      expect(lint(anchor.entry())).toMatchObject([
        {
          severity: 'error',
          code: 'reference_values_anchor_unusable',
          member: 'trust_anchors.0.certificate',
        },
      ])
    }
  })
})

describe('roots that are known by name', () => {
  const known = (changes: object = {}) => ({ known: 'microsoft-tpm-root-2014', ...changes })

  test('have no finding, beside others and in turn', () => {
    expect(lint(known())).toEqual([])
    expect(lint(known({ name: 'Microsoft' }), root.entry())).toEqual([])
    const old = known({ valid_until: NEXT_MONTH })
    expect(lint(old, known({ valid_from: NEXT_WEEK }))).toEqual([])
  })

  test('that are not known are told, with what may be meant', () => {
    expect(lint(known({ known: 'microsoft-tpm-root-2041' }))).toMatchObject([
      {
        severity: 'error',
        code: 'document_value_invalid',
        member: 'trust_anchors.0.known',
        suggestion: expect.stringContaining('microsoft-tpm-root-2014'),
      },
    ])
  })

  test('come with a certificate, or with a name, but not with both', () => {
    for (const entry of [root.entry(known()), { name: 'nobody' }, { certificate: root.text }]) {
      expect(lint(entry)).toMatchObject([
        {
          severity: 'error',
          member: 'trust_anchors.0',
          message: expect.stringContaining('must have a name and a certificate, or known'),
        },
      ])
    }
  })

  test('end, and are listed twice, as those with a certificate', () => {
    expect(lint(root.entry(), known({ valid_until: LAST_WEEK }))).toMatchObject([
      { code: 'reference_values_expired', member: 'trust_anchors.1.valid_until' },
    ])
    expect(lint(known({ valid_until: NEXT_WEEK }))).toMatchObject([
      { code: 'reference_values_ends_soon', member: 'trust_anchors.0.valid_until' },
    ])
    expect(lint(known({ valid_until: '2050-01-01T00:00:00Z' }))).toMatchObject([
      {
        code: 'reference_values_anchor_cut',
        member: 'trust_anchors.0.valid_until',
        message: expect.stringContaining('2039-12-10T21:39:28.000Z'),
      },
    ])
    expect(lint(known(), known({ name: 'again' }))).toMatchObject([
      { code: 'reference_values_shadowed', member: 'trust_anchors.1' },
    ])
    expect(codesOf(known({ valid_from: NEXT_WEEK }))).toEqual(['reference_values_anchors_invalid'])
  })

  describeMicrosoftChains('and by their certificate', () => {
    test('are one root: each says what the other does, and one follows the other', () => {
      const certificate = toBase64(readMicrosoft('microsoft-tpm-root-2014').der)
      const listed = (changes: object = {}) => ({ name: 'Microsoft', certificate, ...changes })
      expect(lint(listed(), known())).toMatchObject([
        { code: 'reference_values_shadowed', member: 'trust_anchors.1' },
      ])
      expect(lint(known(), listed())).toMatchObject([
        { code: 'reference_values_shadowed', member: 'trust_anchors.1' },
      ])
      expect(lint(listed({ valid_until: NEXT_MONTH }), known({ valid_from: NEXT_WEEK }))).toEqual(
        [],
      )
    })
  })
})
