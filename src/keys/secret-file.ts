import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { toBase64, toHex } from '../base/encoding.ts'
import { codeOf } from '../base/error-code.ts'
import { isPublishedSecret, PUBLISHED_KEY } from '../base/published-keys.ts'
import { MASTER_SECRET_BYTES, type MasterSecret, parseMasterSecret } from './master-secret.ts'

/** Its name in the data directory. */
export const SECRET_FILE = 'secret.key'

/**
 * Reads the master secret from a file, or makes one there that only this user can read (Node only).
 * Of several processes that start at once all get the same secret. Throws if the file holds
 * something else, as replacing it would make everything sealed before unreadable, and if it is the secret of
 * the vectors.
 */
export async function loadOrCreateSecretFile(path: string): Promise<MasterSecret> {
  return parseFile(path, (await readIfThere(path)) ?? (await createSecretFile(path)))
}

/** The same of a file that is there; `undefined` if it is not. */
export async function loadSecretFile(path: string): Promise<MasterSecret | undefined> {
  const text = await readIfThere(path)
  return text === undefined ? undefined : parseFile(path, text)
}

function parseFile(path: string, text: string): MasterSecret {
  const secret = parseMasterSecret(text)
  if (secret === undefined) {
    throw new Error(`${path} does not hold a master secret (32 bytes in base64): restore the file`)
  }
  if (isPublishedSecret(secret)) throw new Error(`${path} ${PUBLISHED_KEY}: remove the file`)
  return secret
}

async function createSecretFile(path: string): Promise<string> {
  // Where another process was faster, its secret is the one.
  await placeSecretFile(path, `${toBase64(randomBytes(MASTER_SECRET_BYTES))}\n`)
  return readFile(path, 'utf8')
}

/**
 * Puts a secret where none is, for this user alone; `false` if there is one. The file appears whole or not at all,
 * so nobody can read the half of a secret.
 */
export async function placeSecretFile(path: string, text: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${toHex(randomBytes(8))}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    return false
  } finally {
    await rm(draft, { force: true })
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
