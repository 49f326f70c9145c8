import { forRequest } from '../../base/audited-request.ts'
import { suggestName } from '../../policy/language/suggest.ts'
import { type Command, EXIT, type Group, isGroup, type Verb } from './command.ts'
import { describeCommand, summaryOf } from './help.ts'
import { parseValues } from './parse.ts'
import { UsageError } from './usage-error.ts'

/** A command in its place: the words that lead to it, and its line in the table it stands in. */
export type Place = {
  readonly path: readonly string[]
  readonly command: Command
  readonly summary: string | undefined
}

/**
 * Does what `args` ask of a command, or prints its help, and gives the exit code. Throws
 * `UsageError`, which says for which command, before anything was looked at or changed.
 */
export async function runCommand(place: Place, args: readonly string[]): Promise<number> {
  const { path, command, summary } = place
  if (isGroup(command) && !isHelp(args[0])) {
    const [name, ...rest] = args
    if (name === undefined) {
      process.stderr.write(describeCommand(path, command, summary))
      return EXIT.usage
    }
    const next = findVerb(path, command, name)
    return runCommand({ path: [...path, next.name], ...next }, rest)
  }
  const end = args.indexOf('--')
  if (args.slice(0, end < 0 ? args.length : end).some(isHelp)) {
    process.stdout.write(describeCommand(path, command, summary))
    return EXIT.done
  }
  if (isGroup(command)) throw new TypeError('a group runs nothing itself')
  try {
    return await runVerb(path, command, args)
  } catch (error) {
    if (error instanceof UsageError) error.at = path
    throw error
  }
}

export function isHelp(word: string | undefined): boolean {
  return word === '--help' || word === '-h'
}

function findVerb(path: readonly string[], { verbs }: Group, name: string) {
  const command = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  if (command !== undefined) return { name, command, summary: summaryOf(command) }
  const error = new UsageError(describeUnknownName(name, Object.keys(verbs)))
  error.at = path
  throw error
}

/** What there is instead of a name that is not known. */
export function describeUnknownName(name: string, known: readonly string[]): string {
  const meant = suggestName(name, known)
  return `there is no '${name}'${meant === undefined ? `, but: ${known.join(', ')}` : `: did you mean ${meant}?`}`
}

async function runVerb(
  path: readonly string[],
  verb: Verb,
  args: readonly string[],
): Promise<number> {
  const values = parseValues(verb, args)
  try {
    const ended = await verb.run(values as never)
    if (typeof ended === 'number') return ended
    // Loaded when they are needed: help and wrong usage have no use for a database.
    const { readSettings } = await import('./settings.ts')
    const { withDatabase } = await import('./open-database.ts')
    const config = await readSettings(values)
    return await forRequest({ command: path.join(' ') }, () =>
      withDatabase(config, { mayCreate: verb.database === 'made' }, ended),
    )
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AbortError') throw error
    process.stderr.write(`Stopped. ${verb.stopped ?? 'Nothing was changed.'}\n`)
    return EXIT.interrupted
  }
}
