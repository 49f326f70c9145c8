import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { countFindings, describeFindings } from './describe-findings.ts'
import { type Candidate, hasErrors } from './read-document.ts'

/** Prints all that is wrong with a document. `refused` if it could not come into force. */
export function printLint(candidate: Candidate, { json }: { readonly json: boolean }): number {
  const { kind, label, findings, checked } = candidate
  const isRefused = hasErrors(candidate)
  if (json) {
    printJson({ file: label, kind, ok: !isRefused, hash: checked?.compiled.hash ?? null, findings })
  } else {
    printText(describeFindings(candidate))
    printText(describeEnd(candidate))
  }
  return isRefused ? EXIT.refused : EXIT.done
}

function describeEnd({ kind, label, text, findings, checked }: Candidate): string {
  if (findings.length === 0 && checked !== undefined)
    return `${label} is in order: ${checked.compiled.hash}\n`
  const other = kind === 'policy' ? 'reference-values' : 'policy'
  const member = kind === 'policy' ? '"enclaves"' : '"clauses"'
  const hint =
    checked === undefined && text.includes(member)
      ? `This looks like a document of the other kind: --kind ${other}\n`
      : ''
  return `${countFindings(findings)}\n${hint}`
}
