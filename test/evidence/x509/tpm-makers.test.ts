import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Certificate, parsePemBundle } from '../../../src/evidence/x509/certificate.ts'
import { TPM_CRITICAL_EXTENSIONS, verifyPath } from '../../../src/evidence/x509/path.ts'
import { toPem } from '../../support/certificates.ts'
import { describeOpenssl } from '../../support/openssl.ts'
import { expectOk } from '../../support/refusal.ts'
import { describeVectors, vectorText } from '../../support/vectors.ts'

/**
 * Certificates of TPM makers as their authorities published them (AMD, Infineon, Intel, Microsoft,
 * NSING, Nuvoton, STMicroelectronics), collected by loicsikidi/tpm-ca-certificates.
 */
const NOW = new Date('2026-11-27T00:00:00Z')

const read = (name: string) => expectOk(parsePemBundle(vectorText(`certs/tpm-vendors/${name}`)))

function verify(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  anchors: readonly Certificate[],
) {
  const usage = {
    keyUsage: ['keyCertSign'],
    allowedCriticalExtensions: TPM_CRITICAL_EXTENSIONS,
  } as const
  return verifyPath({ leaf, intermediates, anchors, now: NOW, usage })
}

describeVectors('authorities of TPM makers', () => {
  const roots = read('roots.pem')
  const intermediates = read('intermediates.pem')

  test('every one of 143 has a path to one of 26 roots', async () => {
    expect([roots.length, intermediates.length]).toEqual([26, 143])
    for (const leaf of intermediates) {
      const path = expectOk(await verify(leaf, intermediates, roots))
      expect(roots).toContain(path.anchor.certificate)
    }
  })

  test('not one has a path without its root', async () => {
    for (const leaf of intermediates) {
      const { anchor } = expectOk(await verify(leaf, intermediates, roots))
      const others = roots.filter(({ subject }) => Buffer.compare(subject, anchor.name) !== 0)
      expect((await verify(leaf, intermediates, others)).ok).toBe(false)
    }
  })

  describeOpenssl('are accepted by OpenSSL too', () => {
    test('all of them, so that none is accepted here alone', () => {
      const folder = mkdtempSync(join(tmpdir(), 'tpm-makers-'))
      try {
        const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
        write('roots', vectorText('certs/tpm-vendors/roots.pem'))
        write('pool', vectorText('certs/tpm-vendors/intermediates.pem'))
        const files = intermediates.map(({ der }, at) => {
          write(`${at}`, toPem(der))
          return `${at}`
        })
        const options = ['-partial_chain', '-attime', `${NOW.getTime() / 1000}`]
        const pools = ['-CAfile', 'roots', '-untrusted', 'pool']
        const run = spawnSync('openssl', ['verify', ...options, ...pools, ...files], {
          cwd: folder,
          encoding: 'utf8',
        })
        expect(run.stdout.match(/: OK$/gm)).toHaveLength(143)
      } finally {
        rmSync(folder, { recursive: true })
      }
    })
  })
})
