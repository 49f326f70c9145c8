import { plural } from '../../base/words.ts'
import type { LintFinding } from '../../policy/lint/finding.ts'
import { printable } from '../framework/output.ts'
import type { Candidate } from './read-document.ts'

/** A line for each finding, as compilers write them, so that editors find the place. */
export function describeFindings({ label, findings }: Candidate): string {
  return findings.map((finding) => `${printable(describeFinding(label, finding))}\n`).join('')
}

function describeFinding(label: string, finding: LintFinding): string {
  const { severity, code, clause, message, suggestion, line, column } = finding
  const where = clause === undefined ? '' : `${clause}: `
  const meant = suggestion === undefined ? '' : `; did you mean ${suggestion}?`
  return `${label}:${line}:${column}: ${severity} ${code} ${where}${message}${meant}`
}

/** `2 errors, 1 warning` */
export function countFindings(findings: readonly LintFinding[]): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  return `${plural(errors, 'error')}, ${plural(findings.length - errors, 'warning')}`
}
