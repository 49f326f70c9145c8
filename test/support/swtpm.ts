import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DIGEST_BYTES, type HashAlgorithm } from '../../src/base/digest.ts'
import { toHex } from '../../src/base/encoding.ts'
import { ByteReader } from '../../src/evidence/bytes.ts'
import type { PcrBank } from '../../src/evidence/tpm/pcr.ts'
import { describeWith } from './left-out.ts'
import { type SwtpmProcess, startSwtpmProcess } from './swtpm-process.ts'

/**
 * A software TPM that nobody here wrote: Debian's swtpm, spoken to with tpm2-tools (packages swtpm,
 * swtpm-tools, tpm2-tools, libtss2-tcti-swtpm0). It needs no root and no device.
 */

const run = promisify(execFile)
const TOOLS = ['swtpm', 'swtpm_setup', 'swtpm_localca', 'tpm2_createek', 'tpm2_quote']
const PCRS = 24
/** What a credential begins with in the files of tpm2-tools: a magic number and a version. */
const CREDENTIAL_FILE_HEAD = Buffer.from('badcc0de00000001', 'hex')

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

/** Where a maker keeps endorsement keys and their certificates. TCG EK Credential Profile §2.2.1 */
const MANUFACTURED = {
  rsa: { handle: '0x81010001', index: '0x1c00002' },
  rsa3072: { handle: '0x8101001c', index: '0x1c0001c' },
  ecc384: { handle: '0x81010016', index: '0x1c00016' },
} as const

export type ManufacturedEkKind = keyof typeof MANUFACTURED

/** An endorsement key with the certificate that its maker wrote into the TPM. */
export type ManufacturedEk = SwtpmKey & { readonly certificate: Uint8Array }

/** A suite that needs a TPM. */
export function describeSwtpm(name: string, suite: () => void): void {
  const isPresent = TOOLS.every((tool) => spawnSync(tool, ['--version']).error === undefined)
  describeWith('swtpm', isPresent, name, suite)
}

/**
 * Starts a fresh TPM on free loopback ports. The caller must `stop` it. `manufacture` may write its
 * state before.
 */
export async function startSwtpm(
  manufacture?: (folder: string) => Promise<unknown>,
): Promise<Swtpm> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-swtpm-'))
  try {
    await manufacture?.(folder)
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

  /** An endorsement key that the TPM was made with, and its certificate in the TPM's NV memory. */
  async readEk(kind: ManufacturedEkKind): Promise<ManufacturedEk> {
    const { handle: context, index } = MANUFACTURED[kind]
    const output = this.#file('certificate')
    await this.#tool('tpm2_nvread', [index, '-o', output])
    const certificate = await this.#read(output)
    return { context, certificate, publicArea: await this.#readPublic(context) }
  }

  /** The P-256 endorsement key of the default template, which no maker certified. */
  async createEccEk(): Promise<SwtpmKey> {
    const context = this.#file('ek')
    await this.#tool('tpm2_createek', ['-c', context, '-G', 'ecc'])
    return { context, publicArea: await this.#readPublic(context) }
  }

  /** TPM2_MakeCredential by the TPM itself: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET. */
  async makeCredential(ek: SwtpmKey, name: Uint8Array, secret: Uint8Array): Promise<Uint8Array> {
    const [input, output] = [this.#file('secret'), this.#file('credential')]
    const key = this.#file('public')
    await writeFile(input, secret)
    const size = Uint8Array.of(ek.publicArea.length >> 8, ek.publicArea.length & 0xff)
    await writeFile(key, Buffer.concat([size, ek.publicArea]))
    const what = ['-u', key, '-s', input, '-n', toHex(name), '-o', output]
    await this.#tool('tpm2_makecredential', what)
    return (await this.#read(output)).subarray(CREDENTIAL_FILE_HEAD.length)
  }

  /** TPM2_ActivateCredential: the secret, or an error of the TPM's. */
  async activate(options: {
    readonly ek: SwtpmKey
    readonly ak: SwtpmKey
    /** TPM2B_ID_OBJECT, then TPM2B_ENCRYPTED_SECRET. */
    readonly credential: Uint8Array
  }): Promise<Uint8Array> {
    const [input, output] = [this.#file('credential'), this.#file('secret')]
    const session = this.#file('session')
    await writeFile(input, Buffer.concat([CREDENTIAL_FILE_HEAD, options.credential]))
    const { ak, ek } = options
    const what = ['-c', ak.context, '-C', ek.context, '-i', input, '-o', output]
    if (allowsPassword(ek)) {
      await this.#tool('tpm2_activatecredential', what)
      return this.#read(output)
    }
    await this.#inTurn(async () => {
      await this.#run('tpm2_startauthsession', ['--policy-session', '-S', session])
      try {
        await this.#run('tpm2_policysecret', ['-S', session, '-c', 'e'])
        await this.#run('tpm2_activatecredential', [...what, '-P', `session:${session}`])
      } finally {
        await this.#run('tpm2_flushcontext', [session])
        await this.#run('tpm2_flushcontext', ['-t'])
      }
    })
    return this.#read(output)
  }

  /** A restricted signing key under an endorsement key: its own of the default template. */
  async createAk(kind: AkKind, under?: SwtpmKey): Promise<SwtpmAk> {
    const ek = under ?? (await this.createEk())
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

/** userWithAuth, which the templates of the high range have. Its password is empty. */
function allowsPassword({ publicArea }: SwtpmKey): boolean {
  return ((publicArea[7] ?? 0) & 0x40) !== 0
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
