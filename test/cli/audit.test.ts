import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { command } from '../../src/cli/audit/audit.ts'
import { command as clients } from '../../src/cli/clients/clients.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import type { Json } from '../support/json.ts'
import { callCommand } from './call-command.ts'
import { runCli, startServe } from './cli-process.ts'

/** A log of a running service on a data directory, exported beside it and verified on its own. */
const folder = mkdtempSync(join(tmpdir(), 'countersign-audit-'))
const data = join(folder, 'data')
const file = join(folder, 'audit.jsonl')
let service: Awaited<ReturnType<typeof startServe>>

beforeAll(async () => {
  service = await startServe(['--port', '0', '--data', data])
  await callCommand(clients, ['create', '--name', 'ops', '--scope', 'admin.read', '--data', data])
  const isSigned = async () => {
    const { code } = await audit('verify', '--data', data, '--json').catch(() => none)
    return code === 0
  }
  await vi.waitUntil(isSigned, { timeout: 60_000, interval: 500 })
  const { code, stdout } = await audit('export', '--data', data)
  expect(code).toBe(0)
  writeFileSync(file, stdout)
}, 240_000)
afterAll(async () => {
  await service?.end('SIGTERM')
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

const none = { code: 1, stdout: '' }
const audit = (...args: readonly string[]) => callCommand(command, args)
const verify = async (...args: readonly string[]): Promise<{ code: number; found: Json }> => {
  const { code, stdout } = await audit('verify', ...args, '--json')
  return { code, found: JSON.parse(stdout) }
}
/** The export with one of its lines changed. */
const changed = (name: string, change: (lines: string[]) => readonly string[]) => {
  const path = join(folder, name)
  writeFileSync(path, change(readFileSync(file, 'utf8').split('\n')).join('\n'))
  return path
}
const head = (): Json => JSON.parse(readFileSync(file, 'utf8').split('\n')[0] ?? '')

test('an export is verified without the database, by keys and checkpoints that were kept', async () => {
  const { keys, checkpoint } = head()
  const kept = join(folder, 'checkpoint')
  writeFileSync(kept, checkpoint)
  const { code, found } = await verify(file, '--key', keys[0], '--checkpoint', kept)
  expect(code).toBe(0)
  expect(found).toMatchObject({
    verified: true,
    log: { origin: expect.stringMatching(/^localhost:\d+\/audit$/) },
  })
  expect(found.log.proven).toBe(found.log.size)
  expect(found.log.continues).toEqual([found.log.size])
  expect(found.remarks.join()).not.toContain('--key')
  const unpinned = await audit('verify', file)
  expect(unpinned.stdout).toMatch(/^VERIFIED\n/)
  expect(unpinned.stdout).toContain('Remark: the keys were believed as the log names them (--key)')
})

test('as a process of its own it ends with what a script can act on', async () => {
  const fine = await runCli(['audit', 'verify', file])
  expect(fine).toMatchObject({ code: 0, stderr: '' })
  const path = changed('process.jsonl', (lines) => lines.toSpliced(3, 1))
  const removed = await runCli(['audit', 'verify', path])
  expect(removed.code).toBe(3)
  expect(removed.stdout).toMatch(/^REFUSED {2}audit_row_removed\n {2}index +1\n/)
})

test('the first row that differs is told with its kind', async () => {
  const edit = (at: number, change: (line: Json) => unknown) => (lines: string[]) =>
    lines.with(at, JSON.stringify(change(JSON.parse(lines[at] ?? ''))))
  const attacks = {
    audit_row_changed: edit(4, (line) => ({
      ...line,
      entry: { ...line.entry, actor: '\u001b[2J\u202emallory' },
    })),
    audit_row_removed: (lines: string[]) => lines.toSpliced(4, 1),
    audit_row_inserted: (lines: string[]) => lines.toSpliced(4, 0, lines[4] ?? ''),
    audit_rows_reordered: (lines: string[]) =>
      lines.with(4, lines[5] ?? '').with(5, lines[4] ?? ''),
    audit_log_forked: edit(1, (line) => ({ ...line, hashes: `AAAA${line.hashes.slice(4)}` })),
    audit_checkpoint_unsigned: edit(0, (line) => ({
      ...line,
      checkpoint: line.checkpoint.replace(/\n\d+\n/, '\n1\n'),
    })),
    audit_export_malformed: (lines: string[]) => lines.with(4, '{}'),
  }
  for (const [reason, attack] of Object.entries(attacks)) {
    const path = changed(`${reason}.jsonl`, attack)
    const { code, found } = await verify(path)
    expect([reason, code, found.verified, found.reason]).toEqual([reason, 3, false, reason])
    // What somebody wrote into the file does nothing to the terminal that it is shown on.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
    expect((await audit('verify', path)).stdout).not.toMatch(/[\u001b\u202e]/)
  }
})

test('what is no file, no key or no checkpoint is wrong usage or refused', async () => {
  await expect(audit('verify', join(folder, 'nowhere'))).rejects.toThrow(UsageError)
  await expect(audit('verify', file, '--key', 'x')).rejects.toThrow(UsageError)
  const path = join(folder, 'none')
  writeFileSync(path, 'x')
  expect((await verify(file, '--checkpoint', path)).found.reason).toBe('note_malformed')
})

test('the database itself is verified beside the running service, and who could change it is told', async () => {
  const { code, found } = await verify('--data', data)
  expect([code, found.verified]).toEqual([0, true])
  expect(found.remarks.join()).toContain('could change the log')
})

test('an entry says by which command it came', async () => {
  const { stdout } = await audit('list', '--action', 'client.created', '--data', data, '--json')
  expect(JSON.parse(stdout)[0].request).toEqual({ command: 'create' })
})
