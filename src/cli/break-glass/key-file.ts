import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs'
import { thumbprintOf } from '../../access/break-glass/keys.ts'
import type { BreakGlassSigner } from '../../access/break-glass/sign.ts'
import { option } from '../framework/options.ts'
import { describeCode, readBytes, readTextFile } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'

/** As it stands in BREAK_GLASS_KEYS. */
export type PublicBreakGlassJwk = {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: 'EdDSA'
}

/** Throws `UsageError` for what is no Ed25519 private key in PEM. */
export function readSigner(path: string, passphrase: string | undefined) {
  const pem = Buffer.from(readBytes(path))
  const key = decrypt(pem, { path, passphrase })
  if (key.asymmetricKeyType !== 'ed25519') throw new UsageError(`${path} is no Ed25519 key`)
  const { kid } = publicJwkOf(key)
  const signer: BreakGlassSigner = { kid, sign: (message) => sign(null, message, key) }
  return signer
}

export function publicJwkOf(key: KeyObject): PublicBreakGlassJwk {
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  if (x === undefined) throw new TypeError('not an Ed25519 key')
  return { kty: 'OKP', crv: 'Ed25519', x, kid: thumbprintOf(x), use: 'sig', alg: 'EdDSA' }
}

/** PKCS#8 in PEM; encrypted (PBES2) under a passphrase. */
export function encodePrivateKey(key: KeyObject, passphrase: string | undefined): string {
  const encryption = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }
  return key.export({ type: 'pkcs8', format: 'pem', ...encryption }).toString()
}

/** A new file that this user alone can read. What is there already may be somebody's only key. */
export function writeNewSecret(path: string, text: string): void {
  try {
    const file = openSync(path, 'wx', 0o600)
    try {
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    const code = describeCode(error)
    const isThere = code === ' (EEXIST)'
    if (isThere) throw new UsageError(`${path} is there already: keys are not overwritten`)
    throw new UsageError(`cannot write ${path}${code}`)
  }
}

/** A passphrase, read when the option is: the first line of a file. */
export const PASSPHRASE_FILE = option(
  'FILE',
  'the file whose first line encrypts the private key, or decrypts it',
  readPassphrase,
)

function readPassphrase(path: string): string {
  const [line = ''] = readTextFile(path).split(/\r?\n/, 1)
  if (line === '') throw new UsageError(`${path} has no passphrase in its first line`)
  return line
}

function decrypt(
  pem: Buffer,
  { path, passphrase }: { path: string; passphrase: string | undefined },
): KeyObject {
  if (passphrase === undefined && pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----')) {
    throw new UsageError(`${path} is encrypted: give its --passphrase-file`)
  }
  try {
    return createPrivateKey({ key: pem, format: 'pem', ...(passphrase && { passphrase }) })
  } catch {
    throw new UsageError(`${path} is no private key in PEM, or not under this passphrase`)
  }
}
