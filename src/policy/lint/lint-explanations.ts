import type { Explanation } from '../../base/explanation.ts'
import type { LintCode } from './finding.ts'

const explain = (cause: string, change: string): Explanation => ({ cause, change })

/** What each finding of lint means; its message says more of the one document. */
export const LINT_EXPLANATIONS: Readonly<Record<LintCode, Explanation>> = {
  json_syntax: explain('The document is not JSON.', 'Mend the text at the line and column.'),
  json_too_deep: explain('The document is nested too deep.', 'Write it flatter.'),
  json_member_repeated: explain('An object has a member twice.', 'Keep one of the two.'),
  document_over_limit: explain('Something is longer or more than it may be.', 'Shorten it.'),
  document_member_unknown: explain('There is no such member.', 'Check its spelling, or drop it.'),
  document_member_missing: explain('A member is missing.', 'Add it.'),
  document_value_invalid: explain('A value may not be like this.', 'Write it as the message says.'),
  document_text_unstorable: explain(
    'A text holds NUL or half a surrogate pair.',
    'Leave these characters out.',
  ),
  policy_expression_syntax: explain(
    'An expression is not CEL.',
    'Mend it where the offset points.',
  ),
  policy_expression_type: explain(
    'Types in an expression do not fit.',
    'Compare values of one type, or convert one.',
  ),
  policy_expression_inexact: explain(
    'A number in an expression cannot be kept exactly.',
    'Write a number that fits.',
  ),
  policy_expression_not_boolean: explain(
    'An expression is neither true nor false.',
    'Write a condition, such as a comparison.',
  ),
  policy_expression_too_complex: explain(
    'An expression may cost too much.',
    'Split it into clauses, or simplify it.',
  ),
  policy_name_unknown: explain(
    'An expression uses a name that there is not.',
    'Check its spelling: the message may suggest one.',
  ),
  policy_pattern_invalid: explain(
    'A regular expression cannot be read.',
    'Write it in RE2 syntax.',
  ),
  policy_clause_repeated: explain('Two clauses have one id.', 'Rename one.'),
  policy_device_not_always: explain(
    'Questions that name no device can be granted.',
    'Write "device": "always", unless that is meant.',
  ),
  policy_device_not_of_request: explain(
    'Whether a device is demanded reads more than the request.',
    'Let it read subject, resource, action and context alone.',
  ),
  policy_clause_duplicate: explain('Two clauses ask the same.', 'Drop one.'),
  policy_clause_constant: explain(
    'A clause has the same result for every device.',
    'Make it read a claim, or drop it.',
  ),
  policy_clause_denies_all: explain('A clause denies every device.', 'Turn its condition round.'),
  policy_clause_by_minute: explain(
    'A clause goes by the minute, which no preview can look at.',
    'Compare with a timestamp or a duration, or go by getHours().',
  ),
  policy_clause_by_hour_of_date: explain(
    'A clause goes by the hour on some dates only, which no preview can look at.',
    'Say the dates with timestamps, or go by whole days.',
  ),
  policy_when_constant: explain('A when is always true or never.', 'Drop it, or its clause.'),
  policy_when_unreachable: explain('A when can never be true.', 'Mend its condition.'),
  policy_text_missing: explain('A clause has no text for people.', 'Add title and repair.'),
  policy_grace_unused: explain('A grace has no effect.', 'Drop it, or let the clause enforce.'),
  policy_enforce_from_unused: explain(
    'A date has no effect.',
    'Drop it, or let the clause enforce.',
  ),
  policy_enforce_from_passed: explain('A date is over.', 'Drop it.'),
  policy_enforce_from_late: explain('A date is far away.', 'Check the year.'),
  reference_values_empty: explain('The list is empty, and empty is never a pass.', 'Add entries.'),
  reference_values_shadowed: explain(
    'An entry can never count.',
    'Drop it, or mend the wider one.',
  ),
  reference_values_expired: explain('An entry is over.', 'Drop it.'),
  reference_values_gap: explain(
    'There is a time in which nothing is valid.',
    'Let entries overlap.',
  ),
  reference_values_pins_invalid: explain(
    'A pin is not one by its form.',
    'Write it as the message says.',
  ),
  reference_values_ends_soon: explain('An entry ends soon.', 'Add the one that follows it.'),
  reference_values_anchors_invalid: explain(
    'Trust anchors cannot be read.',
    'Write certificates as the message says.',
  ),
  reference_values_anchor_unusable: explain(
    'A certificate cannot be a trust anchor.',
    'List the certificate of an authority that is valid.',
  ),
  reference_values_anchor_cut: explain(
    'A certificate is cut off.',
    'Copy it whole, with its first and last line.',
  ),
}
