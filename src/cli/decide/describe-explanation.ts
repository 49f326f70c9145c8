import type { ExplainedClause } from '../../access/explain-clauses.ts'
import type { showExplanation } from '../../views/show-explanation.ts'
import { fields } from '../framework/fields.ts'

type Explanation = ReturnType<typeof showExplanation>

const STATUS: Readonly<Record<ExplainedClause['status'], string>> = {
  pass: 'holds',
  fail: 'FAILS',
  undecidable: 'UNDECIDED',
  not_applicable: 'does not apply',
}

/** A decision for people; whole with every clause and what it read. */
export function describeExplanation(
  explanation: Explanation,
  {
    isWhole,
    noteOf = () => undefined,
  }: {
    readonly isWhole: boolean
    /** What else is to be said of what a clause reads, by its path. */
    readonly noteOf?: ((path: string) => string | undefined) | undefined
  },
): string {
  const { decision, context, at, clauses } = explanation
  const { verdict, reasons, relief = [], policy, reference_values, valid_until } = context
  const head = fields(
    {
      decision: decision ? 'granted' : 'denied',
      verdict,
      at,
      'valid until': valid_until,
      policy,
      'reference values': reference_values,
    },
    '',
  )
  const why = reasons.map(({ clause, code, title, repair }) => {
    return `  ${clause ?? code}: ${title}\n    ${repair}\n`
  })
  const passedOver = relief.map(({ kind, reason, until }) => {
    return `  ${reason ?? 'every clause'} does not count until ${until}: ${kind}\n`
  })
  return [
    head,
    why.length === 0 ? '' : `\nWhy\n${why.join('')}`,
    passedOver.length === 0 ? '' : `\nPassed over\n${passedOver.join('')}`,
    isWhole ? `\nClauses\n${clauses.map((one) => describeClause(one, noteOf)).join('')}` : '',
    isWhole || clauses.length === 0 ? '' : `\nWhat each clause said: --explain\n`,
  ].join('')
}

function describeClause(
  clause: ExplainedClause,
  noteOf: (path: string) => string | undefined,
): string {
  const { status, severity, scope, when, require, cause, reads, relief } = clause
  const tells = severity === 'report' ? ', reported only' : ''
  const about = scope === 'request' ? ', of the request' : ''
  const values = Object.entries(reads).map(([path, value]) => {
    const note = noteOf(path)
    const told = note === undefined ? '' : ` (${note})`
    return `      ${path} = ${value === null ? 'nothing' : JSON.stringify(value)}${told}\n`
  })
  const lines = [
    `  ${clause.clause}: ${STATUS[status]}${tells}${about}\n`,
    when === undefined ? '' : `    when     ${when}\n`,
    `    require  ${require}\n`,
    ...values,
    cause === undefined ? '' : `      ${cause}\n`,
    relief === undefined ? '' : `    does not count until ${relief.until}: ${relief.kind}\n`,
  ]
  return lines.join('')
}
