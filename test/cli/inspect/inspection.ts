import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { command } from '../../../src/cli/inspect/inspect.ts'
import type { PcrBank } from '../../../src/evidence/tpm/pcr.ts'
import type { Json } from '../../support/json.ts'
import { noteReason } from '../../support/refusal.ts'
import { callCommand } from '../call-command.ts'

/** One for all test files of a process, which ends with it. */
const folder = mkdtempSync(join(tmpdir(), 'countersign-inspect-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

/** Where a vector lies, for commands that take a path. */
export function pathOf(vector: string): string {
  return join(process.env.VECTORS_DIR ?? '../shared/vectors', vector)
}

/** A file of its own with these bytes. */
export function file(name: string, content: Uint8Array | string): string {
  const path = join(folder, name.replaceAll('/', '-'))
  writeFileSync(path, content)
  return path
}

/** A PCR file as the command reads it. */
export function pcrFile(name: string, banks: readonly PcrBank[]): string {
  const json = banks.map(({ algorithm, values }) => [
    algorithm,
    Object.fromEntries(
      [...values].map(([pcr, value]) => [pcr, Buffer.from(value).toString('hex')]),
    ),
  ])
  return file(`${name}.pcrs.json`, JSON.stringify(Object.fromEntries(json)))
}

export type Inspection = { readonly status: number; readonly output: string }

/**
 * What the command prints, and its exit status. A test names what it changes after what it starts
 * from: of an option that stands twice the last one is passed on.
 */
export async function inspect(...args: readonly string[]): Promise<Inspection> {
  const isReplaced = (at: number) => {
    const name = args[at] ?? ''
    return name.startsWith('--') && args.lastIndexOf(name) > at
  }
  const given = args.filter((_, at) => !isReplaced(at) && !(at > 0 && isReplaced(at - 1)))
  const { code, stdout } = await callCommand(command, given)
  return { status: code, output: stdout }
}

export async function inspectVerified(...args: readonly string[]): Promise<Json> {
  const { status, output } = await inspect(...args, '--json')
  const finding = JSON.parse(output)
  expect(finding, output).toMatchObject({ verified: true })
  expect(finding).not.toHaveProperty('reason')
  expect(status).toBe(0)
  return finding
}

export async function inspectRefused(reason: string, ...args: readonly string[]): Promise<Json> {
  const { status, output } = await inspect(...args, '--json')
  const finding = JSON.parse(output)
  expect(finding).toMatchObject({ verified: false, reason })
  expect(status).toBe(3)
  noteReason(reason)
  return finding
}
