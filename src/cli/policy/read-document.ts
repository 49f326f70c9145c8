import { closeSync, openSync, readSync } from 'node:fs'
import { COMMAND } from '../../base/command.ts'
import {
  type CheckedDocument,
  type LintedDocument,
  lintDocument,
} from '../../operations/release/check-document.ts'
import { MAX_LINTED_CHARS } from '../../policy/limits.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { textOf } from '../framework/read-file.ts'

/** A document as somebody wrote it, and what lint says of it. */
export type Candidate = LintedDocument & {
  /** For people: its file, or where else it is from. */
  readonly label: string
  readonly text: string
}

export const STANDARD_INPUT = '-'
/** Not through process.stdin, which would begin to read by itself. */
const STANDARD_INPUT_FD = 0

export function readCandidate(
  kind: DocumentKind,
  file: string,
  { now }: { readonly now: Date },
): Candidate {
  const label = file === STANDARD_INPUT ? 'standard input' : file
  return lintCandidate({ kind, label, text: readText(file, label), now })
}

export function lintCandidate(source: {
  readonly kind: DocumentKind
  readonly label: string
  readonly text: string
  readonly now: Date
}): Candidate {
  const { kind, label, text, now } = source
  return { ...lintDocument(kind, text, now), label, text }
}

export function hasErrors({ findings }: Pick<Candidate, 'findings'>): boolean {
  return findings.some(({ severity }) => severity === 'error')
}

/** A document that could come into force, or the end of the command with what is wrong. */
export function demandChecked(candidate: Candidate): CheckedDocument {
  if (candidate.checked !== undefined) return candidate.checked
  const { label, findings } = candidate
  const [first] = findings.filter(({ severity }) => severity === 'error')
  const place = first === undefined ? '' : `:${first.line}:${first.column}: ${first.message}`
  throw new Error(`${label}${place} (all that is wrong: ${COMMAND} policy lint)`)
}

/** A little more than lint looks at, so that it can say that there is too much. */
const MAX_READ_BYTES = MAX_LINTED_CHARS * 4 + 4

function readText(file: string, label: string): string {
  let bytes: Uint8Array
  try {
    bytes = readBytes(file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    throw new Error(`${label} cannot be read (${code})`)
  }
  return textOf(bytes, label)
}

function readBytes(file: string): Uint8Array {
  const descriptor = file === STANDARD_INPUT ? STANDARD_INPUT_FD : openSync(file, 'r')
  try {
    const parts: Uint8Array[] = []
    for (let total = 0; total < MAX_READ_BYTES; ) {
      const part = Buffer.alloc(65_536)
      const length = readSome(descriptor, part)
      if (length === 0) break
      parts.push(part.subarray(0, length))
      total += length
    }
    return Buffer.concat(parts)
  } finally {
    if (file !== STANDARD_INPUT) closeSync(descriptor)
  }
}

const PAUSE_MS = 20

/** Standard input may be a pipe that nobody has written to yet. */
function readSome(descriptor: number, part: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, part)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code === 'EOF') return 0
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
    }
  }
}
