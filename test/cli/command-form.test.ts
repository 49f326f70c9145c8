import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { COMMAND } from '../../src/base/command.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { type Command, isGroup } from '../../src/cli/framework/command.ts'
import { optionsOf } from '../../src/cli/framework/parse.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { BARE, collect, folderForTest } from './cli-process.ts'

/** Texts that people read, and sources that print such texts. */
const PLACES = ['*.md', 'docs', '.container', 'wrangler.toml', 'src', 'drizzle', 'test']
/** These name the wrong form to say why it is wrong. */
const WARNINGS = ['docs/administration.md', 'src/base/command.ts', 'test/cli/command-form.test.ts']

const files = execFileSync('git', ['ls-files', '--', ...PLACES], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => /\.(?:md|ts|toml|sql)$|Dockerfile$/.test(file))
  .map((file) => ({ file, text: readFileSync(file, 'utf8') }))

const NOUNS = [...Object.keys(COMMANDS), 'COMMAND'].join('|')

describe('every text names commands in one form', () => {
  test('none leads to a package that somebody else can publish', () => {
    const wrong = files
      .filter(({ file }) => !WARNINGS.includes(file))
      .filter(({ text }) => /\b(?:npx|npm exec)(?: -\S+)* countersign\b/.test(text))
    expect(wrong.map(({ file }) => file)).toEqual([])
    // Inside of the checkout even the wrong form finds this one, by its name in `bin`.
    const { bin } = JSON.parse(readFileSync('package.json', 'utf8'))
    expect(Object.keys(bin)).toEqual(['countersign'])
  })

  test('none leaves out how the command is called', () => {
    const bare = new RegExp(`(?<![\\w/.-])(?<!-- )countersign (?:${NOUNS})\\b.*`, 'g')
    const found = files
      .filter(({ file }) => file !== 'test/cli/command-form.test.ts')
      .flatMap(({ file, text }) => [...text.matchAll(bare)].map(([line]) => `${file}: ${line}`))
    expect(found).toEqual([])
  })

  test('each names a command that there is, with options that it takes', async () => {
    const named = files.flatMap(({ file, text }) => {
      const pattern = /(?:npm run -s countersign --|\$\{COMMAND\}) ([^\n`'"#();<\\]*)/g
      return [...text.matchAll(pattern)].map(([, call = '']) => ({ file, call }))
    })
    expect(named.length).toBeGreaterThan(60)
    const wrong: string[] = []
    for (const { file, call } of named) {
      if (file.startsWith('test/')) continue
      const words = call.trim().split(/\s+/).map(nameIn)
      if (!(await isKnown(words))) wrong.push(`${file}: ${call}`)
    }
    expect(wrong).toEqual([])
  })
})

/** A word without what the sentence or the source puts behind it. */
function nameIn(word: string): string {
  return word.replace(/[.,:]$|\$\{.*$/, '')
}

async function isKnown([noun = '', ...words]: readonly string[]): Promise<boolean> {
  if (noun === '' || noun === 'COMMAND' || noun.startsWith('-')) return true
  const command = await COMMANDS[noun]?.load()
  return command !== undefined && isCall(command.command, words)
}

function isCall(command: Command, words: readonly string[]): boolean {
  const [word = '--help', ...rest] = words
  if (isGroup(command)) {
    if (word === '--help' || word === 'VERB') return true
    return word.split('|').every((name) => {
      const next = command.verbs[name]
      return name === '' || (next !== undefined && isCall(next, rest))
    })
  }
  const options = words.flatMap((one) => /^\[?--([a-z][a-z-]*)/.exec(one)?.[1] ?? [])
  return options.every((name) => name === 'help' || optionsOf(command).has(name))
}

/** As a person types it, from a folder: a shell takes the line apart. */
function call(line: string, cwd: string): ChildProcess {
  const child = spawn('/bin/sh', ['-c', `exec ${line}`], { cwd, env: BARE })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

describe('the form that the texts have', { timeout: 120_000 }, () => {
  test('passes standard input, arguments and the exit code through, and adds nothing', async () => {
    const child = call(`${COMMAND} policy lint - --kind 'reference-values' --json`, resolve('.'))
    child.stdin?.end('{')
    const { code, stdout, stderr } = await collect(child)
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ file: 'standard input', ok: false })
  })

  test('names files from where it is called, with spaces and quotes in their names', async () => {
    const folder = folderForTest()
    writeFileSync(join(folder, `a 'b' "c" $d.json`), '{}')
    const line = COMMAND.replace('npm', `npm --prefix '${resolve('.')}'`)
    const child = call(`${line} policy lint "a 'b' \\"c\\" \\$d.json" --json`, folder)
    const { stdout } = await collect(child)
    expect(JSON.parse(stdout)).toMatchObject({ file: `a 'b' "c" $d.json`, ok: false })
  })

  test('hands on the signal that stops a service, and waits for its end', async () => {
    const data = join(folderForTest(), 'data')
    await makeDataDirectory(data)
    const child = call(`${COMMAND} serve --port 0 --data ${data}`, resolve('.'))
    const ended = collect(child)
    await new Promise<void>((listening) => {
      child.stdout?.on('data', (text) => String(text).includes('"listening"') && listening())
    })
    child.kill('SIGTERM')
    const { code, stdout } = await ended
    expect(code).toBe(0)
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      event: 'stopped',
    })
  })

  test('does nothing where there is no checkout', async () => {
    const { code, stdout } = await collect(call(`${COMMAND} --version`, folderForTest()))
    expect(code).not.toBe(0)
    expect(stdout).toBe('')
  })
})
