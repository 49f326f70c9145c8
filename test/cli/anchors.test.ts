import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { knownAnchor } from '../../src/appraisal/known-anchors.ts'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { toBase64, toHex } from '../../src/base/encoding.ts'
import { command } from '../../src/cli/anchors/anchors.ts'
import { countAnchors } from '../../src/cli/anchors/count-fleet.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { BUILT_IN_POLICY_HASH } from '../../src/verifier/built-in-policy.ts'
import { agent, documentOf } from '../policy/healthy-device.ts'
import { at, attestationOf, newDeviceId } from '../store/fixtures.ts'
import { issueCertificate, issueChain, toPem } from '../support/certificates.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import type { Json } from '../support/json.ts'
import { describeMicrosoftChains, readMicrosoftPem } from '../support/microsoft-chains.ts'
import { describeOpenssl, openssl } from '../support/openssl.ts'
import { putInForce } from '../support/put-in-force.ts'
import { expectOk } from '../support/refusal.ts'
import { makeAnchor, readAnchor, type TestAnchor } from '../support/trust-anchors.ts'
import { callCommand } from './call-command.ts'

/** An administrator with a folder of certificates, beside a data directory. */
let folder: string
let data: string
let store: Store
let own: TestAnchor
let ownPem: string
let other: TestAnchor

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-anchors-'))
  data = join(folder, 'data')
  await makeDataDirectory(data)
  store = await openEmbeddedStore(data)
  const keyUsage = ['keyCertSign'] as const
  const validity = { notBefore: at(-3600), notAfter: new Date('2046-01-01T00:00:00Z') }
  ownPem = (await issueCertificate({ subject: 'Own Root', ca: true, keyUsage, ...validity })).pem
  own = readAnchor(ownPem, 'Own Root')
  other = await makeAnchor('Other Root', validity)
  writeFileSync(join(folder, 'own.pem'), ownPem)
  await bringIntoForce('policy', BASELINE_POLICY)
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})
afterEach(() => vi.unstubAllEnvs())

const call = (...args: readonly string[]) => callCommand(command, [...args, '--data', data])
const callJson = async (...args: readonly string[]): Promise<Json> =>
  JSON.parse((await call(...args, '--json')).stdout)
const file = (name: string) => join(folder, name)

async function bringIntoForce(kind: 'policy' | 'reference-values', body: Json): Promise<void> {
  const hash =
    kind === 'policy'
      ? expectOk(compilePolicy(body)).hash
      : expectOk(parseReferenceValues(body)).hash
  const by = { author: 'test', reason: 'test', now: new Date() }
  await putInForce(store, { kind, hash, body, ...by })
}

const listAnchors = (...trust_anchors: readonly object[]) =>
  bringIntoForce('reference-values', { enclaves: [agent()], trust_anchors })

async function anchorsInForce(): Promise<readonly Json[]> {
  const active = await store.activeDocument('reference-values')
  return Object(active?.body).trust_anchors
}

async function record(claims: object): Promise<void> {
  const deviceId = newDeviceId()
  await store.recordAttestation(attestationOf({ deviceId, claims }))
}

beforeEach(() => listAnchors(other.entry({ name: 'Other' })))

describe('anchors list', () => {
  test('says which roots are in force, and where they stand', async () => {
    vi.stubEnv('AK_TRUST_ANCHORS', `microsoft\n${ownPem}`)
    const { code, stdout } = await call('list')
    expect(code).toBe(0)
    expect(stdout).toContain('Microsoft TPM Root Certificate Authority 2014  AK_TRUST_ANCHORS')
    expect(stdout).toContain('870c7a35ceab3d59979f2c6a524042d404cb71518004350925fb2ced79a999da')
    const { anchors } = await callJson('list')
    expect(anchors).toMatchObject([
      { name: 'Own Root', source: 'AK_TRUST_ANCHORS', state: 'set here' },
      { known: 'microsoft-tpm-root-2014', valid_until: '2039-12-10T21:39:28.000Z' },
      { name: 'Other', source: 'reference values', state: 'in force' },
    ])
  })

  test.each([
    ['the setting', () => ({ EK_TRUST_ANCHORS: ownPem })],
    ['its file', () => ({ EK_TRUST_ANCHORS_FILE: file('own.pem') })],
  ])('tells the roots of endorsement keys, by %s of this command', async (_, env) => {
    await listAnchors()
    for (const [name, value] of Object.entries(env())) vi.stubEnv(name, value)
    const { stdout } = await call('list')
    expect(stdout).toMatch(/Own Root +EK_TRUST_ANCHORS +\S+ +set here/)
    expect(stdout).toContain('A service trusts what its own settings say.')
    expect(stdout).not.toContain('any attestation key is accepted')
    // A root for endorsement keys need not be fit for the certificates of attestation keys.
    const narrow = await makeAnchor('Endorses', { extendedKeyUsage: ['2.23.133.8.1'] })
    vi.stubEnv('EK_TRUST_ANCHORS_FILE', undefined)
    vi.stubEnv('EK_TRUST_ANCHORS', toPem(narrow.certificate.der))
    const { anchors } = await callJson('list')
    expect(anchors).toMatchObject([{ source: 'EK_TRUST_ANCHORS', state: 'set here', unfit: null }])
  })

  test('says of a bare fingerprint no more than that', async () => {
    vi.stubEnv('AK_TRUST_ANCHORS', `sha256:${'ab'.repeat(32)}`)
    await listAnchors()
    const { anchors } = await callJson('list')
    expect(anchors).toMatchObject([{ sha256: 'ab'.repeat(32), valid_until: null, subject: null }])
  })

  test('says that there are none', async () => {
    await listAnchors()
    const { stdout } = await call('list')
    expect(stdout).toContain('neither AK_TRUST_ANCHORS nor EK_TRUST_ANCHORS\nis set where this')
    expect(stdout).toContain('accepts any attestation key')
  })

  test('reads files in PEM and DER, and folders of them, each root once', async () => {
    const place = file('folder')
    mkdirSync(place)
    writeFileSync(join(place, 'own.der'), own.certificate.der)
    writeFileSync(join(place, 'own again.crt'), ownPem)
    writeFileSync(join(place, 'notes.txt'), 'not a certificate')
    const { anchors } = await callJson('list', place, file('own.pem'), 'microsoft')
    expect(anchors.map(({ name }: Json) => name)).toEqual([
      'Own Root',
      'Microsoft TPM Root Certificate Authority 2014',
    ])
  })

  test.each([
    ['nothing', 'no.pem', undefined],
    ['something else', 'notes.pem', 'hello'],
    ['an empty folder', 'empty', null],
  ])('refuses %s before it looks at any database', async (_, name, content) => {
    if (content === null) mkdirSync(file(name))
    if (typeof content === 'string') writeFileSync(file(name), content)
    await expect(call('list', file(name))).rejects.toThrow(UsageError)
  })

  test('tells what is no anchor, or none now, and why', async () => {
    const { intermediate } = await issueChain()
    writeFileSync(file('intermediate.pem'), intermediate.pem)
    const ended = await issueCertificate({ subject: 'Ended', ca: true })
    writeFileSync(file('ended.pem'), ended.pem)
    const unfit = await makeAnchor('Unfit', { keyUsage: ['digitalSignature'] })
    writeFileSync(file('unfit.der'), unfit.certificate.der)
    const names = ['intermediate.pem', 'ended.pem', 'unfit.der', 'own.pem'].map(file)
    const { anchors } = await callJson('list', ...names)
    expect(anchors.map(({ state }: Json) => state)).toEqual([
      'no root',
      'ended',
      'unfit',
      'not in force',
    ])
    expect(anchors[2].unfit).toContain('certificate_key_usage')
  })
})

describe('what a root would admit', () => {
  test('is told of the recorded fleet, and of how many devices it cannot be', async () => {
    const before = await callJson('show', file('own.pem'))
    for (const claims of [
      { aikTrustAnchor: own.fingerprint },
      { aikTrustAnchor: own.fingerprint },
    ]) {
      await record(claims)
    }
    await record({ aikTrustAnchor: other.fingerprint })
    await record({ aikValidated: false })
    const { anchors, fleet } = await callJson('show', file('own.pem'))
    expect(anchors).toMatchObject([{ admits: before.anchors[0].admits + 2 }])
    expect(fleet).toEqual({
      devices: before.fleet.devices + 4,
      is_whole: true,
      anchor_unknown: before.fleet.anchor_unknown + 1,
    })
    const { stdout } = await call('list')
    expect(stdout).toContain('recorded devices: "admits" counts those whose last attestation')
    expect(stdout).toContain('it cannot be told what would vouch for')
  })

  test('counts a renewal of the same name and key as the same authority', async () => {
    const old = await issueCertificate({
      subject: 'Renewed',
      ca: true,
      notAfter: new Date('2047-01-01T00:00:00Z'),
    })
    const young = await issueCertificate({
      subject: 'Renewed',
      ca: true,
      key: old.keys,
      notAfter: new Date('2048-01-01T00:00:00Z'),
    })
    await listAnchors(readAnchor(old.pem, 'old').entry())
    await record({ aikTrustAnchor: readAnchor(old.pem, 'old').fingerprint })
    writeFileSync(file('young.pem'), young.pem)
    const { anchors } = await callJson('show', file('young.pem'))
    expect(anchors).toMatchObject([{ state: 'not in force', admits: 1 }])
  })

  test('of a fleet that is larger than it looks at, is said to be a sample', async () => {
    const { signal } = new AbortController()
    await record({})
    await record({})
    expect(await countAnchors(store, signal, 1)).toMatchObject({ devices: 1, isWhole: false })
  })
})

describeOpenssl('anchors show, beside what OpenSSL says', () => {
  test('names subject, fingerprint and end as OpenSSL does', async () => {
    const { stdout } = await call('show', file('own.pem'))
    const print = (...what: readonly string[]) =>
      openssl(['x509', '-noout', ...what, '-in'], ownPem).toString()
    const [, sha256 = ''] = print('-fingerprint', '-sha256').trim().split('=')
    expect(stdout).toContain(sha256.replaceAll(':', '').toLowerCase())
    expect(stdout).toContain('CN=Own Root')
    expect(print('-subject', '-nameopt', 'RFC2253').trim()).toBe('subject=CN=Own Root')
    const end = new Date(print('-enddate').trim().replace('notAfter=', '')).toISOString()
    expect(stdout).toContain(end)
  })

  test('reads what OpenSSL packs into PKCS #7', async () => {
    writeFileSync(file('bundle.p7b'), openssl(['crl2pkcs7', '-nocrl', '-certfile'], ownPem))
    const { anchors } = await callJson('show', file('bundle.p7b'))
    expect(anchors).toMatchObject([{ fingerprint: own.fingerprint }])
  })
})

describeMicrosoftChains('the certificate of Microsoft', () => {
  test('is the root that is known by name', async () => {
    writeFileSync(file('microsoft.pem'), readMicrosoftPem('microsoft-tpm-root-2014'))
    const { anchors } = await callJson('show', file('microsoft.pem'))
    expect(anchors).toMatchObject([
      {
        known: 'microsoft-tpm-root-2014',
        sha256: toHex(Buffer.from(knownAnchor('microsoft-tpm-root-2014').fingerprint, 'base64url')),
        subject: expect.stringContaining('CN=Microsoft TPM Root Certificate Authority 2014'),
        unfit: null,
      },
    ])
  })
})

describe('anchors import', () => {
  test('lists roots in the reference values as policy apply would, and nothing twice', async () => {
    const { code, stdout } = await call('import', file('own.pem'), 'microsoft', '--yes')
    expect(code).toBe(0)
    expect(stdout).toContain('+ anchor Own Root')
    expect(stdout).toMatch(/^reference values [0-9a-f]{64} would come into force$/m)
    expect(stdout).toContain('+ anchor microsoft-tpm-root-2014')
    expect(await anchorsInForce()).toEqual([
      other.entry({ name: 'Other' }),
      { name: 'Own Root', certificate: toBase64(own.certificate.der) },
      { known: 'microsoft-tpm-root-2014' },
    ])
    const again = await call('import', file('own.pem'), '--yes')
    expect([again.code, again.stdout]).toEqual([0, 'Own Root is listed already.\n'])
  })

  test('is refused where devices would lose their access by it, until their number is said', async () => {
    await listAnchors()
    await bringIntoForce('policy', documentOf('attestation.vbsEnabled'))
    const recorded = attestationOf({
      deviceId: newDeviceId(),
      claims: { aikValidated: false, vbsEnabled: true },
    })
    const now = Date.now()
    await store.recordAttestation({
      ...recorded,
      attestation: {
        ...recorded.attestation,
        attestationPolicyHash: BUILT_IN_POLICY_HASH,
        attestedAt: new Date(now - 1000),
        validUntil: new Date(now + 3_600_000),
      },
    })
    const refused = await call('import', file('own.pem'), '--yes')
    expect(refused.code).toBe(3)
    const [, hash = ''] = /policy preview ([0-9a-f]{64}) --kind/.exec(refused.stdout) ?? []
    expect(await store.document('reference-values', hash)).not.toBeNull()
    expect(await anchorsInForce()).toEqual([])
    const accepted = await call('import', file('own.pem'), '--yes', '--accept-denials', '1')
    expect(accepted.code).toBe(0)
    expect(await anchorsInForce()).toHaveLength(1)
  })

  test('leaves out what is no root, and ends where nothing is left', async () => {
    const { intermediate } = await issueChain()
    writeFileSync(file('issuing.pem'), intermediate.pem)
    const { stdout } = await call('import', file('issuing.pem'), file('own.pem'), '--yes')
    expect(stdout).toContain('Intermediate is no root, and not listed: issuers come by themselves.')
    await expect(call('import', file('issuing.pem'), '--yes')).rejects.toThrow(/none of these is/)
  })

  test('does not pass by lint', async () => {
    const unfit = await makeAnchor('Unfit', { keyUsage: ['digitalSignature'] })
    writeFileSync(file('unfit.pem'), unfit.certificate.der)
    const { code, stdout } = await call('import', file('unfit.pem'), '--yes')
    expect(code).toBe(3)
    expect(stdout).toContain('Nothing was applied: correct the errors first.')
    expect(await anchorsInForce()).toHaveLength(1)
  })

  test('wants to be told what, and asks before it does it', async () => {
    await expect(call('import')).rejects.toThrow(UsageError)
    await expect(call('import', file('own.pem'), '--json')).rejects.toThrow(/say --yes too/)
    await expect(call('list', '--yes')).rejects.toThrow('there is no option --yes')
    await expect(call('remove')).rejects.toThrow("there is no 'remove', but: list, show, import")
  })
})
