import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { parseCertificate, parsePemBundle } from '../../src/evidence/x509/certificate.ts'
import { verifyPath } from '../../src/evidence/x509/path.ts'

import { createAkAuthority } from '../../src/simulator/ak-authority.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const now = new Date('2026-07-01T12:00:00Z')
const usage = {
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['2.23.133.8.3'],
  allowedCriticalExtensions: [],
} as const

test('certificates of the simulator authority lead to its root', async () => {
  const authority = await createAkAuthority(now)
  const anchors = expectOk(parsePemBundle(authority.anchorPem))
  const rsa = createPublicKey(await primeSharingKeys()())
  const ecc = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  for (const key of [rsa, ecc]) {
    const leaf = expectOk(parseCertificate(await authority.issue(key)))
    const path = await verifyPath({ leaf, intermediates: [], anchors, now, usage })
    expect(expectOk(path).certificates).toHaveLength(1)
  }
})

test('a certificate of a strange authority of the same name leads nowhere', async () => {
  const [known, strange] = await Promise.all([createAkAuthority(now), createAkAuthority(now)])
  const anchors = expectOk(parsePemBundle(known.anchorPem))
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  const leaf = expectOk(parseCertificate(await strange.issue(key)))
  const path = await verifyPath({ leaf, intermediates: [], anchors, now, usage })
  expectRefusal(path, 'certificate_signature_invalid')
})
