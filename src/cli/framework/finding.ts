import { type Comparison, comparisonsOf } from '../../base/comparison.ts'
import type { Failure } from '../../base/result.ts'
import { EXIT } from './command.ts'
import { fields } from './fields.ts'
import { printable, printJson, printText } from './output.ts'

/** What an inspection found out, as `--json` prints it. */
export type Finding = {
  readonly verified: boolean
  /** Why it was refused; stable. Absent when verified. */
  readonly reason?: string
  /** What the refusal says of the place, by reason. */
  readonly where?: Readonly<Record<string, unknown>>
  /** The values that differ, where the refusal comes of a comparison. */
  readonly compared?: readonly Comparison[]
  /** Things that do not refuse by themselves, in words. */
  readonly remarks: readonly string[]
  readonly [member: string]: unknown
}

/** What the verbs that print a finding say of themselves. */
export const FINDING_JSON = 'verified, reason, where, compared, remarks, and what was read'
export const FINDING_EXITS = { refused: 'refused, with the reason' } as const

export type Outcome = { readonly ok: true } | { readonly ok: false; readonly failure: Failure }

type Told = Failure & { readonly compared?: unknown; readonly missingIssuers?: unknown }

/** Verified or refused, with what the failure says about the place. */
export function verdictOf(
  outcome: Outcome,
): Pick<Finding, 'verified' | 'reason' | 'where' | 'compared'> {
  if (outcome.ok) return { verified: true }
  // Who is missing on a path of certificates is told in words, as `expected`.
  const { reason, compared: _, missingIssuers: _missing, ...where }: Told = outcome.failure
  const compared = comparisonsOf(outcome.failure)
  return {
    verified: false,
    reason,
    ...(Object.keys(where).length > 0 && { where }),
    ...(compared.length > 0 && { compared }),
  }
}

/** A line for each comparison, or one of its own for each value where they differ. */
export function explainCompared(compared: readonly Comparison[], indent = '  '): string {
  return compared
    .map(({ what, expected, found }) => [what, expected, found].map(printable))
    .map(([what, expected, found]) =>
      expected === found
        ? `${indent}${what}: ${found}\n`
        : `${indent}${what}\n${indent}  expected ${expected}\n${indent}  found    ${found}\n`,
    )
    .join('')
}

/** Prints a finding and gives the exit status. `text` explains what was read. */
export function report(finding: Finding, options: { json: boolean; text: string }): number {
  if (options.json) printJson(finding, 2)
  else printText(explain(finding, options.text))
  return finding.verified ? EXIT.done : EXIT.refused
}

/** What matters first, because what was read can be long. */
function explain(finding: Finding, text: string): string {
  const { verified, reason, where, compared, remarks } = finding
  const head = verified
    ? 'VERIFIED\n'
    : `REFUSED  ${reason ?? ''}\n${fields(where ?? {})}${explainCompared(compared ?? [])}`
  const remarked = remarks.map((remark) => `Remark: ${printable(remark)}\n`).join('')
  if (text === '') return head + remarked
  return `${head}${remarked}\n${verified ? '' : 'What it says, not believed:\n'}${text}`
}
