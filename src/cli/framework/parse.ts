import { parseArgs } from 'node:util'
import { suggestName } from '../../policy/language/suggest.ts'
import type { Verb } from './command.ts'
import { flag, type Option, text } from './options.ts'
import { UsageError } from './usage-error.ts'

const DATA = text(
  'DIR',
  `the data directory of the embedded database (DATA_DIR; ./data); works while the service runs on it. DATABASE_URL uses PostgreSQL instead`,
)

/** All options of a verb by their names on the command line, with those that the manner adds. */
export function optionsOf(verb: Verb): ReadonlyMap<string, Option<unknown>> {
  const { options = {}, json, database } = verb
  const own = Object.entries(options).map(([member, one]) => [nameOf(member), one] as const)
  return new Map([
    ...own,
    ...(database === undefined ? [] : [['data', DATA] as const]),
    ...(typeof json === 'string'
      ? [['json', flag(`print one JSON document: ${json}`)] as const]
      : []),
  ])
}

/** `atOnce` is `at-once`. */
export function nameOf(member: string): string {
  return member.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** The values of a command line. Throws `UsageError` for anything that is not declared. */
export function parseValues(verb: Verb, args: readonly string[]): Record<string, unknown> {
  const options = optionsOf(verb)
  const { named, positionals } = split(options, args)
  const values: Record<string, unknown> = { json: false, data: undefined }
  const given = Object.entries(verb.arguments ?? {}).map(([member, one]) => {
    const texts = positionals.splice(0, one.isRepeated ? positionals.length : 1)
    return { member, one, texts }
  })
  const [surplus] = positionals
  if (surplus !== undefined) throw new UsageError(describeSurplus(surplus, verb))
  for (const { member, one, texts } of given) {
    values[member] = one.read(texts, one.placeholder ?? member)
  }
  const members = new Map(Object.keys(verb.options ?? {}).map((one) => [nameOf(one), one]))
  for (const [name, one] of options) {
    values[members.get(name) ?? name] = one.read(named.get(name) ?? [], `--${name}`)
  }
  return values
}

type Split = {
  readonly named: ReadonlyMap<string, readonly string[]>
  readonly positionals: string[]
}

/**
 * The id of a key can begin with a hyphen (base64url, RFC 7638). No option is written with one hyphen
 * and so many characters, so that such a text is never one. `MARK` hides the hyphen from `parseArgs`.
 */
const HYPHENED_ID = /^-[^-].{20}/
const MARK = '\uE000'
const hide = (text: string) => (HYPHENED_ID.test(text) ? MARK + text : text)
const show = <T extends string | undefined>(text: T) => text?.replace(MARK, '') as T

function split(options: ReadonlyMap<string, Option<unknown>>, args: readonly string[]): Split {
  const types = [...options].map(([name, { placeholder }]) => {
    return [name, { type: placeholder === undefined ? 'boolean' : 'string' }] as const
  })
  const { tokens } = parseArgs({
    args: args.map(hide),
    options: Object.fromEntries(types),
    strict: false,
    tokens: true,
  })
  const named = new Map<string, string[]>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (token.value.trim() === '') throw new UsageError('an argument is empty')
      positionals.push(show(token.value))
    }
    if (token.kind !== 'option') continue
    const { name, rawName } = token
    const value = show(token.value)
    const known = rawName.startsWith('--') ? options.get(name) : undefined
    if (known === undefined) throw new UsageError(describeUnknown(rawName, options))
    const given = named.get(name) ?? []
    if (given.length > 0 && !known.isRepeated) throw new UsageError(`--${name} is given twice`)
    named.set(name, [...given, readValue(known, { rawName, value, isInline: token.inlineValue })])
  }
  return { named, positionals }
}

function readValue(
  { placeholder, mayBeBlank }: Option<unknown>,
  token: { rawName: string; value: string | undefined; isInline: boolean | undefined },
): string {
  const { rawName, value, isInline } = token
  if (placeholder === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`)
    return 'yes'
  }
  if (value === undefined || (value.length > 1 && value.startsWith('-') && !isInline)) {
    const also = value === undefined ? '' : `; for this one write ${rawName}=${value}`
    throw new UsageError(`${rawName} needs a value: ${rawName} ${placeholder}${also}`)
  }
  if (value.trim() === '' && !mayBeBlank) throw new UsageError(`${rawName} is empty`)
  return value
}

function describeUnknown(rawName: string, options: ReadonlyMap<string, Option<unknown>>): string {
  const meant = suggestName(rawName.replace(/^-+/, ''), options.keys())
  return `there is no option ${rawName}${meant === undefined ? '' : `: did you mean --${meant}?`}`
}

function describeSurplus(surplus: string, { arguments: declared = {} }: Verb): string {
  if (Object.keys(declared).length === 0) {
    return `there is no '${surplus}' here: it has no further commands, and takes no argument`
  }
  const takes = Object.values(declared).map(({ placeholder }) => placeholder)
  return `'${surplus}' is one argument too many, as it takes ${takes.join(' ')}: leave it out`
}
