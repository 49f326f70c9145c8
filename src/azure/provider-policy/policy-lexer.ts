/** A word of a policy. The text of a string is without its quotes, escapes resolved. */
export type PolicyToken = {
  readonly kind: 'name' | 'number' | 'string' | 'sign' | 'end'
  readonly text: string
  readonly line: number
}

/** Stays inside of the reader of policies, which makes a result of it. */
export class PolicySyntaxError extends Error {
  override readonly name = 'PolicySyntaxError'
  readonly line: number

  constructor(line: number, problem: string) {
    super(problem)
    this.line = line
  }
}

/** Of several that fit the longest comes first. A version is a number with a point in it. */
const FORMS: readonly (readonly [PolicyToken['kind'] | 'blank', RegExp])[] = [
  ['blank', /[ \t\r\n]+|\/\/[^\n]*/y],
  ['string', /"(?:[^"\\\n]|\\["\\])*"/y],
  ['number', /-?\d+(?:\.\d+)?/y],
  ['name', /[A-Za-z_]\w*/y],
  ['sign', /=>|==|!=|<=|>=|&&|[=<>!:;,.(){}[\]]/y],
]

/** The words of a policy, in order, then one `end`. Throws PolicySyntaxError. */
export function readTokens(text: string): readonly PolicyToken[] {
  const tokens: PolicyToken[] = []
  let at = 0
  let line = 1
  while (at < text.length) {
    const [kind, word] = matchAt(text, at)
    if (kind === undefined) {
      const rest = text.slice(at, at + 20).split('\n')[0]
      throw new PolicySyntaxError(line, `cannot be read from here: ${rest}`)
    }
    const isString = kind === 'string'
    const value = isString ? word.slice(1, -1).replaceAll(/\\(.)/g, '$1') : word
    if (kind !== 'blank') tokens.push({ kind, text: value, line })
    line += word.split('\n').length - 1
    at += word.length
  }
  return [...tokens, { kind: 'end', text: '', line }]
}

function matchAt(
  text: string,
  at: number,
): readonly [PolicyToken['kind'] | 'blank' | undefined, string] {
  for (const [kind, form] of FORMS) {
    form.lastIndex = at
    const word = form.exec(text)?.[0]
    if (word !== undefined) return [kind, word]
  }
  return [undefined, '']
}
