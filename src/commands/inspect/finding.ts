import type { Failure } from '../../failure.ts'

/** What an inspection found out, as `--json` prints it. */
export type Finding = {
  readonly verified: boolean
  /** Why it was refused; stable. Absent when verified. */
  readonly reason?: string
  /** Things that do not refuse by themselves, in words. */
  readonly remarks: readonly string[]
  readonly [member: string]: unknown
}

/** Verified or refused, with what the failure says about the place. */
export function verdictOf(
  outcome: { readonly ok: true } | { readonly ok: false; readonly failure: Failure },
): { verified: boolean; reason?: string } {
  if (outcome.ok) return { verified: true }
  const { reason, ...where } = outcome.failure
  return { verified: false, reason, ...(Object.keys(where).length > 0 && { where }) }
}

/** Prints a finding and gives the exit status. */
export function report(finding: Finding, options: { json: boolean; text: string }): number {
  if (options.json) process.stdout.write(`${JSON.stringify(finding, null, 2)}\n`)
  else process.stdout.write(`${headline(finding)}\n${options.text}${remarks(finding)}`)
  return finding.verified ? 0 : 2
}

function headline(finding: Finding): string {
  return finding.verified ? 'VERIFIED' : `REFUSED  ${finding.reason ?? ''}`
}

function remarks(finding: Finding): string {
  return finding.remarks.map((remark) => `Remark: ${remark}\n`).join('')
}

/** `name   value` lines, aligned. */
export function fields(entries: Readonly<Record<string, unknown>>): string {
  const shown = Object.entries(entries).filter(([, value]) => value !== undefined)
  const widest = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `  ${name.padEnd(widest)}  ${show(value)}\n`).join('')
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
