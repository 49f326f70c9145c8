import { toHex } from './encoding.ts'
import type { Failure } from './result.ts'

/**
 * Two values that were held against each other. They are evidence, or made of it: for whoever develops
 * an agent, and never for a log or a database.
 */
export type Comparison = {
  /** What was compared, such as `qualifying data`. */
  readonly what: string
  readonly expected: string
  readonly found: string
}

/**
 * Part of a refusal that comes of a comparison. The values are written out when somebody asks, so that
 * a refusal nobody looks into costs nothing, and so that it can be written as JSON without them.
 */
export type Compared = { readonly compared: () => readonly Comparison[] }

const MOST_BYTES = 66
const KEY_CHARS = 22

/** Bytes are shown in hexadecimal, long ones by their beginning. */
export function comparison(
  what: string,
  expected: Uint8Array | string,
  found: Uint8Array | string,
): Comparison {
  return { what, expected: show(expected), found: show(found) }
}

function show(value: Uint8Array | string): string {
  if (typeof value === 'string') return value
  if (value.length === 0) return 'nothing'
  if (value.length <= MOST_BYTES) return toHex(value)
  return `${toHex(value.subarray(0, MOST_BYTES))}… (${value.length} bytes)`
}

const CURVES = ['P-256', 'P-384', 'P-521']
const KEY_TYPES = ['RSA', 'EC']

/**
 * A public key by the beginning of its modulus or of its point: enough to tell it from another. It may come
 * as an agent wrote it, with members that say nothing or anything, of which only known names are shown.
 */
export function showKey({ kty, crv, n, x }: JsonWebKey): string {
  const [name, value] = n === undefined ? ['x', x] : ['n', n]
  const type = kty === 'EC' && CURVES.includes(crv ?? '') ? crv : kty
  const shown = [...CURVES, ...KEY_TYPES].find((known) => known === type) ?? 'unknown key'
  return `${shown} ${name}=${String(value ?? '')
    .slice(0, KEY_CHARS)
    .replace(/[^\w-]/g, '?')}…`
}

/**
 * What a refusal compared, such as a field of a structure with what it should have been; nothing where
 * it comes of no comparison.
 */
export function comparisonsOf(failure: Failure & Partial<Compared>): readonly Comparison[] {
  const { compared, expected, found, structure, field } = failure
  if (compared !== undefined) return compared()
  if (expected === undefined || found === undefined) return []
  const what = [structure, field].filter((part) => part !== undefined).join('.')
  return [comparison(what, expected, found)]
}
