import { execFile, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { hashClientSecret, newClientSecret } from '../../src/keys/client-secret.ts'
import type { Store } from '../../src/store/store.ts'
import type { Json } from './json.ts'
import { describeWith } from './left-out.ts'
import { VECTORS_FOLDER } from './vectors-folder.ts'

/**
 * An agent that nobody here wrote: in Python, by an engineer who had the documentation alone, with
 * Debian's swtpm and cryptography. It is kept beside the project and never changed to make it pass.
 */
export const VENDOR_FOLDER = resolve(VECTORS_FOLDER, '../agent')
const SCRIPT = resolve(VENDOR_FOLDER, 'run.sh')
/** An interpreter that has python3-cryptography. */
export const PYTHON = process.env.PYTHON ?? '/usr/bin/python3'
/** What it asks of its client: it lists its enclave, and asks for decisions. */
const SCOPES = ['access.evaluate', 'admin.read', 'admin.write'] as const

/** What it did. Status 0: all as it should be; 1: the service decided otherwise; 2: it could not be asked. */
export type VendorAgentRun = {
  readonly status: number
  /** A line for each step of its story. */
  readonly lines: readonly string[]
  readonly complaints: string
}

/** Credentials of a client of the service. */
export type VendorClient = { readonly id: string; readonly secret: string }

/** A suite that needs the agent and what it needs. */
export function describeVendorAgent(name: string, suite: () => void): void {
  const runs = (command: string, args: readonly string[]) => spawnSync(command, args).status === 0
  const isPresent =
    existsSync(SCRIPT) &&
    runs('swtpm', ['--version']) &&
    runs(PYTHON, ['-c', 'import cryptography'])
  describeWith('agent', isPresent, name, suite)
}

/** Makes the client that the agent comes as. */
export async function createVendorClient(
  store: Pick<Store, 'createClient'>,
): Promise<VendorClient> {
  const [id, secret] = ['cli_vendor', newClientSecret(randomBytes(32))]
  const secretHash = hashClientSecret(secret)
  const what = { clientId: id, name: 'vendor', secretHash, scopes: SCOPES }
  await store.createClient({ ...what, by: 'test', now: new Date() })
  return { id, secret }
}

/** Runs its whole story against the service at `url`, to its end. */
export function runVendorAgent(url: string, { id, secret }: VendorClient): Promise<VendorAgentRun> {
  return new Promise((done) => {
    const child = execFile('sh', [SCRIPT, url, id, secret], (_error, stdout, stderr) => {
      const lines = stdout.split('\n').filter((line) => line !== '')
      done({ status: child.exitCode ?? -1, lines, complaints: stderr })
    })
  })
}

/** Runs a program with its modules at hand, for messages of its making: `input` in, JSON out. */
export async function askVendorAgent(program: string, input: unknown): Promise<Json> {
  const env = { ...process.env, PYTHONPATH: VENDOR_FOLDER, PYTHONDONTWRITEBYTECODE: '1' }
  const args = ['-c', program, JSON.stringify(input)]
  const { stdout } = await promisify(execFile)(PYTHON, args, { env, maxBuffer: 64 * 1024 * 1024 })
  return JSON.parse(stdout)
}
