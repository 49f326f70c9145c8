import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigError, readNodeConfig } from '../../src/config/node-config.ts'
import { issueCertificate } from '../support/certificates.ts'
import { describeOpenssl, openssl } from '../support/openssl.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function mistakesOf(environment: Record<string, string>): Promise<readonly string[]> {
  const error = await readNodeConfig(environment).catch((thrown) => thrown)
  expect(error).toBeInstanceOf(ConfigError)
  return error.mistakes
}

describe('readNodeConfig', () => {
  test('chooses a port where it is 0, and says it in our own URL', async () => {
    const config = await readNodeConfig({ PORT: '0' })
    expect(config.port).toBeGreaterThan(0)
    expect(config.publicUrl).toBe(`http://localhost:${config.port}`)
  })

  test('reads the trust anchors from their file', async () => {
    const { pem } = await issueCertificate({ subject: 'Root', ca: true })
    const file = join(folder, 'anchors.pem')
    writeFileSync(file, pem)
    expect((await readNodeConfig({ AK_TRUST_ANCHORS_FILE: file })).akTrustAnchors).toBe(pem)
  })

  test('a file that is missing, or holds something else, is one mistake among the others', async () => {
    const file = join(folder, 'notes.txt')
    writeFileSync(file, 'hello')
    expect(await mistakesOf({ PORT: 'x', AK_TRUST_ANCHORS_FILE: join(folder, 'no') })).toEqual([
      'PORT: must be a whole number from 0 to 65535',
      `AK_TRUST_ANCHORS_FILE: ${folder}/no cannot be read (ENOENT)`,
    ])
    expect(await mistakesOf({ AK_TRUST_ANCHORS_FILE: file })).toEqual([
      expect.stringMatching(
        /^AK_TRUST_ANCHORS_FILE: .*notes\.txt hello names no known root: say one/,
      ),
    ])
  })

  // Witness: the command that is named is OpenSSL's, and what it writes is taken.
  describeOpenssl('anchors in DER, as makers publish them', () => {
    test.each([
      ['one certificate', ['x509', '-outform', 'der', '-in'], ['x509', '-inform', 'der', '-in']],
      [
        'a message of certificates',
        ['crl2pkcs7', '-nocrl', '-outform', 'der', '-certfile'],
        ['pkcs7', '-inform', 'der', '-print_certs', '-in'],
      ],
    ])('%s: the mistake names the command that makes PEM of it', async (name, toDer, toPem) => {
      const { pem } = await issueCertificate({ subject: 'Root', ca: true })
      const der = openssl(toDer, pem)
      const file = join(folder, `${name}.cer`)
      writeFileSync(file, der)
      expect(await mistakesOf({ EK_TRUST_ANCHORS_FILE: file })).toEqual([
        `EK_TRUST_ANCHORS_FILE: ${file} is in DER, and has to be in PEM: openssl ${toPem.join(' ')} FILE writes it`,
      ])
      writeFileSync(file, openssl(toPem, der))
      const config = await readNodeConfig({ EK_TRUST_ANCHORS_FILE: file })
      expect(config.ekTrustAnchors).toContain('BEGIN CERTIFICATE')
    })
  })

  test('a file in neither text nor DER is said to be none', async () => {
    const file = join(folder, 'noise.pem')
    writeFileSync(file, Uint8Array.of(0x30, 0x82, 0xff, 0xfe))
    expect(await mistakesOf({ EK_TRUST_ANCHORS_FILE: file })).toEqual([
      `EK_TRUST_ANCHORS_FILE: ${file} is not UTF-8 text`,
    ])
  })

  test('anchors given twice are refused, however good they are', async () => {
    const { pem } = await issueCertificate({ subject: 'Root', ca: true })
    const file = join(folder, 'twice.pem')
    writeFileSync(file, pem)
    const mistakes = await mistakesOf({ AK_TRUST_ANCHORS: pem, AK_TRUST_ANCHORS_FILE: file })
    expect(mistakes).toEqual(['AK_TRUST_ANCHORS: give either this or AK_TRUST_ANCHORS_FILE'])
  })

  test('half a certificate is refused at once, not when the service is half up', async () => {
    const { pem } = await issueCertificate({ subject: 'Root', ca: true })
    const mistakes = await mistakesOf({ AK_TRUST_ANCHORS: pem.slice(0, -40) })
    expect(mistakes).toEqual([
      'AK_TRUST_ANCHORS: must hold certificates in PEM (no PEM blocks, or damaged ones)',
    ])
  })

  test('a password that breaks the URL of the database is told', async () => {
    const [mistake] = await mistakesOf({ DATABASE_URL: 'postgres://u:p/w@[host/db' })
    expect(mistake).toContain('DATABASE_URL: ')
    expect(mistake).toContain('percent-encoded')
  })

  test('a database behind a Unix socket is none', async () => {
    for (const url of ['postgres:///db?host=/run/postgresql', 'postgres://u@/db?host=/run/pg']) {
      expect((await readNodeConfig({ DATABASE_URL: url })).database).toMatchObject({ url })
    }
  })
})
