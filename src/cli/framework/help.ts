import { COMMAND } from '../../base/command.ts'
import { type Command, EXIT, type ExitName, type Group, isGroup, type Verb } from './command.ts'
import type { Option } from './options.ts'
import { optionsOf } from './parse.ts'

/** Columns that help keeps to. */
const WIDTH = 100
/** The widest name of an option that its explanation stands beside. */
const WIDEST_NAME = 26

/** The whole help of a command; `summary` is the line of the table that it stands in. */
export function describeCommand(
  path: readonly string[],
  command: Command,
  summary: string | undefined,
): string {
  const parts = isGroup(command) ? describeGroup(path, command) : describeVerb(path, command)
  const head = summary === undefined ? [] : [`${capitalize(summary)}.\n`]
  return [...head, ...parts].filter((part) => part !== '').join('\n')
}

export function callOf(path: readonly string[]): string {
  return [COMMAND, ...path].join(' ')
}

function describeGroup(path: readonly string[], { about, verbs }: Group): readonly string[] {
  const rows = Object.entries(verbs).map(([name, one]) => [name, summaryOf(one)] as const)
  return [
    `Usage: ${callOf(path)} VERB [OPTIONS]\n`,
    `${about.trim()}\n`,
    describeRows('Verbs', rows),
    `More about one: ${callOf(path)} VERB --help\n`,
  ]
}

/** Of a group within a group the names of its verbs. */
export function summaryOf(command: Command): string {
  return isGroup(command) ? Object.keys(command.verbs).join(', ') : (command.summary ?? '')
}

function describeVerb(path: readonly string[], verb: Verb): readonly string[] {
  const options = optionsOf(verb)
  const named = Object.values(verb.arguments ?? {})
  const needed = [...options].filter(([, { isRequired }]) => isRequired)
  const usage = [
    ...named.map((one) => usageOf(one.placeholder ?? '', one)),
    ...needed.map(([name, one]) => `--${name} ${one.placeholder}`),
    ...(needed.length < options.size ? ['[OPTIONS]'] : []),
  ]
  return [
    `Usage: ${[callOf(path), ...usage].join(' ')}\n`,
    verb.about === undefined ? '' : `${verb.about.trim()}\n`,
    describeRows(
      'Arguments',
      named.map(({ placeholder = '', help }) => [placeholder, help] as const),
    ),
    describeRows('Options', [
      ...[...options].map(([name, one]) => {
        return [`--${name} ${one.placeholder ?? ''}`.trim(), helpOf(one)] as const
      }),
      ['--help', 'print this'],
    ]),
    typeof verb.json === 'string' ? '' : `It has no --json: ${verb.json.none}.\n`,
    describeRows('Exit status', describeExits(verb)),
  ]
}

function usageOf(name: string, { isRequired, isRepeated }: Option<unknown>): string {
  const all = isRepeated ? `${name}…` : name
  return isRequired ? all : `[${all}]`
}

function helpOf({ help, isRequired, isRepeated }: Option<unknown>): string {
  return `${help}${isRepeated ? '; may be repeated' : ''}${isRequired ? ' (required)' : ''}`
}

function describeExits({ exits = {} }: Verb): readonly (readonly [string, string])[] {
  const all: Partial<Record<ExitName, string>> = {
    done: 'done',
    failed: 'it could not be done; the message says why',
    usage: 'the command line is wrong',
    ...exits,
  }
  return Object.entries(all)
    .map(([name, meaning]) => [EXIT[name as ExitName], meaning] as const)
    .sort(([a], [b]) => a - b)
    .map(([code, meaning]) => [String(code), meaning])
}

/** A title and names with what they mean, wrapped beside them. */
export function describeRows(title: string, rows: readonly (readonly [string, string])[]): string {
  if (rows.length === 0) return ''
  const widest = Math.max(...rows.map(([name]) => name.length).filter((n) => n <= WIDEST_NAME), 0)
  const indent = ' '.repeat(widest + 4)
  const lines = rows.map(([name, meaning]) => {
    const beside = wrap(meaning, WIDTH - indent.length).join(`\n${indent}`)
    const isLong = name.length > widest
    return `  ${name.padEnd(widest)}${isLong ? `\n${indent}` : '  '}${beside}\n`
  })
  return `${title}:\n${lines.join('')}`
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < width)
      lines.push(`${lines.pop()} ${word}`)
    else lines.push(word)
  }
  return lines
}

function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
