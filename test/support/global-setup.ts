import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-reasons-'))
  process.env.SEEN_REASONS_DIR = folder
  return () => rmSync(folder, { recursive: true, force: true })
}
