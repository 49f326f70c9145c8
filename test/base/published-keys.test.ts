import { createPublicKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import {
  isPublishedKey,
  isPublishedRoot,
  isPublishedSecret,
  PUBLISHED_KEY,
} from '../../src/base/published-keys.ts'
import { serviceKeys, vectorsSecret } from '../../src/cli/vectors/fixed-service.ts'
import { type Environment, parseConfig } from '../../src/config/config.ts'
import { parsePemBundle } from '../../src/evidence/x509/certificate.ts'
import { fingerprintOf } from '../../src/evidence/x509/fingerprint.ts'
import { loadOrCreateSecretFile, loadSecretFile } from '../../src/keys/secret-file.ts'
import { createAkAuthority } from '../../src/simulator/ak-authority.ts'
import { readAgentVectors } from '../support/agent-vectors.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

/** What an operator may copy: the file as it is published. */
const { settings }: { settings: Record<string, string> } = JSON.parse(
  readAgentVectors().get('service.json') ?? '{}',
)
const { SECRET_KEY = '', AK_TRUST_ANCHORS = '', EK_TRUST_ANCHORS = '' } = settings
const [root] = expectOk(parsePemBundle(AK_TRUST_ANCHORS))
const own = await createAkAuthority(new Date('2026-01-01'))

test('the digests are those of the keys that the vectors are made with, and of no others', () => {
  expect(vectorsSecret()).toBe(SECRET_KEY)
  expect(isPublishedSecret(Buffer.from(SECRET_KEY, 'base64'))).toBe(true)
  expect(isPublishedSecret(new Uint8Array(32))).toBe(false)
  for (const [name, key] of Object.entries(serviceKeys())) {
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
    expect(isPublishedKey(spki), name).toBe(true)
  }
  expect(root && isPublishedKey(root.spki)).toBe(true)
  expect(root && isPublishedRoot(fingerprintOf(root))).toBe(true)
  const [other] = expectOk(parsePemBundle(own.anchorPem))
  expect(other && (isPublishedKey(other.spki) || isPublishedRoot(fingerprintOf(other)))).toBe(false)
})

const fingerprint = Buffer.from(root ? fingerprintOf(root) : '', 'base64url').toString('hex')
/** Another certificate of the same key, as anybody can make it. */
const later = await createAkAuthority(new Date('2027-01-01'), serviceKeys().authority)

test.each<[string, Environment]>([
  ['SECRET_KEY', { SECRET_KEY }],
  ['SECRET_KEY_PREVIOUS', { SECRET_KEY_PREVIOUS: SECRET_KEY }],
  ['AK_TRUST_ANCHORS', { AK_TRUST_ANCHORS }],
  ['EK_TRUST_ANCHORS', { EK_TRUST_ANCHORS }],
  ['AK_TRUST_ANCHORS', { AK_TRUST_ANCHORS: `sha256:${fingerprint}` }],
  ['AK_TRUST_ANCHORS', { AK_TRUST_ANCHORS: own.anchorPem + AK_TRUST_ANCHORS }],
  ['AK_TRUST_ANCHORS', { AK_TRUST_ANCHORS: later.anchorPem }],
])('a service does not start with keys of the vectors: %s', (name, environment) => {
  const { mistakes } = expectRefusal(parseConfig(environment), 'config_invalid')
  expect(mistakes).toHaveLength(1)
  expect(mistakes[0]).toContain(`${name}: ${PUBLISHED_KEY}`)
})

test('all that service.json sets is told at once', () => {
  const { mistakes } = expectRefusal(parseConfig(settings), 'config_invalid')
  expect(mistakes.map((line) => line.split(':')[0])).toEqual([
    'SECRET_KEY',
    'AK_TRUST_ANCHORS',
    'EK_TRUST_ANCHORS',
  ])
  expectOk(parseConfig({ AK_TRUST_ANCHORS: own.anchorPem, EK_TRUST_ANCHORS: own.anchorPem }))
})

test('nor with a secret file that holds the secret of the vectors', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'published-'))
  const path = join(folder, 'secret.key')
  writeFileSync(path, `${SECRET_KEY}\n`)
  await expect(loadOrCreateSecretFile(path)).rejects.toThrow(PUBLISHED_KEY)
  await expect(loadSecretFile(path)).rejects.toThrow(PUBLISHED_KEY)
  rmSync(folder, { recursive: true })
})

test('nor do reference values list such a root', () => {
  const certificate = Buffer.from(root?.der ?? '').toString('base64')
  const values = { enclaves: [], trust_anchors: [{ name: 'copied', certificate }] }
  expect(expectRefusal(parseReferenceValues(values), 'reference_values_invalid')).toMatchObject({
    problems: [{ path: 'trust_anchors.0.certificate', message: PUBLISHED_KEY }],
  })
})
