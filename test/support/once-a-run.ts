import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A folder that is costly to make, made once for all files of a test run; outside of one, for this
 * call, and gone with the process. `make` fills an empty folder; what it made is to be copied or
 * read, and never changed. Answers its path.
 */
export async function makeOnceARun(
  name: string,
  make: (folder: string) => unknown,
): Promise<string> {
  const kept = placeOf(name)
  if (existsSync(kept)) return kept
  const draft = mkdtempSync(`${kept}-`)
  await make(draft)
  return keep(draft, kept)
}

/** The same of what is made without a promise. */
export function makeOnceARunSync(name: string, make: (folder: string) => void): string {
  const kept = placeOf(name)
  if (existsSync(kept)) return kept
  const draft = mkdtempSync(`${kept}-`)
  make(draft)
  return keep(draft, kept)
}

function placeOf(name: string): string {
  return join(process.env.TEST_RUN_DIR ?? makePassingFolder(), name)
}

function keep(draft: string, kept: string): string {
  try {
    renameSync(draft, kept)
  } catch (error) {
    // Another worker of this run was faster.
    if (!existsSync(kept)) throw error
    rmSync(draft, { recursive: true })
  }
  return kept
}

function makePassingFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-once-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
