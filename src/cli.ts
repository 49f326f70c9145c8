#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'
import { COMMAND } from './base/command.ts'
import { VERSION } from './base/version.ts'
import { COMMANDS } from './cli/commands.ts'
import { EXIT } from './cli/framework/command.ts'
import { callOf, describeRows } from './cli/framework/help.ts'
import { describeUnknownName, isHelp, runCommand } from './cli/framework/run.ts'
import { UsageError } from './cli/framework/usage-error.ts'

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === 'help') return await main([...rest, '--help'])
  if (isHelp(name)) {
    process.stdout.write(overview())
    return EXIT.done
  }
  if (name === '--version') {
    process.stdout.write(`countersign ${VERSION}\n`)
    return EXIT.done
  }
  if (name === undefined) {
    process.stderr.write(overview())
    return EXIT.usage
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry === undefined) throw new UsageError(describeUnknownName(name, Object.keys(COMMANDS)))
  const { command } = await entry.load()
  return await runCommand({ path: [name], command, summary: entry.summary }, rest)
}

function overview(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary] as const)
  return `Usage: ${COMMAND} COMMAND [OPTIONS]

${describeRows('Commands', rows)}
More about one: ${COMMAND} COMMAND --help
To begin with:  ${COMMAND} demo
`
}

/** One line to standard error, which for wrong usage ends with where help is. */
function complain(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error)
  const isUsage = error instanceof UsageError
  const hint = isUsage ? ` (${callOf(error.at)} --help)` : ''
  process.stderr.write(`countersign: ${message}${hint}\n`)
  if (process.env.LOG_LEVEL === 'debug') console.error(error)
  return isUsage ? EXIT.usage : EXIT.failed
}

/** A reader that has seen enough (`… | head`) is no fault: the rest of the output is dropped. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

/** npm runs its scripts in the project's folder; files are named from where its user stands. */
const { INIT_CWD, npm_lifecycle_event: script } = process.env
if (script === 'countersign' && INIT_CWD !== undefined) process.chdir(INIT_CWD)

/**
 * What a command has compiled the next one need not: half of what a short one takes. The folder belongs to whoever
 * owns the sources beside it; where it cannot be written, or with `NODE_DISABLE_COMPILE_CACHE=1`, all is as without.
 */
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/countersign', import.meta.url)))

process.exitCode = await main(process.argv.slice(2)).catch(complain)
