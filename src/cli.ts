#!/usr/bin/env node
import { type Command, UsageError } from './commands/arguments.ts'

const COMMANDS: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  serve: () => import('./commands/serve.ts'),
  migrate: () => import('./commands/migrate.ts'),
  demo: () => import('./commands/demo.ts'),
  simulate: () => import('./commands/simulate.ts'),
  inspect: () => import('./commands/inspect.ts'),
  clients: () => import('./commands/clients.ts'),
  devices: () => import('./commands/devices.ts'),
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(await overview())
    return name === undefined ? 1 : 0
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load === undefined) {
    process.stderr.write(`countersign: there is no command '${name}'\n\n${await overview()}`)
    return 1
  }
  const { command } = await load()
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(command.help)
    return 0
  }
  try {
    return await command.run(rest)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`countersign ${name}: ${error.message}\nTry: countersign ${name} --help\n`)
    return 1
  }
}

async function overview(): Promise<string> {
  const lines = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => {
      const { command } = await load()
      return `  ${name.padEnd(10)}${command.summary}`
    }),
  )
  return `Usage: countersign COMMAND [OPTIONS]

${lines.join('\n')}

countersign COMMAND --help tells more. Start with: countersign demo
`
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`countersign: ${message}\n`)
  if (process.env.LOG_LEVEL === 'debug') console.error(error)
  process.exitCode = 1
}
