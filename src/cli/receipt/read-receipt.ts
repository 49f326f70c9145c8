import { option, required, text } from '../framework/options.ts'
import { readJsonFile } from '../framework/read-file.ts'

/** The receipt that the verbs take. */
export const RECEIPT = required(text('FILE', 'the receipt, a compact JWS; - is standard input'))

/** The question as it was sent, read when the option is. */
export const REQUEST = option(
  'FILE',
  'the AuthZEN request as it was sent, which only who asked has kept; of a batch one question with its defaults',
  (path) => ({ request: readJsonFile(path) }),
)
