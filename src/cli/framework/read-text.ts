import { readFileSync } from 'node:fs'
import { fromUtf8File } from '../../base/encoding.ts'
import { readBytes } from '../inspect/files.ts'
import { UsageError } from './arguments.ts'

/** By the name `-`, where a command takes it. */
const STANDARD_INPUT = '-'
const STANDARD_INPUT_FD = 0

/**
 * The text of a file that a command was told to read. What is not UTF-8 ends the command and says
 * so, rather than being read as something else than what its author saved.
 */
export function readTextFile(path: string | undefined, what: string): string {
  return textOf(readBytes(path, what), path ?? what)
}

/**
 * A token or receipt that is to be judged, which may be anything: what is not UTF-8 is judged as no
 * text at all, by the verifier's own reason for what is malformed.
 */
export function readJudgedText(path: string | undefined, what: string): string {
  const bytes = path === STANDARD_INPUT ? readFileSync(STANDARD_INPUT_FD) : readBytes(path, what)
  return (fromUtf8File(bytes) ?? '').trim()
}

/** `label`: which file it is, for the message. */
export function textOf(bytes: Uint8Array, label: string): string {
  const text = fromUtf8File(bytes)
  if (text === undefined) throw new UsageError(`${label} is not UTF-8 text: save it as such`)
  return text
}
