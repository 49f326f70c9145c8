import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { programPath } from '../support/programs.ts'

export type Environment = Readonly<Record<string, string>>

export type Ended = {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The environment of whoever runs the tests, without settings. */
export const BARE: Environment = {
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? '',
  TMPDIR: process.env.TMPDIR ?? tmpdir(),
  ...(process.env.NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
}

/** A process of the command line, without the settings of whoever runs the tests. */
export function startCli(args: readonly string[], env: Environment = {}): ChildProcess {
  return startProgram(programPath('src/cli.ts'), args, env)
}

/** A process of a module, likewise. */
function startProgram(path: string, args: readonly string[], env: Environment): ChildProcess {
  return spawn(process.execPath, [path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...BARE, ...env },
  })
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], env: Environment = {}): Promise<Ended> {
  return collect(startCli(args, env))
}

export function collect(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  return new Promise((done) => {
    child.once('close', (code, signal) => done({ code, signal, stdout, stderr }))
  })
}

export type ServedProcess = {
  readonly pid: number
  /** Log lines so far. */
  readonly lines: () => readonly LogLine[]
  /** The first log line of this event, now or later; rejects when the process ends without it. */
  readonly logged: (event: string) => Promise<LogLine>
  /** Sends the signal and waits for the end. */
  readonly end: (signal: NodeJS.Signals) => Promise<Ended>
}

export type LogLine = Readonly<Record<string, unknown>>

/** `serve` from its first moment on. */
export function launchServe(args: readonly string[], env: Environment = {}): ServedProcess {
  return follow(startCli(['serve', ...args], env))
}

/** Another program that writes the service's log. */
export function launchProgram(
  source: Parameters<typeof programPath>[0],
  env: Environment,
): ServedProcess {
  return follow(startProgram(programPath(source), [], env))
}

function follow(child: ChildProcess): ServedProcess {
  const lines: LogLine[] = []
  const waiting = new Set<() => void>()
  let rest = ''
  child.stdout?.on('data', (data) => {
    const parts = (rest + data).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts.map((part) => JSON.parse(part)))
    for (const look of waiting) look()
  })
  const ended = collect(child)
  const logged = (event: string) =>
    new Promise<LogLine>((resolve, reject) => {
      const look = () => {
        const line = lines.find((one) => one.event === event)
        if (line === undefined) return
        waiting.delete(look)
        resolve(line)
      }
      waiting.add(look)
      look()
      void ended.then(({ stderr }) => reject(new Error(`ended without '${event}': ${stderr}`)))
    })
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal)
    return ended
  }
  return { pid: child.pid ?? 0, lines: () => lines, logged, end }
}

/** `serve` that listens, at `url`. */
export async function startServe(
  args: readonly string[],
  env: Environment = {},
): Promise<ServedProcess & { readonly url: string }> {
  const service = launchServe(args, env)
  const { url } = await service.logged('listening')
  return { ...service, url: String(url) }
}

/** The same, ended with the test however that goes. */
export async function serveInTest(
  args: readonly string[],
  env: Environment = {},
): Promise<ServedProcess & { readonly url: string }> {
  const service = await startServe(args, env)
  onTestFinished(async () => {
    await service.end('SIGKILL')
  })
  return service
}

/** A folder that is removed after the test; a concurrent test hands over its own `onTestFinished`. */
export function folderForTest(finished: typeof onTestFinished = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  finished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}
