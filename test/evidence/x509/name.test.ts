import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Certificate, parsePemBundle } from '../../../src/evidence/x509/certificate.ts'
import { MAX_NAME_ATTRIBUTES } from '../../../src/evidence/x509/limits.ts'
import { isSameName, nameKey } from '../../../src/evidence/x509/name.ts'
import { verifyPath } from '../../../src/evidence/x509/path.ts'
import { prepareText } from '../../../src/evidence/x509/prepared-text.ts'
import { issueCertificate } from '../../support/certificates.ts'
import {
  type AttributeText,
  name,
  oid,
  type StringKind,
  sequence,
  set,
  string,
  tlv,
} from '../../support/der-writer.ts'
import { describeWith } from '../../support/left-out.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { VECTORS_FOLDER } from '../../support/vectors-folder.ts'

const COMMON_NAME = '2.5.4.3'
const KINDS: readonly StringKind[] = ['utf8', 'printable', 'teletex', 'ia5', 'universal', 'bmp']
const cn = (text: string, kind: StringKind = 'utf8') => name([COMMON_NAME, kind, text])

describe('text is prepared for comparison as RFC 4518 says', () => {
  test.each([
    [
      '§2.2: soft hyphens, zero width spaces and joiners are nothing',
      'a\u00adb\u200bc\u200d',
      'abc',
    ],
    [
      '§2.2: controls of layout and all separators are spaces',
      'a\tb\nc\u00a0d\u2003e',
      'a b c d e',
    ],
    ['§2.2: other controls are nothing', 'a\u0000b\u0008c\u007fd', 'abcd'],
    ['§2.2 by CaseFolding.txt: letters have no case', 'ÀÉÎ Ωmega', 'àéî ωmega'],
    [
      'CaseFolding.txt, F: sharp s, small and capital, is two letters',
      'Straße STRAẞE',
      'strasse strasse',
    ],
    ['CaseFolding.txt: a final sigma is a sigma', 'ΣΑΣ σας', 'σασ σασ'],
    ['CaseFolding.txt, C: a dotless i is no i', 'ıI', 'ıi'],
    ['§2.3: compatible characters are one, NFKC', 'ﬁ Ａ ①', 'fi a 1'],
    ['§2.3: composed or not', 'e\u0301', 'é'],
    ['§2.6.1: spaces at the ends go, several are one', '  a   b  ', 'a b'],
    ['§2.6.1: nothing but spaces is as if empty', '   ', ''],
    ['§2.6.1: a space under a combining mark is a letter', '  \u0301x', ' \u0301x'],
  ])('%s', (_, written, prepared) => {
    expect(prepareText(written)).toBe(prepared)
  })

  test.each([
    ['private use', '\ue000'],
    ['unassigned', '\u0378'],
    ['a replacement character', '\ufffd'],
    ['a lone surrogate', '\ud800'],
  ])('§2.4: %s is prohibited', (_, written) => {
    expect(prepareText(`a${written}`)).toBeUndefined()
  })

  test('preparing what is prepared changes nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const prepared = prepareText(text)
        fc.pre(prepared !== undefined)
        expect(prepareText(prepared)).toBe(prepared)
      }),
    )
  })
})

describe('names are the same by RFC 5280 §7.1', () => {
  test('in every string type', () => {
    for (const one of KINDS) {
      for (const other of KINDS) {
        expect(isSameName(cn('Example TPM Root', one), cn('EXAMPLE  tpm root ', other))).toBe(true)
        expect(isSameName(cn('Example TPM Root', one), cn('Example TPM Rot', other))).toBe(false)
      }
    }
  })

  test('whatever the order in a relative name, but not of relative names', () => {
    const attribute = ([type, kind, text]: AttributeText) => sequence(oid(type), string(kind, text))
    const one = attribute([COMMON_NAME, 'utf8', 'a'])
    const two = attribute(['2.5.4.10', 'utf8', 'b'])
    expect(isSameName(sequence(set(one, two)), sequence(set(two, one)))).toBe(true)
    expect(isSameName(sequence(set(one), set(two)), sequence(set(two), set(one)))).toBe(false)
    expect(isSameName(sequence(set(one), set(two)), sequence(set(one, two)))).toBe(false)
  })

  test('with attributes of one type alone', () => {
    const other = name(['2.5.4.10', 'utf8', 'a'])
    expect(isSameName(cn('a'), other)).toBe(false)
    expect(isSameName(cn('a'), sequence())).toBe(false)
    expect(isSameName(sequence(), sequence())).toBe(true)
  })

  test('only byte by byte where a value is no text, or text that equals nothing', () => {
    const valued = (value: Uint8Array) => sequence(set(sequence(oid(COMMON_NAME), value)))
    const damaged = valued(tlv(0x0c, Buffer.from([0xff])))
    const odd = valued(tlv(0x1e, Buffer.from([0, 0x61, 0])))
    const bits = valued(tlv(0x03, Buffer.from([0, 1])))
    for (const value of [damaged, odd, bits, cn('\ue000')]) {
      expect(isSameName(value, Buffer.from(value))).toBe(true)
      expect(isSameName(value, cn('a'))).toBe(false)
    }
    expect(isSameName(cn('\ue000'), cn('\ue000', 'bmp'))).toBe(false)
  })

  test('only byte by byte where they cannot be read', () => {
    const long = name(
      ...Array.from({ length: MAX_NAME_ATTRIBUTES + 1 }, () => [COMMON_NAME, 'utf8', 'a'] as const),
    )
    for (const damaged of [long, Buffer.from([0x30, 1]), Buffer.from([0x05, 0])]) {
      expect(isSameName(damaged, Buffer.from(damaged))).toBe(true)
      expect(isSameName(damaged, cn('a'))).toBe(false)
    }
  })

  test('for any bytes: it is an equivalence, and no bytes make it fail', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(isSameName(a, b)).toBe(isSameName(b, a))
        expect(isSameName(a, Uint8Array.from(a))).toBe(true)
        expect(nameKey(a) === nameKey(b)).toBe(isSameName(a, b))
      }),
    )
  })
})

test('an issuer is found by whatever spelling of its name', async () => {
  const root = await issueCertificate({ subject: 'Example TPM Root', ca: true })
  const spelled = { ...root, subject: 'EXAMPLE TPM  ROOT' }
  const other = { ...root, subject: 'Example TPM Rot' }
  const verify = async (issuer: typeof root) => {
    const leaf = await issueCertificate({ subject: 'Leaf', issuer })
    const [anchor, end] = [root, leaf].map(({ pem }) => expectOk(parsePemBundle(pem))[0])
    if (anchor === undefined || end === undefined) throw new TypeError('no certificates')
    return verifyPath({
      leaf: end,
      intermediates: [],
      anchors: [anchor],
      now: new Date('2025-01-01T00:00:00Z'),
      usage: { keyUsage: [], allowedCriticalExtensions: [] },
    })
  }
  expectOk(await verify(spelled))
  expectRefusal(await verify(other), 'certificate_issuer_unknown')
})

/** As AMD served them until 2026, from loicsikidi/tpm-ca-certificates; OpenSSL verifies them. */
const CASES = resolve(VECTORS_FOLDER, '../cases')
const folder = existsSync(CASES)
  ? readdirSync(CASES).find((one) => one.endsWith('-dn-string-types'))
  : undefined

describeWith('vectors', folder !== undefined, "authorities of AMD's fTPM", () => {
  const read = (file: string): Certificate => {
    const pem = readFileSync(resolve(CASES, folder ?? '', 'data', file), 'utf8')
    const [certificate] = expectOk(parsePemBundle(pem))
    if (certificate === undefined) throw new TypeError(`nothing in ${file}`)
    return certificate
  }

  test.each(['ecc', 'rsa'])('%s: PrintableString above, UTF8String below', async (kind) => {
    const [leaf, root] = [`amd-ftpm-${kind}-ica-phx.pem`, `amdtpm-root-${kind}-2025.pem`].map(read)
    if (leaf === undefined || root === undefined) throw new TypeError('no certificates')
    expect(Buffer.compare(leaf.issuer, root.subject)).not.toBe(0)
    const path = await verifyPath({
      leaf,
      intermediates: [],
      anchors: [root],
      now: new Date('2026-06-01T00:00:00Z'),
      usage: { keyUsage: ['keyCertSign'], allowedCriticalExtensions: [] },
    })
    expect(expectOk(path).anchor.certificate).toBe(root)
  })
})
