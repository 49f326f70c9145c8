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
  const run = process.env.TEST_RUN_DIR ?? makePassingFolder()
  const kept = join(run, name)
  if (existsSync(kept)) return kept
  const draft = mkdtempSync(`${kept}-`)
  await make(draft)
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
