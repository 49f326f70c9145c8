import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeWith } from './left-out.ts'

const present = spawnSync('openssl', ['version']).status === 0

/** A suite that asks OpenSSL. */
export function describeOpenssl(name: string, suite: () => void): void {
  describeWith('openssl', present, name, suite)
}

/** What `openssl` writes for these arguments, the last of which is a file with this content. */
export function openssl(args: readonly string[], content: string | Uint8Array): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'openssl-'))
  try {
    const file = join(folder, 'content')
    writeFileSync(file, content)
    return execFileSync('openssl', [...args, file], { stdio: ['ignore', 'pipe', 'pipe'] })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
