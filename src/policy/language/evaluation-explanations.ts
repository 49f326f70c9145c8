import type { Explanation } from '../../base/explanation.ts'
import type { EVALUATION_REASONS } from './value.ts'

const explain = (cause: string, change: string): Explanation => ({ cause, change })

/** Why an expression had no value for one device: its clause is undecided then, and denies. */
export const EVALUATION_EXPLANATIONS: Readonly<
  Record<(typeof EVALUATION_REASONS)[number], Explanation>
> = {
  cel_no_such_key: explain('A map has no such key.', 'Ask with has() or in before it is read.'),
  cel_no_such_overload: explain('A function has no form for these types.', 'Convert the values.'),
  cel_value_unknown: explain(
    'A claim was not measured.',
    'Ask with has(), or see why the device does not report it.',
  ),
  cel_value_invalid: explain('A value is none of its type.', 'See what the token says.'),
  cel_conversion_invalid: explain('A value cannot be converted.', 'Ask for its form before.'),
  cel_out_of_range: explain('A number leaves its range.', 'Compare before computing.'),
  cel_division_by_zero: explain('Something is divided by zero.', 'Ask for zero before.'),
  cel_index_out_of_bounds: explain('A list is shorter.', 'Ask for size() before.'),
  cel_map_key_invalid: explain('A value cannot be the key of a map.', 'Use text or a number.'),
  cel_time_zone_unknown: explain('There is no such time zone.', 'Use a name of IANA.'),
  cel_cost_exceeded: explain('The expression costs too much.', 'Read shorter lists.'),
}
