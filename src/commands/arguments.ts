import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'

/** The command line was wrong: `cli.ts` prints the message and where help is, and exits with 1. */
export class UsageError extends Error {}

/** One command of the command line. Its exit code: 0 done, 1 wrong usage or fault, 2 refused. */
export type Command = {
  readonly summary: string
  readonly help: string
  readonly run: (args: readonly string[]) => Promise<number>
}

/** Reads options and positionals strictly: an unknown option is an error, never ignored. */
export function readArguments<const O extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: O,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

export function readCount(text: string | undefined, name: string, preset: number): number {
  if (text === undefined) return preset
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new UsageError(`--${name} must be a whole number, not '${text}'`)
  }
  return value
}
