import { expect, vi } from 'vitest'
import { type Command, EXIT, isGroup } from '../../src/cli/framework/command.ts'
import { runCommand } from '../../src/cli/framework/run.ts'

export type Called = { readonly code: number; readonly stdout: string }

/**
 * Runs a command in this process: what it prints, and its exit code, which has to be one that its
 * help names. Wrong usage rejects.
 */
export async function callCommand(command: Command, args: readonly string[]): Promise<Called> {
  let stdout = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
  try {
    const code = await runCommand({ path: [], command, summary: undefined }, args)
    expect(exitCodesOf(command, args)).toContain(code)
    return { code, stdout }
  } finally {
    write.mockRestore()
  }
}

function exitCodesOf(command: Command, [name = '', ...rest]: readonly string[]): readonly number[] {
  const next = isGroup(command) ? command.verbs[name] : undefined
  if (next !== undefined) return exitCodesOf(next, rest)
  const declared = isGroup(command) ? {} : command.exits
  const names = ['done', 'usage', ...Object.keys(declared ?? {})]
  return Object.entries(EXIT).flatMap(([exit, code]) => (names.includes(exit) ? [code] : []))
}
