import { readFileSync } from 'node:fs'
import { fromUtf8File } from '../../base/encoding.ts'
import { parseJson } from '../../base/json/parse.ts'
import { UsageError } from './usage-error.ts'

/** By the name `-`, where a command takes it. */
const STANDARD_INPUT = '-'
const STANDARD_INPUT_FD = 0

/** A file as it is: what is in it is for the parsers to judge, which have limits of their own. */
export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(`cannot read ${path}${describeCode(error)}`)
  }
}

/** ` (ENOENT)`: what the system says of a file that cannot be used. */
export function describeCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? ` (${error.code})` : ''
}

/** JSON that we are told to believe, such as a key set: anything else is a wrong command line. */
export function readJsonFile(path: string): unknown {
  const text = fromUtf8File(readBytes(path))
  const json = text === undefined ? undefined : parseJson(text)
  if (json === undefined) throw new UsageError(`${path} is not JSON`)
  return json
}

/**
 * The text of a file that a command was told to read. What is not UTF-8 ends the command and says
 * so, rather than being read as something else than what its author saved.
 */
export function readTextFile(path: string): string {
  return textOf(readBytes(path), path)
}

/**
 * A token or receipt that is to be judged, which may be anything: what is not UTF-8 is judged as no
 * text at all, by the verifier's own reason for what is malformed.
 */
export function readJudgedText(path: string): string {
  const bytes = path === STANDARD_INPUT ? readFileSync(STANDARD_INPUT_FD) : readBytes(path)
  return (fromUtf8File(bytes) ?? '').trim()
}

/** `label`: which file it is, for the message. */
export function textOf(bytes: Uint8Array, label: string): string {
  const text = fromUtf8File(bytes)
  if (text === undefined) throw new UsageError(`${label} is not UTF-8 text: save it as such`)
  return text
}
