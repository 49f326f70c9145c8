import { vi } from 'vitest'
import type { Command } from '../../src/cli/framework/arguments.ts'

export type Called = { readonly code: number; readonly stdout: string }

/** Runs a command in this process: what it prints, and its exit status. Rejects as `run` does. */
export async function callCommand(command: Command, args: readonly string[]): Promise<Called> {
  let stdout = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
  try {
    return { code: await command.run(args), stdout }
  } finally {
    write.mockRestore()
  }
}
