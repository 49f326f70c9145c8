import { describe, expect, test } from 'vitest'
import { COMMAND } from '../../src/base/command.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { type Command, EXIT, isGroup, type Verb } from '../../src/cli/framework/command.ts'
import { describeCommand } from '../../src/cli/framework/help.ts'
import { optionsOf, parseValues } from '../../src/cli/framework/parse.ts'
import { type Place, runCommand } from '../../src/cli/framework/run.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { callCommand } from './call-command.ts'
import { runCli } from './cli-process.ts'

/*
 * All commands by their declarations. What a verb does is tested beside it, by its noun's test: there
 * `callCommand` asks of each exit code that the help names it.
 */

const nouns = await Promise.all(
  Object.entries(COMMANDS).map(async ([name, { summary, load }]) => {
    const { command } = await load()
    return { path: [name], summary, command }
  }),
)
const places = nouns.flatMap(walk)
const verbs = places.flatMap(({ command, ...place }) =>
  isGroup(command) ? [] : [{ ...place, call: place.path.join(' '), verb: command }],
)
const groups = places.flatMap(({ command, path }) =>
  isGroup(command) ? [{ path, call: path.join(' '), group: command }] : [],
)

function walk(place: Place): readonly Place[] {
  const { path, command } = place
  if (!isGroup(command)) return [place]
  const inner = Object.entries(command.verbs).flatMap(([name, one]) =>
    walk({ path: [...path, name], command: one, summary: isGroup(one) ? undefined : one.summary }),
  )
  return [place, ...inner]
}

/** The names and placeholders of a section of the help, as a reader finds them there. */
function rowsOf(help: string, title: string): readonly (readonly [string, string])[] {
  const [, section = ''] = help.split(`\n${title}:\n`)
  const [body = ''] = section.split('\n\n')
  const rows = body.matchAll(/^ {2}(-?[^\s-]\S*|--\S+)(?: (\S+))?(?= {2}|$)/gm)
  return [...rows].map(([, name = '', value = '']) => [name, value])
}

function readError(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return error instanceof Error ? error.message : ''
  }
  return ''
}

/** Arguments that a verb takes, by what stands for them in its help. */
function argumentsOf({ arguments: declared = {} }: Verb): readonly string[] {
  return Object.values(declared).map(({ placeholder = '' }) => placeholder)
}

describe.each(verbs)('$call', ({ path, summary, verb }) => {
  const help = describeCommand(path, verb, summary)

  test('its help says what it does, how to call it, its options and exit codes', async () => {
    const { code, stdout } = await callCommand(verb, ['no', 'such', '--thing', '--help'])
    expect(code).toBe(0)
    expect(help).toContain(stdout.trim().slice(stdout.indexOf('\n\n')))
    expect(help).toMatch(/^[A-Z].+\.\n\nUsage: /)
    expect(help).toContain(`\nUsage: ${[COMMAND, ...path].join(' ')}`)
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    const codes = Object.keys(verb.exits ?? {}).map((name) => EXIT[name as keyof typeof EXIT])
    const named = rowsOf(help, 'Exit status').map(([code]) => Number(code))
    expect(named).toEqual([...new Set([0, 1, 2, ...codes])].sort((a, b) => a - b))
    const isPrinted = typeof verb.json === 'string'
    expect(rowsOf(help, 'Options').some(([name]) => name === '--json')).toBe(isPrinted)
    expect(help.includes('It has no --json: ')).toBe(!isPrinted)
  })

  test('each option of its help is taken, and no other', () => {
    const named = rowsOf(help, 'Options').filter(([name]) => name !== '--help')
    expect(named.map(([name]) => name)).toEqual(
      [...optionsOf(verb).keys()].map((one) => `--${one}`),
    )
    for (const [name, value] of named) {
      const message = readError(() => parseValues(verb, value === '' ? [name] : [name, '1']))
      expect(message, name).not.toMatch(/there is no option|needs a value|takes no value/)
      expect(readError(() => parseValues(verb, [`${name}s`]))).toContain(`did you mean ${name}?`)
    }
    expect(readError(() => parseValues(verb, ['--no-such-option']))).toMatch(
      /^there is no option --no-such-option/,
    )
  })

  test('an argument too many is refused, and what it says to do', () => {
    const { arguments: declared = {} } = verb
    if (Object.values(declared).some(({ isRepeated }) => isRepeated)) return
    const given = [...argumentsOf(verb), 'surplus']
    expect(readError(() => parseValues(verb, given))).toMatch(
      given.length > 1
        ? /^'surplus' is one argument too many, as it takes .+: leave it out$/
        : /^there is no 'surplus' here: /,
    )
  })

  test('its options are named in one way, and what is not needed need not be said', () => {
    for (const [name, { placeholder, help: told }] of optionsOf(verb)) {
      expect(name).toMatch(/^[a-z]+(?:-[a-z]+)*$/)
      if (placeholder !== undefined) expect(placeholder).toMatch(/^[A-Z0-9][A-Z0-9-]*$/)
      expect(told).not.toMatch(/[.]$/)
    }
    for (const placeholder of argumentsOf(verb)) expect(placeholder).toMatch(/^[A-Z_|]+$/)
  })
})

describe.each(groups)('$call', ({ path, group }) => {
  test('its help lists its verbs', () => {
    const help = describeCommand(path, group, undefined)
    expect(help.startsWith(`Usage: ${[COMMAND, ...path].join(' ')} VERB`)).toBe(true)
    expect(rowsOf(help, 'Verbs').map(([name]) => name)).toEqual(Object.keys(group.verbs))
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  })

  test('a verb that it has not is refused together with what there is', async () => {
    const [first = ''] = Object.keys(group.verbs)
    const place = { path, command: group as Command, summary: undefined }
    await expect(runCommand(place, ['constructor'])).rejects.toThrow(first)
    await expect(runCommand(place, [`${first}x`])).rejects.toThrow(`did you mean ${first}?`)
  })
})

describe('the command line', () => {
  const holds = async (...args: readonly string[]) => {
    const { command } = await import('../../src/cli/holds/holds.ts')
    return callCommand(command, args)
  }

  test('lists its commands; without one it does so as an error', async () => {
    const { code, stdout, stderr } = await runCli(['help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(rowsOf(stdout, 'Commands').map(([name]) => name)).toEqual(Object.keys(COMMANDS))
    expect(await runCli([])).toMatchObject({ code: 2, stdout: '', stderr: stdout })
  })

  test('an unknown command is refused together with the known ones', async () => {
    const { code, stdout, stderr } = await runCli(['constructor'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(`there is no 'constructor', but: serve, migrate, backup`)
    expect(stderr).toContain(`(${COMMAND} --help)`)
  })

  test('help comes before anything is checked or done', async () => {
    const { code, stdout } = await runCli(['serve', '--port', 'x', '--help'])
    expect(code).toBe(0)
    expect(stdout).toBe((await runCli(['help', 'serve'])).stdout)
  })

  test('wrong usage is one line with where help is', async () => {
    const { code, stdout, stderr } = await runCli(['holds', 'list', 'x'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toBe(
      `countersign: there is no 'x' here: it has no further commands, and takes no argument (${COMMAND} holds list --help)\n`,
    )
  })

  test.each([
    [['list', '--limt', '3'], 'there is no option --limt: did you mean --limit?'],
    [['list', '--limit'], '--limit needs a value: --limit N'],
    [['list', '--limit', '--json'], '--limit needs a value: --limit N; for this one'],
    [['list', '--json=x'], '--json takes no value'],
    [['list', '--limit', '1', '--limit', '2'], '--limit is given twice'],
    [['end', 'x', '--reason', ' '], '--reason is empty'],
    [['end', '--', '--x'], '--reason is missing'],
    [['end', '--reason', 'x'], 'HOLD_ID is missing: npm run -s countersign -- holds list'],
  ])('%j is wrong usage', async (args, message) => {
    await expect(holds(...args)).rejects.toThrow(message)
    await expect(holds(...args)).rejects.toThrow(UsageError)
  })

  test('tells its version', async () => {
    expect((await runCli(['--version'])).stdout).toMatch(/^countersign \d+\.\d+\.\d+\n$/)
  })
})
