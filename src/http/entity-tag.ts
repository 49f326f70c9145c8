import { digestText } from '../base/digest.ts'
import { toBase64Url } from '../base/encoding.ts'

/** The strong tag of an answer in JSON (RFC 9110 §8.8.3): another one whenever anything in it is other. */
export function tagOf(answer: object): string {
  return `"${toBase64Url(digestText('sha256', JSON.stringify(answer)))}"`
}

/**
 * Whether a precondition names this tag, or all there are. `If-None-Match` compares weakly, and `If-Match` only
 * what is strong: RFC 9110 §13.1.
 */
export function isTagNamed(names: string, tag: string, comparison: 'strong' | 'weak'): boolean {
  return names.split(',').some((one) => {
    const name = one.trim()
    return name === '*' || (comparison === 'weak' ? name.replace(/^W\//, '') : name) === tag
  })
}
