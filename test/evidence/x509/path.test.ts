import { describe, expect, test } from 'vitest'
import {
  type Certificate,
  parseCertificate,
  parsePemBundle,
} from '../../../src/evidence/x509/certificate.ts'
import { nameKey } from '../../../src/evidence/x509/name.ts'
import {
  ATTESTATION_KEY_USAGE,
  findUnfitAnchor,
  type PathInput,
  type PathUsage,
  verifyPath,
} from '../../../src/evidence/x509/path.ts'
import {
  type CertificateRequest,
  caIssuers,
  type IssuedCertificate,
  issueCertificate,
  issueChain,
  makeKeyPair,
  TEST_NOW,
} from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vector } from '../../support/vectors.ts'

const usage: PathUsage = { keyUsage: ['digitalSignature'], allowedCriticalExtensions: [] }
const signs = ['keyCertSign'] as const

const parsed = ({ der }: IssuedCertificate): Certificate => expectOk(parseCertificate(der))

type Issued = {
  leaf: IssuedCertificate
  intermediates?: IssuedCertificate[]
  anchors: IssuedCertificate[]
}

function check({ leaf, intermediates = [], anchors }: Issued, more: Partial<PathInput> = {}) {
  return verifyPath({
    leaf: parsed(leaf),
    intermediates: intermediates.map(parsed),
    anchors: anchors.map(parsed),
    now: TEST_NOW,
    usage,
    ...more,
  })
}

const { root, intermediate, leaf } = await issueChain()
const sound: Issued = { leaf, intermediates: [intermediate], anchors: [root] }

/** The sound chain with its intermediate issued as asked. */
async function withIntermediate(request: Partial<CertificateRequest>): Promise<Issued> {
  const chosen = { subject: 'Middle', issuer: root, ca: true, keyUsage: signs, ...request }
  const middle = await issueCertificate(chosen)
  const end = await issueCertificate({
    subject: 'Leaf',
    issuer: middle,
    keyUsage: ['digitalSignature'],
  })
  return { leaf: end, intermediates: [middle], anchors: [root] }
}

const underRoot = async (request: Partial<CertificateRequest>): Promise<Issued> => ({
  leaf: await issueCertificate({ subject: 'Leaf', issuer: root, ...request }),
  anchors: [root],
})

describe('a path is accepted', () => {
  test('from the leaf through an intermediate to an anchor', async () => {
    const path = expectOk(await check(sound))
    expect(path.certificates).toHaveLength(2)
    expect(path.anchor.certificate?.der).toEqual(new Uint8Array(root.der))
    expect(path.leaf.der).toEqual(new Uint8Array(leaf.der))
  })

  test('to an intermediate that is itself the anchor', async () => {
    expectOk(await check({ leaf, anchors: [intermediate] }))
  })

  test('when the root is among the intermediates as well', async () => {
    expectOk(await check({ ...sound, intermediates: [root, intermediate, leaf] }))
  })

  test('when an impostor of the same name stands before the real issuer', async () => {
    const impostor = await issueCertificate({ subject: 'Intermediate', ca: true, keyUsage: signs })
    expectOk(await check({ ...sound, intermediates: [impostor, intermediate] }))
  })

  test('when the first way to an anchor is expired and a second is not', async () => {
    const keys = await makeKeyPair({ kind: 'ec' })
    const request = { subject: 'Cross', issuer: root, ca: true, key: keys }
    const old = await issueCertificate({ ...request, notAfter: new Date('2024-02-01T00:00:00Z') })
    const renewed = await issueCertificate(request)
    const end = await issueCertificate({ subject: 'Leaf', issuer: renewed })
    expectOk(await check({ leaf: end, intermediates: [old, renewed], anchors: [root] }))
  })

  test('at the first and at the last second of the validity', async () => {
    expectOk(await check(sound, { now: new Date('2024-01-01T00:00:00Z') }))
    expectOk(await check(sound, { now: new Date('2026-01-01T00:00:00Z') }))
  })

  test('with a self-issued rollover certificate that does not count for the path length', async () => {
    const top = await issueCertificate({ subject: 'Roll', ca: true, pathLen: 0, keyUsage: signs })
    const next = await issueCertificate({ subject: 'Roll', issuer: top, ca: true, keyUsage: signs })
    const end = await issueCertificate({ subject: 'Leaf', issuer: next })
    expectOk(await check({ leaf: end, intermediates: [next], anchors: [top] }))
  })

  test.each([
    ['ECDSA P-384', { kind: 'ec', curve: 'P-384', hash: 'SHA-384' }],
    ['ECDSA P-521', { kind: 'ec', curve: 'P-521', hash: 'SHA-512' }],
    ['RSA PKCS #1 with SHA-256', { kind: 'rsa' }],
    ['RSA PKCS #1 with SHA-512', { kind: 'rsa', hash: 'SHA-512' }],
    ['RSA-PSS with SHA-384', { kind: 'rsa-pss', hash: 'SHA-384' }],
  ] as const)('under a root that signs with %s', async (_, key) => {
    const top = await issueCertificate({ subject: 'Top', ca: true, keyUsage: signs, key })
    const end = await issueCertificate({ subject: 'Leaf', issuer: top })
    expectOk(await check({ leaf: end, anchors: [top] }))
  })
})

describe('a path is refused', () => {
  test('without anchors', async () => {
    expectRefusal(await check({ ...sound, anchors: [] }), 'certificate_issuer_unknown')
  })

  test('when its root is merely supplied, not configured', async () => {
    const stranger = await issueCertificate({ subject: 'Stranger', ca: true, keyUsage: signs })
    const result = await check({ leaf, intermediates: [intermediate, root], anchors: [stranger] })
    expectRefusal(result, 'certificate_anchor_unknown')
  })

  test('when the leaf vouches for itself', async () => {
    const own = await issueCertificate({ subject: 'Self', ca: true })
    expectRefusal(
      await check({ leaf: own, intermediates: [own], anchors: [root] }),
      'certificate_anchor_unknown',
    )
  })

  test('when an attacker makes a root of the same name with another key', async () => {
    const attacker = await issueChain()
    const result = await check({
      leaf: attacker.leaf,
      intermediates: [attacker.intermediate],
      anchors: [root],
    })
    expect(expectRefusal(result, 'certificate_signature_invalid').depth).toBe(1)
  })

  test('when any byte of the signed part is changed', async () => {
    const bytes = Buffer.from(leaf.der)
    bytes[bytes.indexOf('Attestation key')] = 0x61
    const forged = expectOk(parseCertificate(bytes))
    expectRefusal(await check(sound, { leaf: forged }), 'certificate_signature_invalid')
  })

  test('when the leaf is expired or not yet valid', async () => {
    const now = (text: string) => ({ now: new Date(text) })
    expectRefusal(await check(sound, now('2026-01-01T00:00:01Z')), 'certificate_expired')
    expectRefusal(await check(sound, now('2023-12-31T23:59:59Z')), 'certificate_not_yet_valid')
  })

  test('when an intermediate is expired', async () => {
    const chain = await withIntermediate({ notAfter: new Date('2024-06-01T00:00:00Z') })
    expect(expectRefusal(await check(chain), 'certificate_expired').depth).toBe(1)
  })

  test('when the anchor is expired', async () => {
    const top = await issueCertificate({
      subject: 'Top',
      ca: true,
      notAfter: new Date('2024-06-01T00:00:00Z'),
    })
    const end = await issueCertificate({ subject: 'Leaf', issuer: top })
    expectRefusal(await check({ leaf: end, anchors: [top] }), 'certificate_expired')
  })

  test('when an end-entity certificate issues another', async () => {
    const chain = await withIntermediate({ ca: false, keyUsage: ['digitalSignature'] })
    expectRefusal(await check(chain), 'certificate_not_ca')
  })

  test('when the issuer says nothing about being a CA', async () => {
    const chain = await withIntermediate({ withoutBasicConstraints: true })
    expectRefusal(await check(chain), 'certificate_not_ca')
  })

  test('when a CA may not sign certificates', async () => {
    const chain = await withIntermediate({ keyUsage: ['cRLSign'] })
    expect(expectRefusal(await check(chain), 'certificate_key_usage').detail).toBe('keyCertSign')
  })

  test('when a CA stands below an issuer with path length 0', async () => {
    const low = await issueCertificate({
      subject: 'Low',
      issuer: intermediate,
      ca: true,
      keyUsage: signs,
    })
    const end = await issueCertificate({ subject: 'Leaf', issuer: low })
    const chain = { leaf: end, intermediates: [low, intermediate], anchors: [root] }
    expect(expectRefusal(await check(chain), 'certificate_path_length').depth).toBe(2)
  })

  test('when the anchor itself has no room left in its path length', async () => {
    const top = await issueCertificate({ subject: 'Top', ca: true, pathLen: 0, keyUsage: signs })
    const middle = await issueCertificate({ subject: 'Middle', issuer: top, ca: true })
    const end = await issueCertificate({ subject: 'Leaf', issuer: middle })
    const chain = { leaf: end, intermediates: [middle], anchors: [top] }
    expectRefusal(await check(chain), 'certificate_path_length')
  })

  test('when the leaf is not for what the caller needs', async () => {
    const chain = await underRoot({ keyUsage: ['keyEncipherment'] })
    expectRefusal(await check(chain), 'certificate_key_usage')
    expectOk(await check(chain, { usage: { ...usage, keyUsage: ['keyEncipherment'] } }))
  })

  test('when the leaf lacks the purpose that the caller needs', async () => {
    const wanted = { ...usage, extendedKeyUsage: ['2.23.133.8.3'] }
    const other = await underRoot({ extendedKeyUsage: ['2.23.133.8.1'] })
    expectRefusal(await check(other, { usage: wanted }), 'certificate_extended_key_usage')
    const none = await underRoot({})
    expectRefusal(await check(none, { usage: wanted }), 'certificate_extended_key_usage')
    const right = await underRoot({ extendedKeyUsage: ['2.23.133.8.3'] })
    expectOk(await check(right, { usage: wanted }))
  })

  test('when a critical extension is unknown, unless the caller allows it', async () => {
    const oid = '1.3.6.1.4.1.99999.7'
    const value = Uint8Array.from([5, 0])
    const chain = await underRoot({ extensions: [{ oid, critical: true, value }] })
    const failure = expectRefusal(await check(chain), 'certificate_critical_extension')
    expect(failure).toMatchObject({ detail: oid, depth: 0 })
    expectOk(await check(chain, { usage: { ...usage, allowedCriticalExtensions: [oid] } }))
    expectOk(await check(await underRoot({ extensions: [{ oid, critical: false, value }] })))
  })

  test('when its name lies outside what an issuer is constrained to, critical or not', async () => {
    const oid = '2.5.29.30'
    // Permitted: directoryName CN=Leaf, then CN=Other.
    const permitting = (name: string) => {
      const text = Buffer.from(name, 'latin1')
      const rdn = [0x31, text.length + 9, 0x30, text.length + 7, 6, 3, 0x55, 4, 3, 0x0c]
      const dn = [0x30, text.length + 11, ...rdn, text.length, ...text]
      const base = [0xa4, dn.length, ...dn]
      const subtree = [0x30, base.length, ...base]
      return Uint8Array.of(0x30, subtree.length + 2, 0xa0, subtree.length, ...subtree)
    }
    for (const critical of [true, false]) {
      const extensions = [{ oid, critical, value: permitting('Other') }]
      const failure = expectRefusal(
        await check(await withIntermediate({ extensions })),
        'certificate_name_constraints',
      )
      expect(failure).toMatchObject({ detail: 'directoryName', depth: 0 })
    }
    const extensions = [{ oid, critical: true, value: permitting('Leaf') }]
    expectOk(await check(await withIntermediate({ extensions })))
  })

  test('when a signature uses SHA-1', async () => {
    const top = await issueCertificate({
      subject: 'Top',
      ca: true,
      key: { kind: 'ec', hash: 'SHA-1' },
    })
    const end = await issueCertificate({ subject: 'Leaf', issuer: top })
    const failure = expectRefusal(
      await check({ leaf: end, anchors: [top] }),
      'certificate_algorithm_refused',
    )
    expect(failure.depth).toBe(0)
  })

  test('when RSA-PSS uses SHA-1', async () => {
    const key = { kind: 'rsa-pss', hash: 'SHA-1' } as const
    const top = await issueCertificate({ subject: 'Top', ca: true, key })
    const end = await issueCertificate({ subject: 'Leaf', issuer: top })
    expectRefusal(await check({ leaf: end, anchors: [top] }), 'certificate_algorithm_refused')
  })

  test('when an issuer has an RSA key of 1024 bits', async () => {
    const key = { kind: 'rsa', bits: 1024 } as const
    const top = await issueCertificate({ subject: 'Top', ca: true, key })
    const end = await issueCertificate({ subject: 'Leaf', issuer: top })
    expectRefusal(await check({ leaf: end, anchors: [top] }), 'certificate_algorithm_refused')
  })

  test('when an RSA signature is claimed under an elliptic-curve key', async () => {
    const top = await issueCertificate({ subject: 'Top', ca: true })
    const rsa = await issueCertificate({ subject: 'Top', ca: true, key: { kind: 'rsa' } })
    const end = await issueCertificate({ subject: 'Leaf', issuer: rsa })
    expectRefusal(await check({ leaf: end, anchors: [top] }), 'certificate_algorithm_refused')
  })

  test('when it is longer than any real one', async () => {
    const chain: IssuedCertificate[] = []
    let issuer = root
    for (let at = 0; at < 8; at += 1) {
      issuer = await issueCertificate({ subject: `CA ${at}`, issuer, ca: true })
      chain.push(issuer)
    }
    const end = await issueCertificate({ subject: 'Leaf', issuer })
    expectRefusal(
      await check({ leaf: end, intermediates: chain, anchors: [root] }),
      'certificate_path_too_long',
    )
  })

  test('when many certificates of one name are meant to keep the verifier busy', async () => {
    const decoys = await Promise.all(
      Array.from({ length: 30 }, () => issueCertificate({ subject: 'Intermediate', ca: true })),
    )
    expectRefusal(
      await check({ leaf, intermediates: decoys, anchors: [root] }),
      'certificate_path_too_complex',
    )
    expectRefusal(
      await check(sound, {
        intermediates: Array.from({ length: 257 }, () => parsed(intermediate)),
      }),
      'certificate_path_too_complex',
    )
  })

  test('when a maze of cross-certificates has no exit: signatures checked are bounded', async () => {
    const key = await makeKeyPair({ kind: 'ec' })
    const names = ['A', 'B', 'C', 'D', 'E', 'F', 'G']
    const maze: IssuedCertificate[] = []
    for (const subject of names) {
      for (const issuer of names.filter((name) => name !== subject)) {
        const by = {
          subject: issuer,
          keys: key,
          hash: 'SHA-256',
          der: new Uint8Array(),
          pem: '',
        } as const
        maze.push(await issueCertificate({ subject, issuer: by, ca: true, key }))
      }
    }
    const end = await issueCertificate({
      subject: 'Leaf',
      issuer: { subject: 'A', keys: key, hash: 'SHA-256', der: new Uint8Array(), pem: '' },
    })
    const result = await check({ leaf: end, intermediates: maze, anchors: [root] })
    expectRefusal(result, 'certificate_path_too_complex')
  })
})

describe('an anchor', () => {
  const version = (number: 1 | 2) => ({
    withoutBasicConstraints: true,
    alter: (certificate: { version: number }) => {
      certificate.version = number - 1
    },
  })

  test('is a name and a key: RFC 5280 §6.1.1 (d)', async () => {
    const anchor = parsed(root)
    const named = { name: anchor.subject, key: anchor.spki }
    const path = expectOk(await check(sound, { anchors: [named] }))
    expect(path.anchor).toBe(named)
    const renamed = { name: parsed(leaf).subject, key: anchor.spki }
    expectRefusal(await check(sound, { anchors: [renamed] }), 'certificate_issuer_unknown')
    const other = { name: anchor.subject, key: parsed(leaf).spki }
    expectRefusal(await check(sound, { anchors: [other] }), 'certificate_signature_invalid')
  })

  test.each([1, 2] as const)('may be of version %d, an intermediate may not', async (number) => {
    const top = await issueCertificate({ subject: 'Top', ...version(number) })
    const end = await issueCertificate({ subject: 'Leaf', issuer: top })
    expectOk(await check({ leaf: end, anchors: [top] }))
    expect(findUnfitAnchor(parsed(top), usage)).toBeUndefined()
    const middle = await issueCertificate({ subject: 'Mid', issuer: root, ...version(number) })
    const low = await issueCertificate({ subject: 'Leaf', issuer: middle })
    const chain = { leaf: low, intermediates: [middle], anchors: [root] }
    expectRefusal(await check(chain), 'certificate_not_ca')
  })

  test('that is an end entity issues nothing, not even itself', async () => {
    expectRefusal(await check({ leaf, anchors: [leaf] }), 'certificate_issuer_unknown')
    const below = await issueCertificate({ subject: 'Below', issuer: leaf })
    expectRefusal(await check({ leaf: below, anchors: [leaf] }), 'certificate_not_ca')
    expect(findUnfitAnchor(parsed(leaf), usage)).toMatchObject({ reason: 'certificate_not_ca' })
  })
})

describe('an issuer that nobody supplied is told', () => {
  const identifier = (oid: string, key: number) => ({
    oid,
    critical: false,
    value:
      oid === '2.5.29.14'
        ? Uint8Array.of(4, 2, key, key)
        : Uint8Array.of(0x30, 4, 0x80, 2, key, key),
  })
  const URL = 'http://a.example/ca.cer'

  test('with its key and where it can be had', async () => {
    const extensions = [caIssuers(URL), identifier('2.5.29.35', 7)]
    const end = await issueCertificate({ subject: 'Leaf', issuer: intermediate, extensions })
    const result = await check({ leaf: end, anchors: [root] })
    expect(expectRefusal(result, 'certificate_issuer_unknown')).toMatchObject({
      depth: 0,
      missingIssuers: [
        { depth: 0, issuer: nameKey(parsed(end).issuer), keyIdentifier: '0707', urls: [URL] },
      ],
    })
  })

  test('as the one above the last that is there', async () => {
    const result = await check({ leaf, intermediates: [intermediate], anchors: [] })
    expect(expectRefusal(result, 'certificate_issuer_unknown')).toMatchObject({
      depth: 1,
      missingIssuers: [{ depth: 1, keyIdentifier: undefined, urls: [] }],
    })
  })

  test('also beside an impostor of its name, who only changes the reason', async () => {
    const impostor = await issueCertificate({ subject: 'Intermediate', ca: true })
    const result = await check({ leaf, intermediates: [impostor], anchors: [root] })
    expect(expectRefusal(result, 'certificate_signature_invalid')).toMatchObject({
      missingIssuers: [{ depth: 0 }],
    })
  })

  test('but not where it is there and may not issue, or is its own issuer', async () => {
    const chain = await withIntermediate({ ca: false, keyUsage: ['keyCertSign'] })
    const failure = expectRefusal(await check(chain), 'certificate_not_ca')
    expect(failure).toMatchObject({ depth: 1 })
    const all = await check({ leaf, intermediates: [intermediate, root], anchors: [] })
    expect(expectRefusal(all, 'certificate_anchor_unknown')).toMatchObject({ missingIssuers: [] })
  })

  test('and among many of one name the key identifier says whom to try first', async () => {
    const request = { subject: 'Twin', issuer: root, ca: true }
    const twins = await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        issueCertificate({ ...request, extensions: [identifier('2.5.29.14', at)] }),
      ),
    )
    const last = twins.at(-1)
    if (last === undefined) throw new TypeError('there are twins')
    const extensions = [identifier('2.5.29.35', 39)]
    const end = await issueCertificate({ subject: 'Leaf', issuer: last, extensions })
    expectOk(await check({ leaf: end, intermediates: twins, anchors: [root] }))
  })
})

test('a chain forged below an expired device certificate under a root with path length 0 is refused', async () => {
  const top = await issueCertificate({ subject: 'Root', ca: true, pathLen: 0, keyUsage: signs })
  const device = await issueCertificate({
    subject: 'Device A',
    issuer: top,
    keyUsage: ['digitalSignature'],
    notAfter: new Date('2024-06-01T00:00:00Z'),
  })
  const forged = await issueCertificate({ subject: 'Forged', issuer: device })
  const chain = { leaf: forged, intermediates: [device], anchors: [top] }
  expectRefusal(await check(chain), 'certificate_expired')
  const before = { now: new Date('2024-03-01T00:00:00Z') }
  expectRefusal(await check(chain, before), 'certificate_not_ca')
})

test('a clock that is no time is a mistake of the caller', async () => {
  await expect(check(sound, { now: new Date(Number.NaN) })).rejects.toThrow(TypeError)
})

describeVectors('TPM certificates of Google Compute Engine', () => {
  const leaves = ['pca', 'uca'].flatMap((profile) =>
    ['ecc_enc', 'ecc_sign', 'rsa_enc', 'rsa_sign'].map((key) => `${profile}_tpm_${key}_cert.pem`),
  )
  const roots = ['gcp_ek_ak_ca_root.crt', 'tpm_ek_root_1.cer']
  const intermediates = [
    'gcp_ek_ak_ca_intermediate_v3.crt',
    'tpm_ek_intermediate_2.crt',
    'tpm_ek_intermediate_3.crt',
  ]
  const readAuthority = (name: string) => expectOk(parseCertificate(vector(`certs/gce-ca/${name}`)))
  const readLeaf = (name: string): Certificate => {
    const [certificate] = expectOk(
      parsePemBundle(Buffer.from(vector(`certs/gce-leaf/${name}`)).toString('latin1')),
    )
    if (certificate === undefined) throw new TypeError('empty bundle')
    return certificate
  }
  const at = (seconds: number, name: string): PathInput => ({
    leaf: readLeaf(name),
    intermediates: intermediates.map(readAuthority),
    anchors: roots.map(readAuthority),
    now: new Date(seconds * 1000),
    usage: {
      ...ATTESTATION_KEY_USAGE,
      keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'],
    },
  })

  test.each(leaves)('%s chains to its root in November 2023', async (name) => {
    expect(expectOk(await verifyPath(at(1_700_000_000, name))).certificates).toHaveLength(2)
  })

  test.each(leaves)('%s is not yet valid in August 2022', async (name) => {
    expectRefusal(await verifyPath(at(1_660_000_000, name)), 'certificate_not_yet_valid')
  })

  test('an endorsement key certificate needs its critical name allowed', async () => {
    const input = at(1_700_000_000, 'uca_tpm_rsa_sign_cert.pem')
    const strict = { ...input, usage: { ...input.usage, allowedCriticalExtensions: [] } }
    expectRefusal(await verifyPath(strict), 'certificate_critical_extension')
  })

  test("a signing leaf passes as a TPM's attestation key, an encrypting one does not", async () => {
    const as = (name: string) => ({ ...at(1_700_000_000, name), usage: ATTESTATION_KEY_USAGE })
    expectOk(await verifyPath(as('uca_tpm_rsa_sign_cert.pem')))
    expectRefusal(await verifyPath(as('uca_tpm_rsa_enc_cert.pem')), 'certificate_key_usage')
  })
})
