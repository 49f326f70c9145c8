import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A fresh process that runs one variant once. */
export type Child = {
  /** What the process says next. Fails when it ends instead. */
  readonly next: () => Promise<unknown>
  readonly send: (message: string) => void
  /** Ends it, if it has not ended by itself. */
  readonly stop: () => Promise<void>
}

/**
 * Starts `file`, a module beside this one, with `input`. Its standard output goes nowhere, as a
 * log does that nobody reads, so that what it measures is not what a pipe costs.
 */
export function startChild(file: string, input: unknown): Child {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = fork(path, [JSON.stringify(input)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const said: unknown[] = []
  let wake = () => {}
  child.on('message', (message) => {
    said.push(message)
    wake()
  })
  void exit.then(() => wake())
  return {
    async next() {
      while (said.length === 0) {
        if (hasEnded(child))
          throw new Error(`${file} ended with ${child.exitCode} before it was done`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return said.shift()
    },
    send: (message) => void child.send(message),
    async stop() {
      if (!hasEnded(child)) child.kill('SIGTERM')
      await exit
    },
  }
}

/** Runs `file` to its end and gives the one thing that it has to say. */
export async function runChild<T>(file: string, input: unknown): Promise<T> {
  const child = startChild(file, input)
  try {
    return (await child.next()) as T
  } finally {
    await child.stop()
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}
