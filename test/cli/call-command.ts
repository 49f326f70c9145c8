import { vi } from 'vitest'
import type { Command as OldCommand } from '../../src/cli/framework/arguments.ts'
import type { Command } from '../../src/cli/framework/command.ts'
import { runCommand } from '../../src/cli/framework/run.ts'

export type Called = { readonly code: number; readonly stdout: string }

/** Runs a command in this process: what it prints, and its exit code. Wrong usage rejects. */
export async function callCommand(
  command: Command | OldCommand,
  args: readonly string[],
): Promise<Called> {
  let stdout = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
  try {
    const run =
      'help' in command
        ? command.run(args)
        : runCommand({ path: [], command, summary: undefined }, args)
    return { code: await run, stdout }
  } finally {
    write.mockRestore()
  }
}
