import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Swtpm, startSwtpm } from './swtpm.ts'

const run = promisify(execFile)

/** A maker of TPMs: swtpm's own certificate authority, in a folder of its own. */
export type SwtpmMaker = {
  /** Its root and its issuing authority, in PEM. */
  readonly rootPem: string
  readonly issuerPem: string
  /** Makes and starts a TPM with certified endorsement keys: RSA of 2048 bits or 3072, and P-384. */
  readonly make: (options?: { readonly rsaBits?: 3072 }) => Promise<Swtpm>
  readonly close: () => Promise<void>
}

/** Sets up swtpm_localca (package swtpm-tools), which nobody here wrote, with keys of its own. */
export async function openSwtpmMaker(): Promise<SwtpmMaker> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-swtpm-ca-'))
  const at = (name: string) => join(folder, name)
  const write = (name: string, lines: readonly string[]) =>
    writeFile(at(name), `${lines.join('\n')}\n`)
  await write('authority.conf', [
    `statedir = ${folder}`,
    `signingkey = ${at('key.pem')}`,
    `issuercert = ${at('issuer.pem')}`,
    `certserial = ${at('serial')}`,
  ])
  await write('authority.options', [
    '--platform-manufacturer test',
    '--platform-version 1',
    '--platform-model test',
  ])
  await write('setup.conf', [
    'create_certs_tool = /usr/bin/swtpm_localca',
    `create_certs_tool_config = ${at('authority.conf')}`,
    `create_certs_tool_options = ${at('authority.options')}`,
    'active_pcr_banks = sha1,sha256',
  ])
  const make: SwtpmMaker['make'] = ({ rsaBits } = {}) => {
    const size = rsaBits === undefined ? [] : ['--rsa-keysize', String(rsaBits)]
    const options = ['--tpm2', '--create-ek-cert', '--config', at('setup.conf'), ...size]
    return startSwtpm((state) => run('swtpm_setup', [...options, '--tpmstate', state]))
  }
  // The authority comes to be with the first certificate that it signs.
  await (await make()).stop()
  return {
    rootPem: await readFile(at('swtpm-localca-rootca-cert.pem'), 'utf8'),
    issuerPem: await readFile(at('issuer.pem'), 'utf8'),
    make,
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
