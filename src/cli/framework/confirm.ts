import { createInterface } from 'node:readline/promises'
import { UsageError } from './usage-error.ts'

export type Terminal = {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly output: NodeJS.WritableStream
}

/** Answers a question with yes or no. */
export type Confirm = (question: string) => Promise<boolean>

/** Asks the person at the terminal, unless `--yes` has answered already. */
export function confirmer({
  json,
  yes,
}: {
  readonly json: boolean
  readonly yes: boolean
}): Confirm {
  if (yes) return () => Promise.resolve(true)
  if (json) throw new UsageError('--json asks nobody: say --yes too')
  return (question) => confirm(question, { input: process.stdin, output: process.stderr })
}

/** Asks a person. Anything but a yes is a no, and so is the end of the input. */
export async function confirm(question: string, terminal: Terminal): Promise<boolean> {
  const { input, output } = terminal
  if (input.isTTY !== true) throw new UsageError('nobody can be asked here: say --yes')
  const lines = createInterface({ input, output })
  try {
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
    const answer = await Promise.race([lines.question(`${question} [y/N] `), ended])
    return /^y(?:es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}
