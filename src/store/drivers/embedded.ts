import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { drizzle as drizzleProxy } from 'drizzle-orm/pg-proxy'
import { toHex } from '../../base/encoding.ts'
import { createStore } from '../create-store.ts'
import type { Store } from '../store.ts'
import { DataDirectoryBusyError, SchemaNotCurrentError } from '../store-error.ts'
import { migrateEmbedded, requireCurrentSchema } from '../system/migrate.ts'
import { boundCalls } from './bounded-store.ts'
import type { Database } from './database.ts'
import {
  claimDirectory,
  type DirectoryClaim,
  placeOf,
  readOwner,
  releaseDirectory,
  socketOf,
} from './directory-claim.ts'
import { connectToOwner } from './guest-connection.ts'
import { type GuestServer, listenForGuests } from './guest-server.ts'
import { SIGNALS_CHANNEL } from './listen.ts'

/** The folder of the store in a data directory, and that of PostgreSQL's own files in it. */
export const STORE_FOLDER = 'store'
export const DATABASE_FOLDER = 'database'
/** How the folders begin, beside the database, in which a restore unpacks a backup with its secret. */
export const RESTORING = 'restoring-'

/** How often an owner that just went away is succeeded before giving up. */
const ATTEMPTS_MOST = 20
const ATTEMPT_PAUSE_MS = 250

/** `sun_path` has 108 bytes on Linux and 104 elsewhere, with the final NUL. */
const SOCKET_PATH_BYTES_MOST = 100

/** A store that is forgotten when it is closed. */
export async function openMemoryStore(): Promise<Store> {
  const client = await PGlite.create()
  const db = await migrateEmbedded(client)
  return boundCalls(createStore({ db, place: { kind: 'memory' }, close: () => client.close() }))
}

/**
 * The store in a data directory, with no server to set up. The first process to open it owns it
 * and runs the database; those that come while it runs are its guests.
 *
 * What was acknowledged survives the death of the process at any moment. PGlite does not wait for
 * the disk, so the failure of the whole machine can cost the last seconds: where that matters, use
 * a PostgreSQL server.
 */
export async function openEmbeddedStore(dataDir: string): Promise<Store> {
  const folder = await makePrivateFolder(resolve(dataDir, STORE_FOLDER))
  for (let attempt = 0; attempt < ATTEMPTS_MOST; attempt++) {
    const owner = await readOwner(folder)
    const store = owner === null ? await openAsOwner(folder) : await openAsGuest(folder, owner)
    if (store !== undefined) return store
    await new Promise((wake) => setTimeout(wake, ATTEMPT_PAUSE_MS))
  }
  throw new DataDirectoryBusyError(
    `${folder} is owned by a process that does not answer: end it, or use another data directory`,
  )
}

/**
 * The database of a data directory, migrated, for a process that does more with it than a store
 * can. Refuses with `DataDirectoryBusyError` where another process owns the directory.
 */
export async function ownEmbeddedDatabase(dataDir: string): Promise<OwnedDatabase> {
  const folder = await makePrivateFolder(resolve(dataDir, STORE_FOLDER))
  const owned = (await readOwner(folder)) === null ? await ownDatabase(folder) : undefined
  if (owned !== undefined) return owned
  throw new DataDirectoryBusyError(
    `${folder} is in use by another process: stop it, or use another data directory`,
  )
}

export type OwnedDatabase = {
  readonly client: PGlite
  readonly db: Database
  readonly close: () => Promise<void>
}

/** `undefined` if another process was faster. */
async function openAsOwner(folder: string): Promise<Store | undefined> {
  const owned = await ownDatabase(folder)
  if (owned === undefined) return undefined
  const { client, db, close } = owned
  const place = { kind: 'directory', path: folder, role: 'owner' } as const
  const store = createStore({ db, place, close })
  return boundCalls({ ...store, listen: (onSignal) => client.listen(SIGNALS_CHANNEL, onSignal) })
}

/** `undefined` if another process was faster. */
async function ownDatabase(folder: string): Promise<OwnedDatabase | undefined> {
  const claimed = await claimFolder(folder)
  if (claimed === undefined) return undefined
  const { guests, leave } = claimed
  try {
    const client = await openDatabase(folder)
    const db = await migrateEmbedded(client)
    guests.serve(client)
    const close = async () => {
      try {
        await client.close()
      } finally {
        await leave()
      }
    }
    return { client, db, close }
  } catch (error) {
    await leave()
    throw error
  }
}

/** A folder that is this process's as long as it listens. */
export type ClaimedFolder = {
  readonly guests: GuestServer
  /** Gives it up. */
  readonly leave: () => Promise<void>
}

/**
 * Makes this process the owner of a folder; `undefined` if another one is. What a restore left there that was
 * killed is removed: it has the database and the secret of a backup, and its process owned the folder.
 */
export async function claimFolder(folder: string): Promise<ClaimedFolder | undefined> {
  const socket = await newSocketPath(folder)
  const guests = await listenForGuests(socket)
  const claim = {
    pid: process.pid,
    startedAt: new Date().toISOString(),
    socket: dirname(socket) === folder ? basename(socket) : socket,
    place: await placeOf(folder),
  }
  if ((await claimDirectory(folder, claim)) !== null) {
    await closeSocket(guests, folder, socket)
    return undefined
  }
  await removeRestoring(folder)
  const leave = async () => {
    // Released while we listen, so that nobody takes us for dead and this claim for a stale one.
    await releaseDirectory(folder)
    await closeSocket(guests, folder, socket)
  }
  return { guests, leave }
}

async function removeRestoring(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(RESTORING)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

/** A new database comes to its place finished, so that none is ever found half-made. */
async function openDatabase(folder: string): Promise<PGlite> {
  const place = join(folder, DATABASE_FOLDER)
  if (!existsSync(place)) {
    const draft = join(folder, 'database-draft')
    await rm(draft, { recursive: true, force: true })
    const client = await PGlite.create(await makePrivateFolder(draft))
    await client.close()
    await rename(draft, place)
  }
  return PGlite.create(await makePrivateFolder(place))
}

/** `undefined` if the owner went away. */
async function openAsGuest(folder: string, owner: DirectoryClaim): Promise<Store | undefined> {
  const connection = await connectToOwner(socketOf(folder, owner)).catch(() => undefined)
  if (connection === undefined) return undefined
  const close = async () => connection.close()
  try {
    const db = drizzleProxy(async (sql, params, method) => {
      return { rows: [...(await connection.request({ sql, params, asArrays: method === 'all' }))] }
    })
    await requireCurrentSchema(db, `restart process ${owner.pid}, which runs an older version`)
    return createStore({ db, place: { kind: 'directory', path: folder, role: 'guest' }, close })
  } catch (error) {
    await close()
    if (error instanceof SchemaNotCurrentError) throw error
    return undefined
  }
}

/** The database and its socket are for this user alone. */
export async function makePrivateFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  await chmod(path, 0o700)
  return path
}

/** In the directory itself, or in a private one elsewhere where the path would be too long. */
async function newSocketPath(folder: string): Promise<string> {
  const name = `${toHex(randomBytes(8))}.sock`
  const path = join(folder, name)
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MOST) return path
  // `TMPDIR` may be relative to where this process was started, which its claim does not say.
  return join(await mkdtemp(resolve(tmpdir(), 'countersign-')), name)
}

async function closeSocket(guests: GuestServer, folder: string, socket: string): Promise<void> {
  await guests.close()
  if (dirname(socket) !== folder) await rm(dirname(socket), { recursive: true, force: true })
}
