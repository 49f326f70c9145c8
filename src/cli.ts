#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { type Command, UsageError } from './cli/framework/arguments.ts'

type Entry = { readonly summary: string; readonly load: () => Promise<{ command: Command }> }

/** Loaded when they are called, so that each starts as fast as it can. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  serve: {
    summary: 'run the service',
    load: () => import('./cli/serve/serve.ts'),
  },
  migrate: {
    summary: 'bring the database to the schema of this version',
    load: () => import('./cli/migrate/migrate.ts'),
  },
  demo: {
    summary: 'watch virtual devices attest and be granted or denied',
    load: () => import('./cli/demo/demo.ts'),
  },
  simulate: {
    summary: 'let virtual devices attest against a running service',
    load: () => import('./cli/simulate/simulate.ts'),
  },
  inspect: {
    summary: 'explain a token, boot log, TPM quote or enclave report',
    load: () => import('./cli/inspect/inspect.ts'),
  },
  clients: {
    summary: 'create, list or disable API clients',
    load: () => import('./cli/clients/clients.ts'),
  },
  devices: {
    summary: 'list, show, quarantine, release or admit devices',
    load: () => import('./cli/devices/devices.ts'),
  },
  receipt: {
    summary: 'verify a decision receipt offline, or export what it was made from',
    load: () => import('./cli/receipt/receipt.ts'),
  },
  policy: {
    summary: 'lint, preview, apply and bring back policies and reference values',
    load: () => sparing(() => import('./cli/policy/policy.ts')),
  },
  anchors: {
    summary: 'list, show or import the roots that vouch for attestation keys',
    load: () => sparing(() => import('./cli/anchors/anchors.ts')),
  },
  'break-glass': {
    summary: 'make keys and sign tokens that grant access when nothing else answers',
    load: () => import('./cli/break-glass/break-glass.ts'),
  },
  rollout: {
    summary: 'bring a document to the fleet ring by ring; pin or allow single devices',
    load: () => sparing(() => import('./cli/rollout/rollout.ts')),
  },
  holds: {
    summary: 'list or end holds of causes that too many good devices met at once',
    load: () => import('./cli/holds/holds.ts'),
  },
  drill: {
    summary: 'rehearse an outage: who would be denied, and when',
    load: () => sparing(() => import('./cli/drill/drill.ts')),
  },
  azure: {
    summary: 'read, publish and pin the policy of an Azure Attestation provider',
    load: () => import('./cli/azure/azure.ts'),
  },
}

/**
 * For commands that go through a whole fleet. That makes much garbage which lives for a moment, and
 * V8 answers with ever more room for it: half a gigabyte for a million devices, and no faster. Said
 * before anything is loaded, which would grow that room already.
 */
function sparing<T>(load: () => Promise<T>): Promise<T> {
  setFlagsFromString('--semi-space-growth-factor=1')
  return load()
}

const HELP = ['--help', '-h']

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined) {
    process.stderr.write(overview())
    return 1
  }
  if (HELP.includes(name) || name === 'help') return await help(rest[0])
  if (name === '--version') {
    process.stdout.write(`countersign ${version()}\n`)
    return 0
  }
  const command = await find(name)
  const isHelp = rest.slice(0, endOfOptions(rest)).some((argument) => HELP.includes(argument))
  if (isHelp) return await help(name)
  try {
    return await command.run(rest)
  } catch (error) {
    return complain(name, error)
  }
}

async function help(name: string | undefined): Promise<number> {
  process.stdout.write(name === undefined ? overview() : (await find(name)).help)
  return 0
}

async function find(name: string): Promise<Command> {
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry === undefined) {
    const names = Object.keys(COMMANDS).join(', ')
    throw new UsageError(`there is no command '${name}', but: ${names}`)
  }
  const { command } = await entry.load()
  return command
}

/** Where `--` stands: what follows is no option. */
function endOfOptions(args: readonly string[]): number {
  const end = args.indexOf('--')
  return end < 0 ? args.length : end
}

function overview(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { summary }]) => `  ${name.padEnd(13)}${summary}`,
  )
  return `Usage: countersign COMMAND [OPTIONS]

${lines.join('\n')}

countersign COMMAND --help tells more. Start with: countersign demo
`
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return JSON.parse(text).version
}

function complain(name: string | undefined, error: unknown): number {
  const message = error instanceof Error ? error.message : String(error)
  const program = name === undefined ? 'countersign' : `countersign ${name}`
  const hint = error instanceof UsageError ? `Try: ${program} --help\n` : ''
  process.stderr.write(`${program}: ${message}\n${hint}`)
  if (process.env.LOG_LEVEL === 'debug') console.error(error)
  return 1
}

/** A reader that has seen enough (`… | head`) is no fault: the rest of the output is dropped. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.exitCode = complain(undefined, error)
}
