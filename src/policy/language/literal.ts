import type { ASTNode } from '@marcbachmann/cel-js'
import { Uint, type Value } from './value.ts'

export type Literal = Extract<ASTNode, { op: 'value' }>

const INT_END = 2n ** 63n

/** The library has a class of its own for `uint`, which writes its digits. */
export function readLiteral(literal: Literal['args']): Value {
  if (typeof literal !== 'object' || literal === null || literal instanceof Uint8Array) {
    return literal
  }
  return new Uint(BigInt(literal.toString()))
}

/** What of a literal the library reads otherwise than CEL; nothing where it reads it right. */
export function problemOfLiteral(node: Literal, isSigned: boolean): string | undefined {
  const { args: literal, input, start, end } = node
  if (typeof literal === 'bigint' && literal >= INT_END) {
    return isSigned && literal === INT_END ? undefined : 'the number is too big for int'
  }
  const text = input.slice(start, end)
  // Of what is not ASCII the bytes are those of its UTF-8, and the library cuts its code units.
  if (literal instanceof Uint8Array && /[\u0080-\uffff]/.test(text)) {
    return 'bytes that are not ASCII are written as \\x and two digits'
  }
  if (/^[rR]/.test(text) && isCutLate(text.slice(1))) {
    return 'a quote stands in a raw text of the same quotes'
  }
  return undefined
}

/** A raw text ends at the first delimiter; the library takes a backslash for an escape of it. */
function isCutLate(quoted: string): boolean {
  const first = quoted.charAt(0)
  const delimiter = quoted.startsWith(first.repeat(3)) ? first.repeat(3) : first
  return quoted.indexOf(delimiter, delimiter.length) + delimiter.length < quoted.length
}

/** The literal of `-9223372036854775808`: the sign stands before the digits and belongs to them. */
export function signedLiteral(node: Extract<ASTNode, { op: '-_' }>): Literal | undefined {
  const { args: operand, input, start } = node
  const isSigned = operand.op === 'value' && input.slice(start + 1, operand.start).trim() === ''
  return isSigned ? operand : undefined
}

/** Words, texts, comments and signs: enough to follow the parentheses of what was parsed. */
const TOKEN =
  /[rRbB]?(?:"""(?:\\.|[^\\])*?"""|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\/\/[^\n]*|[A-Za-z_]\w*|[<>=!]=|&&|\|\||\S/gs
const RELATIONS: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', 'in'])
const EQUALITIES: ReadonlySet<string> = new Set(['==', '!='])
const OPENING: ReadonlySet<string> = new Set(['(', '[', '{'])
const CLOSING: ReadonlySet<string> = new Set([')', ']', '}'])
const LOOSER: ReadonlySet<string> = new Set([',', ':', '?', '&&', '||'])

/**
 * Where `<` or `in` stands behind `==` or `!=` without parentheses. In CEL they bind alike, from
 * the left (langdef, "Syntax"); the library lets `<` bind closer, and would mean something else.
 */
export function findMixedRelation(source: string): number | undefined {
  const hasEquality = [false]
  for (const { 0: token, index } of source.matchAll(TOKEN)) {
    const innermost = hasEquality.length - 1
    if (OPENING.has(token)) hasEquality.push(false)
    else if (CLOSING.has(token)) hasEquality.pop()
    else if (LOOSER.has(token)) hasEquality[innermost] = false
    else if (EQUALITIES.has(token)) hasEquality[innermost] = true
    else if (RELATIONS.has(token) && hasEquality[innermost]) return index
  }
  return undefined
}
