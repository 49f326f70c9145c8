import { expect, test } from 'vitest'
import {
  ANCHOR_NAMES,
  KNOWN_ANCHOR_NAMES,
  KNOWN_ANCHORS,
  knownAnchor,
  readAnchorWord,
} from '../../src/appraisal/known-anchors.ts'
import { fromBase64Url, toHex } from '../../src/base/encoding.ts'
import { parsePemBundle } from '../../src/evidence/x509/certificate.ts'
import { fingerprintOf } from '../../src/evidence/x509/fingerprint.ts'
import { describeMicrosoftChains, readMicrosoft } from '../support/microsoft-chains.ts'
import { expectOk } from '../support/refusal.ts'
import { describeVectors, vectorText } from '../support/vectors.ts'

const MICROSOFT = '870c7a35ceab3d59979f2c6a524042d404cb71518004350925fb2ced79a999da'

describeMicrosoftChains("Microsoft's root, as devices chain to it", () => {
  test('has the fingerprint and the time by which it is known', () => {
    const root = readMicrosoft('microsoft-tpm-root-2014')
    const { fingerprint, notBefore, notAfter } = knownAnchor('microsoft-tpm-root-2014')
    expect(fingerprintOf(root)).toBe(fingerprint)
    expect([root.notBefore, root.notAfter]).toEqual([notBefore, notAfter])
  })
})

describeVectors('the list of roots that tpm-ca-certificates keeps', () => {
  test('has each known root, and says the same fingerprint of it', () => {
    const text = vectorText('certs/tpm-vendors/roots.pem')
    const roots = expectOk(parsePemBundle(text)).map(fingerprintOf)
    for (const { subject, fingerprint } of KNOWN_ANCHORS) {
      expect(roots).toContain(fingerprint)
      const hex = toHex(fromBase64Url(fingerprint) ?? new Uint8Array())
      const written = (hex.toUpperCase().match(/../g) ?? []).join(':')
      const [, said] = text.split(`# Certificate: ${subject}\n`)
      expect(said?.slice(0, said.indexOf('-----BEGIN'))).toContain(written)
    }
  })
})

test('each has a name of its own, and the names that may be written are these and groups', () => {
  expect(KNOWN_ANCHORS.map(({ name }) => name)).toEqual(KNOWN_ANCHOR_NAMES)
  for (const name of ANCHOR_NAMES) expect(readAnchorWord(name)?.length).toBeGreaterThan(0)
})

test('a word of a configuration is a name, a group, or any fingerprint as tools print it', () => {
  const expected = [knownAnchor('microsoft-tpm-root-2014').fingerprint]
  expect(readAnchorWord('microsoft')).toEqual(expected)
  expect(readAnchorWord('microsoft-tpm-root-2014')).toEqual(expected)
  expect(readAnchorWord(`sha256:${MICROSOFT}`)).toEqual(expected)
  const byOpenssl = (MICROSOFT.toUpperCase().match(/../g) ?? []).join(':')
  expect(readAnchorWord(`sha256:${byOpenssl}`)).toEqual(expected)
})

test.each([
  '',
  'Microsoft',
  'microsoft-tpm-root-2015',
  'constructor',
  MICROSOFT,
  `sha256:${MICROSOFT.slice(2)}`,
  `sha256:${MICROSOFT}00`,
  `sha1:${MICROSOFT.slice(0, 40)}`,
])('a word that means nothing is none: %s', (word) => {
  expect(readAnchorWord(word)).toBeUndefined()
})
