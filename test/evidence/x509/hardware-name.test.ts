import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { toHex, toUtf8 } from '../../../src/base/encoding.ts'
import { type Certificate, parseCertificate } from '../../../src/evidence/x509/certificate.ts'
import {
  hardwareNameOf,
  nameOfEkCertificateHash,
  namesTpmModel,
} from '../../../src/evidence/x509/hardware-name.ts'
import { plainRsaSpki } from '../../../src/evidence/x509/oaep-spki.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { describeOpenssl } from '../../support/openssl.ts'
import { expectOk } from '../../support/refusal.ts'

/** Of a TPM's maker, model and version. */
const TPM_TYPES = ['2.23.133.2.1', '2.23.133.2.2', '2.23.133.2.3']

/** Witness: OpenSSL writes the certificates, by the ASN.1 of RFC 4108 §5 and RFC 4043 §2. */
describeOpenssl('the hardware that a certificate names', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'names-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** A certificate with these names, each a value of OpenSSL's own configuration language. */
  function certify(
    names: readonly string[],
    sections: readonly string[],
    subject = '/CN=A',
  ): Certificate {
    const lines = [
      ...['oid_section=oids', '[oids]', ...TPM_TYPES.map((type, at) => `tpm${at}=${type}`)],
      ...['[req]', 'distinguished_name=dn', 'x509_extensions=v3', '[dn]', '[v3]'],
      ...(names.length === 0 ? [] : ['subjectAltName=@san', '[san]', ...names]),
      ...sections,
    ]
    const config = join(folder, 'openssl.cnf')
    const out = join(folder, 'out.der')
    writeFileSync(config, `${lines.join('\n')}\n`)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const files = ['-keyout', join(folder, 'key.pem'), '-out', out, '-outform', 'DER']
    const what = ['req', '-x509', '-config', config, '-subj', subject, ...key, ...files]
    execFileSync('openssl', what, { stdio: 'ignore' })
    return expectOk(parseCertificate(readFileSync(out)))
  }

  const moduleName = (serial: string, type = '2.23.133.1.2') => [
    ...['[hw]', `type=OID:${type}`, `serial=FORMAT:ASCII,OCTETSTRING:${serial}`],
  ]
  const MODULE = 'otherName.0=1.3.6.1.5.5.7.8.4;SEQUENCE:hw'
  const PERMANENT = 'otherName.1=1.3.6.1.5.5.7.8.3;SEQUENCE:perm'
  const identity = (certificate: Certificate) =>
    toHex(hardwareNameOf(certificate)?.identity ?? new Uint8Array())
  const distinct = (...certificates: readonly Certificate[]) =>
    new Set(certificates.map(identity)).size

  test('is told by a hardware module name, for its type', () => {
    const one = certify([MODULE], moduleName('S1'))
    expect(hardwareNameOf(one)).toMatchObject({ kind: 'hardware-module' })
    expect(identity(certify([MODULE], moduleName('S1'), '/CN=another'))).toBe(identity(one))
    const others = [
      certify([MODULE], moduleName('S2')),
      certify([MODULE], moduleName('S1', '2.23.133.1.1')),
    ]
    expect(distinct(one, ...others)).toBe(3)
  })

  test('is told by a permanent identifier, for its assigner or else its issuer', () => {
    const assigned = ['[perm]', 'value=UTF8:P1', 'assigner=OID:1.2.3.4']
    const bare = ['[perm]', 'value=UTF8:P1']
    const one = certify([PERMANENT], assigned)
    expect(hardwareNameOf(one)).toMatchObject({ kind: 'permanent-identifier' })
    expect(identity(certify([PERMANENT], assigned, '/CN=B'))).toBe(identity(one))
    const others = [certify([PERMANENT], bare), certify([PERMANENT], bare, '/CN=B')]
    expect(distinct(one, ...others)).toBe(3)
  })

  test('is the EK certificate whose digest TCG gives as a permanent identifier', () => {
    const hash = digest('sha256', toUtf8('an EK certificate'))
    const named = (text: string) =>
      certify(
        [MODULE, PERMANENT],
        [...moduleName('S1'), ...['[perm]', `value=UTF8:${text}`, 'assigner=OID:2.23.133.12.1']],
      )
    const expected = nameOfEkCertificateHash(hash)
    expect(hardwareNameOf(named(toHex(hash)))).toEqual(expected)
    expect(hardwareNameOf(named(toHex(hash).toUpperCase()))).toEqual(expected)
    // What is no such digest says less than the module's name.
    expect(hardwareNameOf(named('no digest'))).toMatchObject({ kind: 'hardware-module' })
  })

  test.each([
    ['no alternative name', [], []],
    ['a DNS name', ['DNS.0=host.example'], []],
    ['another kind of name', ['otherName.0=1.2.3.4;UTF8:S1'], []],
    [
      'a serial number of another type',
      [MODULE],
      ['[hw]', 'type=OID:2.23.133.1.2', 'serial=UTF8:S1'],
    ],
    ['an empty serial number', [MODULE], ['[hw]', 'type=OID:2.23.133.1.2', 'serial=OCTETSTRING:']],
    ['more than the name', [MODULE], [...moduleName('S1'), 'more=NULL']],
    ['nothing in it', [PERMANENT], ['[perm]']],
    ['an assigner alone', [PERMANENT], ['[perm]', 'assigner=OID:1.2.3.4']],
  ])('is nothing where there is %s', (_, names, sections) => {
    expect(hardwareNameOf(certify(names, sections))).toBeUndefined()
  })

  test('cannot be chosen to be the name of a key or of an EK certificate', () => {
    const hash = digest('sha256', toUtf8('somebody else'))
    const chosen = certify(
      [PERMANENT],
      [...['[perm]', `value=UTF8:${toHex(hash)}`, 'assigner=OID:2.23.133.12.1']],
    )
    expect(identity(chosen)).not.toBe(toHex(hash))
  })

  test('has its model in a directory name, all three attributes of it', () => {
    const types = ['tpm0', 'tpm1', 'tpm2']
    const model = (present: readonly string[]) =>
      certify(['dirName.0=model'], ['[model]', ...present.map((type) => `${type}=id:1`)])
    expect(namesTpmModel(model(types))).toBe(true)
    for (const missing of types) {
      expect(namesTpmModel(model(types.filter((type) => type !== missing)))).toBe(false)
    }
    expect(namesTpmModel(certify([], []))).toBe(false)
  })
})

test('an RSA key that is written as id-RSAES-OAEP is the same key (RFC 4055 §4.1)', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const plain = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  // The last octet of the object identifier: rsaEncryption, id-RSAES-OAEP.
  const at = Buffer.from(plain).indexOf(Buffer.from('2a864886f70d010101', 'hex')) + 8
  const oaep = Uint8Array.from(plain)
  oaep[at] = 7
  expect(Buffer.from(plainRsaSpki(oaep))).toEqual(Buffer.from(plain))
  expect(plainRsaSpki(plain)).toBe(plain)
  for (const cut of [oaep.subarray(0, 20), oaep.subarray(1), new Uint8Array()]) {
    expect(plainRsaSpki(cut)).toBe(cut)
  }
})

test('a machine of the simulator is named as others read it', async () => {
  const authority = await createAkAuthority(new Date('2026-01-01'))
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = expectOk(parseCertificate(await authority.issue(publicKey, 'S1')))
  expect(hardwareNameOf(certificate)).toMatchObject({ kind: 'hardware-module' })
})
