import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toPem } from '../../support/certificates.ts'
import type { GeneratedChain } from './generated-chains.ts'

/** What OpenSSL says of each chain: nothing, or its error numbers and places in the path. */
export type OpensslVerdicts = ReadonlyMap<string, string | undefined>

/** So many leaves a process: it looks for every issuer among all of theirs. */
const BATCH = 60

/**
 * `openssl verify` on every chain, many in one process: names differ between chains, so that none
 * borrows an issuer of another.
 */
export function verifyWithOpenssl(
  chains: readonly GeneratedChain[],
  options: readonly string[],
): OpensslVerdicts {
  const verdicts = new Map<string, string | undefined>()
  for (let at = 0; at < chains.length; at += BATCH) {
    for (const [id, verdict] of verifyBatch(chains.slice(at, at + BATCH), options)) {
      verdicts.set(id, verdict)
    }
  }
  return verdicts
}

function verifyBatch(chains: readonly GeneratedChain[], options: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'chains-'))
  try {
    const write = (file: string, ders: readonly Buffer[]) =>
      writeFileSync(join(folder, file), ders.map((der) => toPem(der)).join(''))
    write(
      'roots',
      chains.map(({ root }) => root),
    )
    write('intermediates', [...chains.flatMap(({ intermediates }) => intermediates)])
    for (const { id, leaf } of chains) write(id, [leaf])
    const { stdout, stderr } = spawnSync(
      'openssl',
      [
        'verify',
        '-no-CApath',
        '-no-CAstore',
        '-CAfile',
        'roots',
        '-untrusted',
        'intermediates',
        ...options,
        ...chains.map(({ id }) => id),
      ],
      { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 26 },
    )
    return readVerdicts(chains, stdout, stderr)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function readVerdicts(chains: readonly GeneratedChain[], stdout: string, stderr: string) {
  const accepted = new Set([...stdout.matchAll(/^(\S+): OK$/gm)].map(([, id]) => id))
  const errors = new Map<string, string>()
  let found: string[] = []
  for (const line of stderr.split('\n')) {
    const [, number, depth] = /^error (\d+) at (\d+) depth lookup/.exec(line) ?? []
    if (number !== undefined) found.push(`${number}@${depth}`)
    const [, id] = /^error (\S+): verification failed$/.exec(line) ?? []
    if (id === undefined) continue
    errors.set(id, found.join(' '))
    found = []
  }
  return chains.map(({ id }) => {
    if (accepted.has(id)) return [id, undefined] as const
    return [id, errors.get(id) ?? 'unreadable'] as const
  })
}
