import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { completing } from '../../src/cli/completion/completion.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { describeWith } from '../support/left-out.ts'
import { callCommand } from './call-command.ts'

/*
 * The witnesses are the shells themselves: each loads the script as its users would and completes a line.
 */

const command = completing(COMMANDS)
let folder: string
const script = (shell: string) => join(folder, `completion.${shell}`)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-completion-'))
  for (const shell of ['bash', 'zsh', 'fish']) {
    writeFileSync(script(shell), (await callCommand(command, [shell])).stdout)
  }
  writeFileSync(join(folder, 'policy.json'), '{}')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Words of a line, the last of which is being typed, and what it may become. */
const LINES: readonly (readonly [readonly string[], readonly string[]])[] = [
  [['exp'], ['expiry']],
  [['devices', 'la'], ['label']],
  [['devices', 'list', '--verd'], ['--verdict']],
  [['devices', 'list', '--verdict', 'qu'], ['quarantined']],
  [
    ['alarms', 'webhooks', 'r'],
    ['rotate', 'remove'],
  ],
  [['keys', 'rotate', '--js'], ['--json']],
  [['policy', 'lint', 'pol'], ['policy.json']],
  // What is an argument is no command, though there is one of its name.
  [['devices', 'show', 'list', '--js'], ['--json']],
  [['clients', 'create', '--name', 'li'], []],
]

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { cwd: folder, encoding: 'utf8', timeout: 60_000 })
}
const isThere = (program: string) => spawnSync(program, ['--version']).status === 0

describeWith('bash', isThere('bash'), 'bash', () => {
  test.each(LINES)('completes %j to %j', (words, wanted) => {
    const text = `source "$0"; COMP_WORDS=(countersign "$@"); COMP_CWORD=$#
      _countersign; printf '%s\\n' "\${COMPREPLY[@]}"`
    const completed = run('bash', ['--norc', '-c', text, script('bash'), ...words])
    expect(completed.split('\n').filter((line) => line !== '')).toEqual(wanted)
  })

  test('has the function for the command', () => {
    const text = 'source "$0"; complete -p countersign'
    expect(run('bash', ['--norc', '-c', text, script('bash')])).toContain('-F _countersign')
  })
})

describeWith('zsh', isThere('zsh'), 'zsh', () => {
  /** Types into a zsh at a terminal, and gives what its command was called with. */
  const type = (typed: string) => {
    const text = `zmodload zsh/zpty
      zpty terminal zsh -f -i
      zpty -w terminal "PS1= PS2=; stty -echo; autoload -Uz compinit; compinit -u -D"
      zpty -w terminal "countersign() { print -r -- \\"CALLED:\\$*:\\" }"
      zpty -w terminal "source $1"
      zpty -w terminal "print READY''NOW"
      zpty -r -m terminal line "*READYNOW*"
      zpty -w -n terminal "$2"$'\\n'
      zpty -r -m terminal line "*CALLED:*:*"
      print -r -- $line
      zpty -d terminal`
    const line = run('zsh', ['-f', '-c', text, 'zsh', script('zsh'), typed])
    return /CALLED:([^:]*):/.exec(line)?.[1]?.trim()
  }

  test.each([
    ['expi\t', 'expiry'],
    ['devices lab\t', 'devices label'],
    ['devices list --verd\tqu\t', 'devices list --verdict quarantined'],
    ['alarms webhooks rot\t', 'alarms webhooks rotate'],
    ['policy lint pol\t', 'policy lint policy.json'],
  ])('completes what is typed as %j', (typed, wanted) => {
    expect(type(`countersign ${typed}`)).toBe(wanted)
  })
})

describeWith('fish', isThere('fish'), 'fish', () => {
  test.each(LINES)('completes %j to %j', (words, wanted) => {
    const line = ['countersign', ...words].join(' ')
    const text = `source ${script('fish')}; complete -C '${line}'`
    const completed = run('fish', ['--no-config', '-c', text]).split('\n')
    const found = completed.map((each) => each.split('\t')[0] ?? '').filter((each) => each !== '')
    expect(found.toSorted()).toEqual(wanted.toSorted())
  })
})

describe('a shell', () => {
  test('that there is no script for is wrong usage', async () => {
    await expect(callCommand(command, ['tcsh'])).rejects.toThrow(UsageError)
  })
})
