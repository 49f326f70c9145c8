import { accessSync, chmodSync, constants, mkdtempSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where Linux keeps files in memory. */
const IN_MEMORY = '/dev/shm'
/** Several times what a run has there at once: what is free belongs to the machine's programs, too. */
const ENOUGH_BYTES = 8 * 1024 ** 3

/**
 * A fresh folder for all that one run of the tests writes. It is in memory where the machine has plenty: tests make,
 * copy and remove hundreds of databases, and none of them outlives the power. Servers that run as another
 * user find their own folders in it, and nobody can list it. Its path is short, as those of sockets have to be.
 */
export function makeRunFolder(): string {
  const folder = mkdtempSync(join(hasRoomInMemory() ? IN_MEMORY : tmpdir(), 'cs-'))
  chmodSync(folder, 0o711)
  return folder
}

function hasRoomInMemory(): boolean {
  try {
    accessSync(IN_MEMORY, constants.W_OK)
    const { bavail, bsize } = statfsSync(IN_MEMORY)
    return bavail * bsize >= ENOUGH_BYTES
  } catch {
    return false
  }
}
