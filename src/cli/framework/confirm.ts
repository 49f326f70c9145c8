import { createInterface } from 'node:readline/promises'
import { UsageError } from './arguments.ts'

export type Terminal = {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly output: NodeJS.WritableStream
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
