import { z } from 'zod'

/** What is wrong at one place of a form, in words that say what to do: zod's own but for two. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const { keys } = issue
    const [first = '', ...others] = keys.map((key) => JSON.stringify(key.slice(0, MAX_SHOWN_CHARS)))
    return others.length === 0
      ? `there is no member ${first} here: leave it out`
      : `there are no members ${[first, ...others].slice(0, MAX_SHOWN_KEYS).join(', ')} here: leave them out`
  }
  // What zod received was left out, as it is no value of JSON.
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
  return isMissing ? 'is missing' : issue.message
}

const MAX_SHOWN_CHARS = 64
const MAX_SHOWN_KEYS = 10

const number = (unit: string) => (least: number, most: number, preset: number) => {
  const range = `must be ${unit} from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d{1,9}$/, range)
    .transform(Number)
    .pipe(z.number().min(least, range).max(most, range))
    .default(preset)
}
/** A whole number of seconds from `least` to `most`, as text. */
export const seconds = number('a whole number of seconds')
/** A whole number from `least` to `most`, as text. */
export const wholeNumber = number('a whole number')

export const oneOf = <const T extends readonly [string, ...string[]]>(names: T) =>
  z.enum(names, `must be one of ${names.join(', ')}`)

const baseUrl = (protocol: RegExp, error: string) =>
  z
    .url({ protocol, error })
    .refine((text) => {
      // What is no URL at all was told already.
      if (!URL.canParse(text)) return true
      const url = new URL(text)
      return url.search === '' && url.hash === '' && url.username === ''
    }, 'must have no query, fragment or credentials')
    .transform((text) => text.replace(/\/+$/, ''))

/** A base URL, without a final slash. */
export const origin = baseUrl(/^https?$/, 'must be an http(s) URL')
/** The same of a place that secrets are sent to. */
export const secureOrigin = baseUrl(/^https$/, 'must be an https URL')
