import { err, ok, type Result } from '../base/result.ts'
import { MAX_FORM_PARAMETERS } from './limits.ts'

/** Why the body of a request to an OAuth endpoint is none of its kind. */
export const FORM_REASONS = [
  'form_malformed',
  'form_parameter_repeated',
  'form_too_many_parameters',
] as const

export type FormFailure = {
  readonly reason: (typeof FORM_REASONS)[number]
  /** The parameter at fault. */
  readonly member?: string
}

/** The parameters of a request by name. One without a value counts as left out (RFC 6749 §3.2). */
export type Form = ReadonlyMap<string, string>

/** Reads `application/x-www-form-urlencoded` text. A parameter must not be there twice (RFC 6749 §3.2). */
export function readForm(text: string): Result<Form, FormFailure> {
  const form = new Map<string, string>()
  if (text === '') return ok(form)
  const pairs = text.split('&')
  if (pairs.length > MAX_FORM_PARAMETERS) return err({ reason: 'form_too_many_parameters' })
  for (const pair of pairs) {
    const [name = '', ...rest] = pair.split('=')
    const key = decodeFormText(name)
    const value = decodeFormText(rest.join('='))
    if (key === undefined || value === undefined || value.includes('\0')) {
      return err({ reason: 'form_malformed' })
    }
    if (form.has(key)) return err({ reason: 'form_parameter_repeated', member: key.slice(0, 64) })
    form.set(key, value)
  }
  for (const [name, value] of form) if (value === '') form.delete(name)
  return ok(form)
}

/**
 * One name or value, as RFC 6749 appendix B encodes it; ids and secrets in HTTP Basic are too (§2.3.1).
 * `undefined` where an escape is broken or leads to no UTF-8.
 */
export function decodeFormText(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
