import { z } from 'zod'

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
