import { type ExportPart, formatPart, parsePart } from '../../../src/audit/export-lines.ts'
import { type LogCheck, verifyLog } from '../../../src/audit/verify-log.ts'
import type { Services } from '../../../src/compose/services.ts'
import { exportAuditLog } from '../../../src/operations/audit/export-log.ts'
import { growAuditLog } from '../../../src/operations/audit/grow-audit-log.ts'

/** Gives whatever waits its leaf, as the job does. */
export async function growLog(services: Services): Promise<void> {
  await growAuditLog(services, new AbortController().signal)
}

/** The lines of an export, as the command writes them. */
export async function exportLines(services: Services): Promise<string[]> {
  const log = await exportAuditLog(services)
  if (log === undefined) throw new Error('there is no checkpoint')
  const lines: string[] = []
  for await (const part of log.parts()) lines.push(formatPart(part))
  return lines
}

/** Verifies lines of an export, as the command does. */
export function verifyLines(lines: readonly string[], check: LogCheck = {}) {
  async function* parts() {
    for (const [at, text] of lines.entries()) yield parsePart(text, at + 1)
  }
  return verifyLog(parts(), check)
}

/** What the database holds, verified as it is read. */
export async function verifyDatabase(services: Services, check: LogCheck = {}) {
  return verifyLines(await exportLines(services), check)
}

/** Part `at` of an export. */
export function partAt(lines: readonly string[], at: number): ExportPart {
  const part = parsePart(lines[at] ?? '', at + 1)
  if (!part.ok) throw new Error('no part of an export')
  return part.value
}
