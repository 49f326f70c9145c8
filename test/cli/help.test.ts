import { describe, expect, test } from 'vitest'
import { COMMAND } from '../../src/base/command.ts'
import { command as anchors } from '../../src/cli/anchors/anchors.ts'
import { command as azure } from '../../src/cli/azure/azure.ts'
import { command as breakGlass } from '../../src/cli/break-glass/break-glass.ts'
import { command as clients } from '../../src/cli/clients/clients.ts'
import { command as demo } from '../../src/cli/demo/demo.ts'
import { command as devices } from '../../src/cli/devices/devices.ts'
import { command as drill } from '../../src/cli/drill/drill.ts'
import type { Command } from '../../src/cli/framework/arguments.ts'
import { command as inspect } from '../../src/cli/inspect/inspect.ts'
import { command as migrate } from '../../src/cli/migrate/migrate.ts'
import { command as policy } from '../../src/cli/policy/policy.ts'
import { command as receipt } from '../../src/cli/receipt/receipt.ts'
import { command as rollout } from '../../src/cli/rollout/rollout.ts'
import { command as serve } from '../../src/cli/serve/serve.ts'
import { command as simulate } from '../../src/cli/simulate/simulate.ts'
import { runCli } from './cli-process.ts'

const COMMANDS: Readonly<Record<string, Command>> = {
  anchors,
  azure,
  'break-glass': breakGlass,
  serve,
  migrate,
  demo,
  simulate,
  inspect,
  clients,
  devices,
  policy,
  receipt,
  rollout,
  drill,
}

describe.each(Object.entries(COMMANDS))('countersign %s', (name, command) => {
  test('its help names every option that it takes, and no other', () => {
    const named = [...command.help.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map(([, one]) => one)
    expect(new Set(named)).toEqual(new Set(Object.keys(command.options)))
  })

  test('its help begins with how to call it and fits a terminal', () => {
    expect(command.help.startsWith(`Usage: countersign ${name}`)).toBe(true)
    expect(command.help.endsWith('\n')).toBe(true)
    for (const line of command.help.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  })

  test('an unknown option and a surplus argument are wrong usage', async () => {
    const first =
      {
        anchors: ['list'],
        azure: ['policy', 'show'],
        'break-glass': ['show'],
        inspect: ['log'],
        clients: ['list'],
        devices: ['list'],
        policy: ['list'],
        receipt: ['verify'],
        rollout: ['list'],
        drill: ['outage'],
      }[name] ?? []
    await expect(command.run([...first, '--no-such-option'])).rejects.toThrow(/--no-such-option/)
    const surplus = [...first, 'one', 'two', 'three']
    // As many files as there are may be named to `anchors`, and then they have to be there.
    const complaint = name === 'anchors' ? /cannot read one/ : /one argument too many/
    await expect(command.run(surplus)).rejects.toThrow(complaint)
  })
})

describe('countersign', () => {
  test('lists its commands, whichever way it is asked', async () => {
    const answers = await Promise.all([['--help'], ['-h'], ['help']].map((args) => runCli(args)))
    for (const { code, stdout, stderr } of answers) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      for (const name of Object.keys(COMMANDS))
        expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    }
  })

  test('without a command prints the same as an error', async () => {
    const { code, stdout, stderr } = await runCli([])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(`${COMMAND} demo`)
  })

  test('an unknown command is told together with the known ones', async () => {
    const { code, stderr } = await runCli(['constructor'])
    expect(code).toBe(2)
    expect(stderr).toContain(`there is no 'constructor', but: serve, migrate, demo`)
    expect(stderr).toContain(`${COMMAND} --help`)
  })

  test('help of a command comes before anything is checked or done', async () => {
    const asked = [
      ['serve', '--port', 'x', '--help'],
      ['help', 'serve'],
      ['serve', '-h'],
    ]
    const answers = await Promise.all(asked.map((args) => runCli(args)))
    for (const { code, stdout } of answers)
      expect({ code, stdout }).toEqual({ code: 0, stdout: serve.help })
  })

  test('tells its version', async () => {
    expect((await runCli(['--version'])).stdout).toMatch(/^countersign \d+\.\d+\.\d+\n$/)
  })
})
