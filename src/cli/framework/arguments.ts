import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { UsageError } from './usage-error.ts'

export { UsageError }

/** One command of the command line. Its exit code: 0 done, 1 wrong usage or fault, 2 refused. */
export type Command = {
  /** Every option that `run` takes, so that a test can ask whether the help names them all. */
  readonly options: ParseArgsOptionsConfig
  readonly help: string
  readonly run: (args: readonly string[]) => Promise<number>
}

/** Reads options and at most so many positionals: what is not known is an error, never ignored. */
export function readArguments<const O extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: O,
  positionalsMost = 0,
) {
  const parsed = parse(args, options)
  const surplus = parsed.positionals[positionalsMost]
  if (surplus !== undefined) throw new UsageError(`'${surplus}' is one argument too many`)
  return parsed
}

function parse<const O extends ParseArgsOptionsConfig>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) {
    // Node goes on to explain how to pass what looks like an option as something else.
    const [message = ''] = (error instanceof Error ? error.message : String(error)).split('. To ')
    throw new UsageError(message)
  }
}

export function readCount(
  text: string | undefined,
  name: string,
  preset: number,
  least = 0,
): number {
  if (text === undefined) return preset
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`--${name} must be a whole number from ${least} up, not '${text}'`)
  }
  return value
}
