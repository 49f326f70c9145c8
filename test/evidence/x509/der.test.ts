import { type BaseBlock, fromBER, ObjectIdentifier } from 'asn1js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DerNode, decodeDer, MalformedDer } from '../../../src/evidence/x509/der.ts'
import {
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readExtendedKeyUsage,
  readKeyUsage,
  readSubjectKeyIdentifier,
} from '../../../src/evidence/x509/extensions.ts'
import { readAlternativeNames, readIssuerUrls } from '../../../src/evidence/x509/general-name.ts'
import { MAX_DER_DEPTH, MAX_DER_NODES, MAX_OID_BYTES } from '../../../src/evidence/x509/limits.ts'
import { readName } from '../../../src/evidence/x509/name.ts'
import { readNameConstraints } from '../../../src/evidence/x509/name-constraints.ts'
import { readPolicyExtensions } from '../../../src/evidence/x509/policies.ts'
import { issueCertificate } from '../../support/certificates.ts'
import {
  boolean,
  integer,
  name,
  octetString,
  oid,
  sequence,
  tlv,
} from '../../support/der-writer.ts'

const issued = await issueCertificate({ subject: 'Device', extendedKeyUsage: ['2.23.133.8.3'] })

/** `undefined` for what is refused. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error
    return undefined
  }
}

const PRIMITIVE = [1, 2, 3, 4, 5, 6, 0x0c, 0x13, 0x14, 0x16, 0x17, 0x18]
const hasMembers = (tag: number) => tag === 0x30 || tag === 0x31 || (tag >= 0xa0 && tag < 0xc0)

/** Of types that certificates are made of: values of others the witness reads in its own way. */
function isOrdinary({ tag, children }: DerNode): boolean {
  const isKnown = PRIMITIVE.includes(tag) || (tag >= 0x80 && tag < 0xa0) || hasMembers(tag)
  return isKnown && children.every(isOrdinary)
}

/** The same value by asn1js, a decoder of BER that nobody here wrote. */
function outline(block: BaseBlock): unknown {
  const value: unknown = Reflect.get(block.valueBlock, 'value')
  const raw = block.valueBeforeDecodeView
  return {
    raw: Buffer.from(raw).toString('hex'),
    children: hasMembers(raw[0] ?? 0) && Array.isArray(value) ? value.map(outline) : [],
    oid: block instanceof ObjectIdentifier ? block.valueBlock.toString() : undefined,
  }
}

function outlineOfNode({ tag, raw, children, oid }: DerNode): unknown {
  return {
    raw: Buffer.from(raw).toString('hex'),
    children: hasMembers(tag) ? children.map(outlineOfNode) : [],
    oid,
  }
}

describe('decodeDer', () => {
  test('sees in a certificate what another decoder sees', () => {
    const { result } = fromBER(issued.der)
    expect(outlineOfNode(decodeDer(issued.der, 'x'))).toEqual(outline(result))
  })

  test('sees the same in whatever it accepts of damaged certificates', () => {
    const at = fc.nat({ max: issued.der.length - 1 })
    const change = fc.tuple(at, fc.nat({ max: 255 }))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const der = Uint8Array.from(issued.der)
        for (const [index, value] of changes) der[index] = value
        const node = attempt(() => decodeDer(der, 'x'))
        if (node === undefined || !isOrdinary(node)) return
        const { offset, result } = decodeOrNothing(der)
        // That one also reads the values of primitive types, and may find no date or text there.
        if (result.error === '' && offset !== -1) {
          expect(outlineOfNode(node)).toEqual(outline(result))
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    ['nothing', []],
    ['a byte after the value', [5, 0, 0]],
    ['a value that ends too early', [4, 3, 1, 2]],
    ['a member that reaches beyond its sequence', [0x30, 3, 4, 2, 1, 0]],
    ['an indefinite length', [0x30, 0x80, 0, 0]],
    ['a length with a leading zero', [4, 0x82, 0, 0x80, ...Array(128).fill(0)]],
    ['a long length that fits a short one', [4, 0x81, 1, 0]],
    ['a length of four octets', [4, 0x84, 1, 0, 0, 0]],
    ['a tag number above 30', [0x1f, 0x20, 0]],
    ['the mark of an end without a length', [0, 0]],
    ['an object identifier that is empty', [6, 0]],
    ['a padded arc', [6, 2, 0x80, 1]],
    ['an arc without an end', [6, 2, 0x2a, 0x86]],
    ['an object identifier that only costs time', [6, MAX_OID_BYTES + 1, ...Array(65).fill(1)]],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeDer(Uint8Array.from(bytes), 'x')).toThrow(MalformedDer)
  })

  test('refuses nesting and numbers of values beyond the limits, and not below them', () => {
    const nested = (depth: number): Buffer =>
      depth === 0 ? sequence() : sequence(nested(depth - 1))
    expect(decodeDer(nested(MAX_DER_DEPTH), 'x').children).toHaveLength(1)
    expect(() => decodeDer(nested(MAX_DER_DEPTH + 1), 'x')).toThrow(MalformedDer)
    const wide = (count: number) => sequence(...Array.from({ length: count }, () => tlv(5)))
    expect(decodeDer(wide(MAX_DER_NODES - 1), 'x').children).toHaveLength(MAX_DER_NODES - 1)
    expect(() => decodeDer(wide(MAX_DER_NODES), 'x')).toThrow(MalformedDer)
  })

  test('writes arcs of any size, as those made of a UUID (ITU-T X.667)', () => {
    const ones = [0x06, 0x14, 0x69, 0x83, ...Array(17).fill(0xff), 0x7f]
    expect(decodeDer(Uint8Array.from(ones), 'x').oid).toBe(`2.25.${2n ** 128n - 1n}`)
  })
})

function decodeOrNothing(der: Uint8Array): ReturnType<typeof fromBER> {
  try {
    return fromBER(der, { parseEmbedded: false })
  } catch {
    const { result } = fromBER(Uint8Array.of(5, 0))
    return { offset: -1, result }
  }
}

const policy = (type: string) => (value: Uint8Array) =>
  readPolicyExtensions((one) => (one === type ? value : undefined))
const ia5 = (tag: number, text: string) => tlv(tag, Buffer.from(text))
const host = ia5(0x82, 'a.example')

/** One value of each extension that is read, by RFC 5280 §4.2. */
const READERS: readonly [string, (value: Uint8Array) => unknown, Uint8Array][] = [
  ['basicConstraints', readBasicConstraints, sequence(boolean(true), integer([2]))],
  ['keyUsage', readKeyUsage, tlv(3, Buffer.from([7, 0x80]))],
  ['extKeyUsage', readExtendedKeyUsage, sequence(oid('2.23.133.8.3'))],
  ['subjectKeyIdentifier', readSubjectKeyIdentifier, octetString(Buffer.from('identifier'))],
  ['authorityKeyIdentifier', readAuthorityKeyIdentifier, sequence(ia5(0x80, 'identifier'))],
  [
    'authorityInfoAccess',
    readIssuerUrls,
    sequence(sequence(oid('1.3.6.1.5.5.7.48.2'), ia5(0x86, 'http://a.example/ca.cer'))),
  ],
  [
    'subjectAltName',
    readAlternativeNames,
    sequence(host, tlv(0xa4, name(['2.5.4.3', 'utf8', 'a']))),
  ],
  ['nameConstraints', readNameConstraints, sequence(tlv(0xa0, sequence(host)))],
  ['certificatePolicies', policy('2.5.29.32'), sequence(sequence(oid('1.2.3')))],
  ['policyMappings', policy('2.5.29.33'), sequence(sequence(oid('1.2.3'), oid('1.2.4')))],
  ['policyConstraints', policy('2.5.29.36'), sequence(integer([1], 0x80), integer([2], 0x81))],
  ['inhibitAnyPolicy', policy('2.5.29.54'), integer([1])],
  ['Name', readName, name(['2.5.4.3', 'utf8', 'a'])],
]

describe.each(READERS)('%s', (_, read, value) => {
  test('is read', () => {
    expect(read(value)).toBeDefined()
  })

  test('is refused cut off at any byte, and with a byte after it', () => {
    for (let length = 0; length < value.length; length += 1) {
      expect(() => read(value.subarray(0, length))).toThrow(MalformedDer)
    }
    expect(() => read(Buffer.concat([value, Buffer.alloc(1)]))).toThrow(MalformedDer)
  })

  test('whatever the bytes, is read or refused and nothing else', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void attempt(() => read(bytes))))
    const change = fc.tuple(fc.nat({ max: value.length - 1 }), fc.nat({ max: 255 }))
    fc.assert(
      fc.property(change, ([at, octet]) => {
        const changed = Uint8Array.from(value)
        changed[at] = octet
        attempt(() => read(changed))
      }),
    )
  })
})

describe('what RFC 5280 forbids in an extension', () => {
  test.each<[string, (value: Uint8Array) => unknown, Uint8Array]>([
    ['an empty list of alternative names', readAlternativeNames, sequence()],
    ['a mail address outside ASCII', readAlternativeNames, sequence(ia5(0x81, 'é@a.example'))],
    ['a name of no form', readAlternativeNames, sequence(tlv(0x89))],
    ['constraints without subtrees', readNameConstraints, sequence()],
    ['an empty list of subtrees', readNameConstraints, sequence(tlv(0xa0))],
    [
      'a subtree with a minimum',
      readNameConstraints,
      sequence(tlv(0xa0, sequence(host, integer([1], 0x80)))),
    ],
    [
      'a policy twice',
      policy('2.5.29.32'),
      sequence(sequence(oid('1.2.3')), sequence(oid('1.2.3'))),
    ],
    ['no policies', policy('2.5.29.32'), sequence()],
    [
      'a mapping from anyPolicy',
      policy('2.5.29.33'),
      sequence(sequence(oid('2.5.29.32.0'), oid('1.2'))),
    ],
    [
      'a mapping to anyPolicy',
      policy('2.5.29.33'),
      sequence(sequence(oid('1.2'), oid('2.5.29.32.0'))),
    ],
    ['policyConstraints that say nothing', policy('2.5.29.36'), sequence()],
    ['a negative count', policy('2.5.29.54'), integer([0x80])],
    ['a key identifier that is no octets', readSubjectKeyIdentifier, integer([1])],
  ])('%s', (_, read, value) => {
    expect(() => read(value)).toThrow(MalformedDer)
  })
})

test('of what a certificate names beside its issuer only URLs of the issuer are taken', () => {
  const describe = (method: string, location: Uint8Array) => sequence(oid(method), location)
  const value = sequence(
    describe('1.3.6.1.5.5.7.48.1', ia5(0x86, 'http://ocsp.example')),
    describe('1.3.6.1.5.5.7.48.2', host),
    describe('1.3.6.1.5.5.7.48.2', ia5(0x86, 'ldap://a.example/cn=ca')),
    describe('1.3.6.1.5.5.7.48.2', ia5(0x86, 'http://a.example/ca.cer')),
  )
  expect(readIssuerUrls(value)).toEqual(['ldap://a.example/cn=ca', 'http://a.example/ca.cer'])
})
