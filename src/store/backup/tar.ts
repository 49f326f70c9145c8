import { err, ok, type Result } from '../../base/result.ts'

/*
 * Archives in the form `ustar` of POSIX.1-2017 (pax, "ustar Interchange Format"), of regular files and
 * directories only: what a backup needs, so that `tar` lists and unpacks it too.
 */

/** Before what it stands for: a file of exactly `size` bytes, or a directory. */
export type TarHeader = {
  readonly kind: 'file' | 'directory'
  /** With `/` between folders, relative; at most 100 bytes. */
  readonly name: string
  /** Bytes; 0 for a directory. */
  readonly size: number
  /** The last nine bits of `st_mode`. */
  readonly mode: number
  readonly modified: Date
}

const BLOCK = 512
const NAME_BYTES_MOST = 100
/** Eleven octal digits: 8 GiB. */
const SIZE_MOST = 0o77777777777
/** An archive ends with two blocks of zeros. */
export const TAR_END = new Uint8Array(2 * BLOCK)

/** The block before a file. Throws TypeError for what the form has no place for. */
export function tarHeader({ kind, name, size, mode, modified }: TarHeader): Uint8Array {
  const path = kind === 'directory' ? `${name}/` : name
  if (Buffer.byteLength(path) > NAME_BYTES_MOST) throw new TypeError(`too long for tar: ${path}`)
  if (size > SIZE_MOST) throw new TypeError(`too large for tar: ${path}`)
  const block = Buffer.alloc(BLOCK)
  block.write(path, 0)
  block.write(octal(mode, 7), 100)
  block.write(octal(0, 7), 108)
  block.write(octal(0, 7), 116)
  block.write(octal(size, 11), 124)
  block.write(octal(Math.floor(modified.getTime() / 1000), 11), 136)
  block.write(' '.repeat(8), 148)
  block.write(kind === 'directory' ? '5' : '0', 156)
  block.write('ustar\u000000', 257, 'latin1')
  block.write(`${octal(sumOf(block), 6)}\0 `, 148)
  return block
}

/** What fills the last block of a file. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK)
}

export const TAR_REASONS = ['archive_malformed', 'archive_truncated'] as const

export type TarFailure = { readonly reason: (typeof TAR_REASONS)[number] }

/** Receives an archive: a header, then the bytes of its file, in their order. */
export type TarSink = {
  readonly begin: (header: TarHeader) => Promise<void>
  readonly write: (bytes: Uint8Array) => Promise<void>
  readonly end: () => Promise<void>
}

/**
 * Reads an archive from a stream, which may be anybody's: whatever is no plain file or directory of a
 * relative name without `..` is refused, before anything of it is handed to `sink`.
 */
export async function readTar(
  stream: AsyncIterable<Uint8Array>,
  sink: TarSink,
): Promise<Result<null, TarFailure>> {
  const chunks = stream[Symbol.asyncIterator]()
  let held: Uint8Array = new Uint8Array()
  /** At most `most` bytes; `undefined` at the end of the stream. */
  const take = async (most: number): Promise<Uint8Array | undefined> => {
    if (held.length === 0) {
      const next = await chunks.next()
      if (next.done === true) return undefined
      held = next.value
    }
    const taken = held.subarray(0, most)
    held = held.subarray(taken.length)
    return taken
  }
  const pass = async (bytes: number, to: (part: Uint8Array) => Promise<void> | void) => {
    for (let left = bytes; left > 0; ) {
      const part = await take(left)
      if (part === undefined) return false
      left -= part.length
      await to(part)
    }
    return true
  }
  const readBlock = async () => {
    const block = Buffer.alloc(BLOCK)
    let at = 0
    const isWhole = await pass(BLOCK, (part) => {
      block.set(part, at)
      at += part.length
    })
    return isWhole ? block : undefined
  }
  for (;;) {
    const block = await readBlock()
    if (block === undefined) return err({ reason: 'archive_truncated' })
    if (block.every((byte) => byte === 0)) return ok(null)
    const header = readHeader(block)
    if (header === undefined) return err({ reason: 'archive_malformed' })
    await sink.begin(header)
    const isWhole = await pass(header.size, sink.write)
    const isPadded = await pass(tarPadding(header.size).length, () => {})
    if (!isWhole || !isPadded) return err({ reason: 'archive_truncated' })
    await sink.end()
  }
}

/** `undefined` for what is no header of ours. */
function readHeader(block: Buffer): TarHeader | undefined {
  const number = (from: number, to: number) => {
    const digits = /^[ 0]*([0-7]*)[ \0]*$/.exec(block.toString('latin1', from, to))?.[1]
    return digits === undefined ? Number.NaN : Number.parseInt(digits || '0', 8)
  }
  const sum = number(148, 156)
  block.fill(' ', 148, 156)
  const [size, mode, seconds] = [number(124, 136), number(100, 108), number(136, 148)]
  const type = block.toString('latin1', 156, 157)
  const isOurs = block.toString('latin1', 257, 262) === 'ustar' && block[345] === 0
  if (!isOurs || sum !== sumOf(block) || !(size <= SIZE_MOST)) return undefined
  if ((type !== '0' && type !== '5') || (type === '5' && size > 0)) return undefined
  const name = block.toString('utf8', 0, block.subarray(0, NAME_BYTES_MOST + 1).indexOf(0))
  const path = type === '5' ? name.replace(/\/$/, '') : name
  if (!isPlainPath(path)) return undefined
  const modified = new Date(seconds * 1000)
  return { kind: type === '5' ? 'directory' : 'file', name: path, size, mode, modified }
}

/** Relative words of letters, digits and a little more, none of which leads elsewhere. */
export function isPlainPath(path: string): boolean {
  return /^[\w.-]+(?:\/[\w.-]+)*$/.test(path) && !path.split('/').some((part) => /^\.+$/.test(part))
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

function sumOf(block: Uint8Array): number {
  return block.reduce((sum, byte) => sum + byte, 0)
}
