import { link, lstat, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { digest } from '../../base/digest.ts'
import { toHex, toUtf8 } from '../../base/encoding.ts'
import { codeOf } from '../../base/error-code.ts'
import { DataDirectoryBusyError } from '../store-error.ts'

/**
 * Who owns a data directory. PGlite lets two processes open one directory and ruin it, so exactly
 * one may: the one whose claim stands in the file `owner`.
 *
 * A claim is alive while somebody listens on its socket. The kernel closes that with the process,
 * however it ends, and no process id of another container or of before a restart can be mistaken
 * for it. The claimant listens before it claims. On a network file system this does not hold:
 * there a socket reaches only its own machine.
 *
 * A copy of a directory has a copy of its claim, which is worth nothing there: the socket is looked for
 * in the copy, where nobody listens on it, and one that lies elsewhere counts for its own directory only. Where a
 * claim does not say which that is, and somebody listens, nobody is let in (`DataDirectoryBusyError`).
 */
export type DirectoryClaim = {
  readonly pid: number
  readonly startedAt: string
  /**
   * Unix socket of the claimant; no two claims share one. Its name in the directory, or an absolute
   * path elsewhere where the directory's would be too long.
   */
  readonly socket: string
  /** The directory that it claims. Absent from claims of versions that did not say. */
  readonly place?: DirectoryPlace
}

/** What tells a directory from its copies. */
export type DirectoryPlace = {
  /** Without symbolic links. */
  readonly path: string
  /** `st_dev` and `st_ino` of POSIX, which stay when the directory is moved. */
  readonly device: string
  readonly inode: string
}

export async function placeOf(folder: string): Promise<DirectoryPlace> {
  const path = await realpath(folder)
  const { dev, ino } = await stat(path, { bigint: true })
  return { path, device: String(dev), inode: String(ino) }
}

/** The path to connect to. */
export function socketOf(folder: string, claim: Pick<DirectoryClaim, 'socket'>): string {
  return resolve(folder, claim.socket)
}

const OWNER = 'owner'

/**
 * Claims the directory: `null` if it is ours now, or the living claim of the owner.
 *
 * Files appear by `link`, which only one can win. A dead claim is never deleted to make room, which
 * could delete that of a faster successor: the successor claims under a name made from the dead
 * claim's content, so there is one at most, and then takes the first place in one `rename`.
 */
export async function claimDirectory(
  folder: string,
  claim: DirectoryClaim,
): Promise<DirectoryClaim | null> {
  const content = JSON.stringify(claim)
  if (parseClaim(content) === undefined)
    throw new TypeError(`no place of a socket: ${claim.socket}`)
  const draft = join(folder, `draft${nameAfter(content)}`)
  await writeFile(draft, content, { mode: 0o600 })
  try {
    for (;;) {
      const end = await followClaims(folder)
      if (end.living !== undefined) return end.living.claim
      const taken = join(folder, end.freeName)
      if (!(await isCreated(link(draft, taken)))) continue
      // Others moved while we read: only a claim that the way from the start leads to counts.
      const check = await followClaims(folder)
      if (check.living?.content === content) {
        await takeFirstPlace(folder, taken, end.dead)
        return null
      }
      await rm(taken, { force: true })
    }
  } finally {
    await rm(draft, { force: true })
  }
}

/** The living owner of the directory, if there is one. */
export async function readOwner(folder: string): Promise<DirectoryClaim | null> {
  const { living } = await followClaims(folder)
  return living?.claim ?? null
}

/** Gives the directory up. Only for its owner, while it still listens. */
export async function releaseDirectory(folder: string): Promise<void> {
  await rm(join(folder, OWNER), { force: true })
}

/** `claim` is `undefined` where it is torn, or of another directory, whose socket is not ours to remove. */
type DeadClaim = { readonly name: string; readonly claim: DirectoryClaim | undefined }

type EndOfClaims = {
  readonly living?: { readonly claim: DirectoryClaim; readonly content: string }
  /** Where the next claim belongs if nobody is living. */
  readonly freeName: string
  readonly dead: readonly DeadClaim[]
}

async function followClaims(folder: string): Promise<EndOfClaims> {
  const dead: DeadClaim[] = []
  let name = OWNER
  for (;;) {
    const content = await readIfThere(join(folder, name))
    if (content === undefined) return { freeName: name, dead }
    const read = parseClaim(content)
    const owner = read === undefined ? 'nobody' : await whoseIs(folder, read)
    if (read !== undefined && owner !== 'nobody' && (await isListening(socketOf(folder, read)))) {
      if (owner === 'somebody') throw unclear(folder, name, read)
      return { living: { claim: read, content }, freeName: name, dead }
    }
    dead.push({ name, claim: owner === 'ours' ? read : undefined })
    name = `${OWNER}${nameAfter(content)}`
  }
}

async function takeFirstPlace(
  folder: string,
  taken: string,
  dead: readonly DeadClaim[],
): Promise<void> {
  await rename(taken, join(folder, OWNER))
  for (const { name, claim } of dead) {
    if (name !== OWNER) await rm(join(folder, name), { force: true })
    if (claim !== undefined) await removeSocket(socketOf(folder, claim))
  }
}

/** Removes what a dead claimant listened on. What is no socket is not its own, whatever its claim says. */
async function removeSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found?.isSocket() === true) await rm(path, { force: true })
}

function nameAfter(content: string): string {
  return `-after-${toHex(digest('sha256', toUtf8(content)).subarray(0, 8))}`
}

/**
 * Whose a claim is that lies in `folder`: that directory's or, as of what it is a copy of, nobody's. A socket
 * within it answers that by itself. One elsewhere answers for the original: a copy has another inode. Devices may be
 * numbered otherwise in another container, where the path is the same. `somebody`: it does not say.
 */
async function whoseIs(
  folder: string,
  { socket, place }: DirectoryClaim,
): Promise<'ours' | 'nobody' | 'somebody'> {
  if (!isAbsolute(socket)) return 'ours'
  if (place === undefined) return 'somebody'
  const here = await placeOf(folder)
  const isHere = place.device === here.device || place.path === here.path
  return place.inode === here.inode && isHere ? 'ours' : 'nobody'
}

function unclear(folder: string, name: string, { pid }: DirectoryClaim): DataDirectoryBusyError {
  return new DataDirectoryBusyError(
    `${folder} belongs to process ${pid} of an older version, or is a copy of what does: end that process, or remove ${join(folder, name)} from the copy`,
  )
}

/**
 * `undefined` for a file that a power failure left empty or torn: its writer is dead. And for one that names a
 * socket where no claimant makes any: a directory may come from elsewhere, and what lies outside of it
 * is neither to be connected to nor removed because its files say so.
 */
function parseClaim(content: string): DirectoryClaim | undefined {
  try {
    const claim: DirectoryClaim = JSON.parse(content)
    if (typeof claim.socket !== 'string') return undefined
    const socket = socketIn(claim)
    return isPlaceOfSocket(socket) ? { ...claim, socket } : undefined
  } catch {
    return undefined
  }
}

/**
 * Claims without a place name the whole path of a socket, also of one within the directory: that is looked for by
 * its name, where the directory is now. Others are in a folder that `mkdtemp` named.
 */
function socketIn({ socket, place }: DirectoryClaim): string {
  return place === undefined && !isInFolderOfOurs(socket) ? basename(socket) : socket
}

/** A name in the directory itself, or a path in a folder of our own naming; no way up, no other path. */
function isPlaceOfSocket(socket: string): boolean {
  if (!isAbsolute(socket)) return basename(socket) === socket && !['', '.', '..'].includes(socket)
  return resolve(socket) === socket && isInFolderOfOurs(socket)
}

function isInFolderOfOurs(socket: string): boolean {
  return /^countersign-\w{6}$/.test(basename(dirname(socket)))
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function isCreated(creation: Promise<void>): Promise<boolean> {
  try {
    await creation
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Only these two errors prove that nobody listens; any other leaves the owner its place. */
function isListening(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error) => {
      resolve(!['ECONNREFUSED', 'ENOENT'].includes(codeOf(error) ?? ''))
    })
  })
}
