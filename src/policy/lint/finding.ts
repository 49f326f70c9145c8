import { EXPRESSION_REASONS } from '../language/expression.ts'

/** All that lint can find. Those of expressions are the reasons why they do not compile. */
export const LINT_CODES = [
  'json_syntax',
  'json_too_deep',
  'json_member_repeated',
  'document_over_limit',
  'document_member_unknown',
  'document_member_missing',
  'document_value_invalid',
  'document_text_unstorable',
  ...EXPRESSION_REASONS,
  'policy_clause_repeated',
  'policy_device_not_always',
  'policy_device_not_of_request',
  'policy_clause_duplicate',
  'policy_clause_constant',
  'policy_clause_denies_all',
  'policy_clause_by_minute',
  'policy_clause_by_hour_of_date',
  'policy_when_constant',
  'policy_when_unreachable',
  'policy_text_missing',
  'policy_grace_unused',
  'policy_enforce_from_unused',
  'policy_enforce_from_passed',
  'policy_enforce_from_late',
  'reference_values_empty',
  'reference_values_shadowed',
  'reference_values_expired',
  'reference_values_gap',
  'reference_values_pins_invalid',
  'reference_values_ends_soon',
  'reference_values_anchors_invalid',
  'reference_values_anchor_unusable',
  'reference_values_anchor_cut',
] as const

export type LintCode = (typeof LINT_CODES)[number]

/** A document with an error is not brought into force; a warning is for a person to judge. */
export type LintSeverity = 'error' | 'warning'

/** What is wrong, or looks wrong, at one place of a document. */
export type LintFinding = {
  readonly severity: LintSeverity
  readonly code: LintCode
  /** Id of the clause, where it has one. */
  readonly clause?: string
  /** Path of the member from the clause on, else from the document on: `texts.de.title`. */
  readonly member?: string
  /** Both count from 1, columns in UTF-16 units. */
  readonly line: number
  readonly column: number
  /** Says what to do, too. */
  readonly message: string
  /** What was probably meant. */
  readonly suggestion?: string
}

/** A finding whose place is not yet counted in lines. */
export type LocatedFinding = Omit<LintFinding, 'line' | 'column'> & { readonly offset: number }
