import { describe, expect, test } from 'vitest'
import { allowAiaUrl } from '../../src/aia/hosts.ts'
import { knownAnchor } from '../../src/appraisal/known-anchors.ts'
import { parseConfig } from '../../src/config/config.ts'
import { readTrustAnchors } from '../../src/config/trust-anchors.ts'
import { fingerprintOf } from '../../src/evidence/x509/fingerprint.ts'
import { issueCertificate, issueChain } from '../support/certificates.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const MICROSOFT = knownAnchor('microsoft-tpm-root-2014').fingerprint

function mistakesOf(env: Readonly<Record<string, string>>): readonly string[] {
  return expectRefusal(parseConfig(env), 'config_invalid').mistakes
}

describe('AK_TRUST_ANCHORS', () => {
  test('names roots that are known, without their certificates', () => {
    for (const text of ['microsoft', ' microsoft , microsoft-tpm-root-2014\n']) {
      expect(readTrustAnchors(text)).toEqual({
        anchors: [],
        knownAnchors: new Set([MICROSOFT]),
        intermediates: [],
      })
      expect(expectOk(parseConfig({ AK_TRUST_ANCHORS: text })).akTrustAnchors).toBe(text)
    }
  })

  test('holds certificates in PEM, with comments, and words before them', async () => {
    const { root, intermediate } = await issueChain()
    const bundle = `# our root\n${root.pem}Certificate:\n  Data\n${intermediate.pem}`
    for (const [text, known] of [
      [bundle, []],
      [`microsoft\n${bundle}`, [MICROSOFT]],
      [`microsoft\r\n\r\n${bundle}`, [MICROSOFT]],
    ] as const) {
      const trust = readTrustAnchors(text)
      expect(trust.anchors.map(fingerprintOf)).toEqual([fingerprintOf(root)])
      expect(trust.intermediates.map(fingerprintOf)).toEqual([fingerprintOf(intermediate)])
      expect([...(trust.knownAnchors ?? [])]).toEqual(known)
    }
  })

  test('may hold certificates that lead to a named root, and no other root', async () => {
    const { intermediate } = await issueChain()
    expect(readTrustAnchors(`microsoft\n${intermediate.pem}`)).toMatchObject({ anchors: [] })
    expect(mistakesOf({ AK_TRUST_ANCHORS: intermediate.pem })).toEqual([
      'AK_TRUST_ANCHORS: holds no self-signed certificate',
    ])
  })

  test('names any other root by its fingerprint', async () => {
    const root = await issueCertificate({ subject: 'Root', ca: true })
    const hex = Buffer.from(fingerprintOf(root), 'base64url').toString('hex')
    expect(readTrustAnchors(`sha256:${hex}`)).toMatchObject({
      knownAnchors: new Set([fingerprintOf(root)]),
    })
  })

  test.each([
    'microsft',
    'microsoft,',
    'microsoft, other',
    'microsoft\nmicrosoft',
    'sha256:00',
    '-',
  ])('that means nothing is refused at the start: %s', (text) => {
    expect(mistakesOf({ AK_TRUST_ANCHORS: text })).toEqual([
      expect.stringMatching(/^AK_TRUST_ANCHORS: /),
    ])
  })
})

describe('AIA_HOSTS', () => {
  const isAllowed = (text: string | undefined, url: string) => {
    const env = text === undefined ? {} : { AIA_HOSTS: text }
    return allowAiaUrl(url, expectOk(parseConfig(env)).aiaPlaces) !== undefined
  }
  const MICROSOFT_PLACE = 'http://azcsprodeusaikpublish.blob.core.windows.net/x.cer'
  const OWN_PLACE = 'http://ca.example.com/x.cer'

  test('is where Microsoft and makers of TPMs publish, unless it says otherwise', () => {
    expect(isAllowed(undefined, MICROSOFT_PLACE)).toBe(true)
    expect(isAllowed('default', MICROSOFT_PLACE)).toBe(true)
    expect(isAllowed(undefined, OWN_PLACE)).toBe(false)
    expect(isAllowed('ca.example.com', OWN_PLACE)).toBe(true)
    expect(isAllowed('ca.example.com', MICROSOFT_PLACE)).toBe(false)
    expect(isAllowed('default, ca.example.com', MICROSOFT_PLACE)).toBe(true)
    expect(isAllowed('none', MICROSOFT_PLACE)).toBe(false)
  })

  test.each(['*', 'http://ca.example.com', '10.0.0.1', 'default,', 'a b', 'none,default'])(
    'that is no list of hosts is refused at the start: %s',
    (text) => {
      expect(mistakesOf({ AIA_HOSTS: text })).toEqual([expect.stringMatching(/^AIA_HOSTS: /)])
    },
  )
})
