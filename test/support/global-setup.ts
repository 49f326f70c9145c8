import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder for what the files of one run share, gone after it. Vitest asks once per project. */
export default function setup(): (() => void) | undefined {
  if (process.env.TEST_RUN_DIR !== undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'countersign-tests-'))
  process.env.TEST_RUN_DIR = folder
  process.env.SEEN_REASONS_DIR = join(folder, 'reasons')
  return () => rmSync(folder, { recursive: true, force: true })
}
