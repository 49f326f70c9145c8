import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Certificate, parsePemBundle } from '../../src/evidence/x509/certificate.ts'
import { describeWith } from './left-out.ts'
import { expectOk } from './refusal.ts'
import { VECTORS_FOLDER } from './vectors-folder.ts'

/**
 * Certificates that Microsoft issued to TPMs of Windows devices, with their issuers and its root: from
 * public repositories, kept beside the vectors.
 */
const CASES = resolve(VECTORS_FOLDER, '../cases')
const folder = existsSync(CASES)
  ? readdirSync(CASES).find((name) => name.endsWith('-microsoft-aik-certificates'))
  : undefined

/** Region and TPM maker of each chain; all of them are valid at `MICROSOFT_CHAINS_AT`. */
export const MICROSOFT_CHAINS = ['stm-eus', 'ntc-eus', 'intc-wus', 'stm-ncu'] as const
export const MICROSOFT_CHAINS_AT = new Date('2023-06-01T00:00:00Z')

export function describeMicrosoftChains(name: string, suite: () => void): void {
  describeWith('vectors', folder !== undefined, name, suite)
}

/** `stm-eus-aik`, `stm-eus-ca`, `microsoft-tpm-root-2014`. */
export function readMicrosoftPem(name: string): string {
  if (folder === undefined) throw new TypeError('there are no chains of Microsoft here')
  return readFileSync(resolve(CASES, folder, 'data', `${name}.pem`), 'utf8')
}

export function readMicrosoft(name: string): Certificate {
  const [certificate] = expectOk(parsePemBundle(readMicrosoftPem(name)))
  if (certificate === undefined) throw new TypeError(`no certificate in ${name}`)
  return certificate
}
