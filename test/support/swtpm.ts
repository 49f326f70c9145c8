import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DIGEST_BYTES, type HashAlgorithm } from '../../src/digest.ts'
import { toHex } from '../../src/encoding.ts'
import { ByteReader } from '../../src/evidence/bytes.ts'
import type { PcrBank } from '../../src/evidence/tpm/pcr.ts'
import { describeWith } from './left-out.ts'
import { type SwtpmProcess, startSwtpmProcess } from './swtpm-process.ts'

/**
 * A software TPM that nobody here wrote: Debian's swtpm, spoken to with tpm2-tools (packages swtpm,
 * swtpm-tools, tpm2-tools, libtss2-tcti-swtpm0). It needs no root and no device.
 */

const run = promisify(execFile)
const TOOLS = ['swtpm', 'tpm2_createek', 'tpm2_quote']
const PCRS = 24

/** Where TPM2_Certify, sent as raw bytes, finds its two keys. */
const CERTIFIED_HANDLE = 0x8101_0010
const SIGNER_HANDLE = 0x8101_0011

/** A key in the TPM. `context` names it to tpm2-tools. */
export type SwtpmKey = {
  readonly context: string
  /** TPMT_PUBLIC */
  readonly publicArea: Uint8Array
}

export type SwtpmAk = SwtpmKey & { readonly kind: AkKind }

/** What a TPM signed: TPMS_ATTEST and TPMT_SIGNATURE. */
export type SwtpmAttestation = { readonly attest: Uint8Array; readonly signature: Uint8Array }

const AK_KINDS = {
  rsa: { key: 'rsa', hash: 'sha256', scheme: 'rsassa' },
  rsapss: { key: 'rsa', hash: 'sha256', scheme: 'rsapss' },
  ecc: { key: 'ecc', hash: 'sha256', scheme: 'ecdsa' },
  ecc384: { key: 'ecc384', hash: 'sha384', scheme: 'ecdsa' },
} as const

export type AkKind = keyof typeof AK_KINDS

/** A suite that needs a TPM. */
export function describeSwtpm(name: string, suite: () => void): void {
  const isPresent = TOOLS.every((tool) => spawnSync(tool, ['--version']).error === undefined)
  describeWith('swtpm', isPresent, name, suite)
}

/** Starts a fresh TPM on free loopback ports. The caller must `stop` it. */
export async function startSwtpm(): Promise<Swtpm> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-swtpm-'))
  try {
    return new Swtpm(folder, await startSwtpmProcess(folder))
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/**
 * A running TPM. It has no resource manager, so commands wait for each other, and each leaves the few
 * object slots empty for the next.
 */
export class Swtpm {
  readonly #folder: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #process: SwtpmProcess
  #idle: Promise<unknown> = Promise.resolve()
  #ek: Promise<SwtpmKey> | undefined
  #files = 0

  constructor(folder: string, running: SwtpmProcess) {
    this.#folder = folder
    this.#process = running
    const tcti = `swtpm:host=127.0.0.1,port=${running.port}`
    this.#environment = { ...process.env, TPM2TOOLS_TCTI: tcti, TSS2_LOG: 'all+none' }
  }

  /** The RSA-2048 endorsement key of the default template; made once. */
  createEk(): Promise<SwtpmKey> {
    this.#ek ??= this.#makeEk()
    return this.#ek
  }

  /** A restricted signing key under the endorsement key. */
  async createAk(kind: AkKind): Promise<SwtpmAk> {
    const ek = await this.createEk()
    const context = this.#file('ak')
    const { key, hash, scheme } = AK_KINDS[kind]
    const name = ['-n', this.#file('name')]
    const choice = ['-G', key, '-g', hash, '-s', scheme]
    await this.#tool('tpm2_createak', ['-C', ek.context, '-c', context, ...choice, ...name])
    return { kind, context, publicArea: await this.#readPublic(context) }
  }

  /**
   * An unrestricted signing key in the owner hierarchy, to be certified. `attributes` as tpm2-tools
   * spells them.
   */
  async createSigningKey(options: { kind: 'rsa' | 'ecc'; attributes?: string }): Promise<SwtpmKey> {
    const parent = this.#file('primary')
    await this.#tool('tpm2_createprimary', ['-C', 'o', '-G', 'ecc', '-c', parent])
    const context = this.#file('key')
    const algorithm =
      options.kind === 'rsa' ? 'rsa2048:rsapss-sha256:null' : 'ecc:ecdsa-sha256:null'
    const attributes =
      options.attributes ?? 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
    const outputs = ['-u', this.#file('public'), '-r', this.#file('private'), '-c', context]
    const choice = ['-G', algorithm, '-a', attributes]
    await this.#tool('tpm2_create', ['-C', parent, ...choice, ...outputs])
    return { context, publicArea: await this.#readPublic(context) }
  }

  /** TPM2_PCR_Extend of one PCR in the given banks at once, as firmware does for one log event. */
  async extend(pcr: number, digests: ReadonlyMap<HashAlgorithm, Uint8Array>): Promise<void> {
    const values = [...digests].map(([algorithm, value]) => `${algorithm}=${toHex(value)}`)
    await this.#inTurn(() => this.#run('tpm2_pcrextend', [`${pcr}:${values.join(',')}`]))
  }

  /** The present values of a bank: all 24, or `indexes`. */
  async readPcrs(algorithm: HashAlgorithm, indexes = allPcrs()): Promise<PcrBank> {
    const output = this.#file('pcrs')
    await this.#tool('tpm2_pcrread', [`${algorithm}:${indexes.join(',')}`, '-o', output])
    const bytes = await this.#read(output)
    const width = DIGEST_BYTES[algorithm]
    const ascending = indexes.toSorted((a, b) => a - b)
    const value = (at: number) => bytes.subarray(at * width, (at + 1) * width)
    return { algorithm, values: new Map(ascending.map((index, at) => [index, value(at)])) }
  }

  /** TPM2_Quote over the same PCRs of every given bank. */
  async quote(options: {
    ak: SwtpmAk
    nonce: Uint8Array
    banks: readonly HashAlgorithm[]
    indexes: readonly number[]
  }): Promise<SwtpmAttestation> {
    const { ak, nonce, banks, indexes } = options
    const attest = this.#file('attest')
    const signature = this.#file('signature')
    const selection = banks.map((bank) => `${bank}:${indexes.join(',')}`).join('+')
    const { hash, scheme } = AK_KINDS[ak.kind]
    const what = ['-c', ak.context, '-l', selection, '-q', toHex(nonce), '-g', hash]
    const outputs = ['-m', attest, '-s', signature, '-f', 'tss']
    await this.#tool('tpm2_quote', [...what, '--scheme', scheme, ...outputs])
    return { attest: await this.#read(attest), signature: await this.#read(signature) }
  }

  /**
   * TPM2_Certify of `key` by `ak`. tpm2_certify writes a nonce of its own choice, so the command is
   * sent as bytes. TPM 2.0 Part 3 §18.2
   */
  async certify(options: {
    ak: SwtpmAk
    key: SwtpmKey
    nonce: Uint8Array
  }): Promise<SwtpmAttestation> {
    const command = this.#file('command')
    await writeFile(command, certifyCommand(options.nonce))
    await this.#persist(options.key, CERTIFIED_HANDLE)
    await this.#persist(options.ak, SIGNER_HANDLE)
    const response = this.#file('response')
    await this.#tool('tpm2_send', ['-o', response, command])
    for (const handle of [CERTIFIED_HANDLE, SIGNER_HANDLE]) {
      await this.#tool('tpm2_evictcontrol', ['-C', 'o', '-c', hex(handle)])
    }
    return readCertifyResponse(await this.#read(response))
  }

  async stop(): Promise<void> {
    await this.#process.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #makeEk(): Promise<SwtpmKey> {
    const context = this.#file('ek')
    await this.#tool('tpm2_createek', ['-c', context, '-G', 'rsa'])
    return { context, publicArea: await this.#readPublic(context) }
  }

  #persist(key: SwtpmKey, handle: number): Promise<void> {
    return this.#tool('tpm2_evictcontrol', ['-C', 'o', '-c', key.context, hex(handle)])
  }

  async #readPublic(context: string): Promise<Uint8Array> {
    const output = this.#file('tpmt')
    await this.#tool('tpm2_readpublic', ['-c', context, '-f', 'tpmt', '-o', output])
    return this.#read(output)
  }

  #tool(name: string, args: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      await this.#run(name, args)
      await this.#run('tpm2_flushcontext', ['-t'])
    })
  }

  async #run(name: string, args: readonly string[]): Promise<void> {
    await run(name, args, { env: this.#environment })
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#idle.then(work)
    this.#idle = done.catch(() => undefined)
    return done
  }

  #file(kind: string): string {
    this.#files += 1
    return join(this.#folder, `${kind}-${this.#files}`)
  }

  async #read(path: string): Promise<Uint8Array> {
    return new Uint8Array(await readFile(path))
  }
}

function allPcrs(): readonly number[] {
  return Array.from({ length: PCRS }, (_, index) => index)
}

function hex(handle: number): string {
  return `0x${handle.toString(16)}`
}

/** TPM2_Certify with two empty password sessions and the signer's own scheme. */
function certifyCommand(nonce: Uint8Array): Uint8Array {
  const password = '400000090000000000'
  const handles = CERTIFIED_HANDLE.toString(16) + SIGNER_HANDLE.toString(16)
  const size = nonce.length.toString(16).padStart(4, '0')
  const rest = `00000148${handles}00000012${password}${password}${size}${toHex(nonce)}0010`
  const length = (6 + rest.length / 2).toString(16).padStart(8, '0')
  return Buffer.from(`8002${length}${rest}`, 'hex')
}

function readCertifyResponse(response: Uint8Array): SwtpmAttestation {
  const reader = new ByteReader(response)
  reader.u16be('tag')
  reader.u32be('size')
  const code = reader.u32be('responseCode')
  if (code !== 0) throw new Error(`TPM2_Certify failed: ${hex(code)}`)
  const parameters = reader.sub(reader.u32be('parameterSize'), 'parameters')
  const attest = parameters.sized16be(1024, 'certifyInfo')
  return { attest, signature: parameters.rest() }
}
