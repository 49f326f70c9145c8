import { type ASTNode, type Environment, ParseError } from '@marcbachmann/cel-js'
import { RE2JS, RE2JSException } from 're2js'
import { MAX_PATTERN_CHARS } from '../limits.ts'

/** The code of the parse error for a pattern that is no literal, too long or not RE2. */
export const PATTERN_ERROR = 'invalid_pattern'

type MacroCall = { readonly args: readonly ASTNode[]; readonly receiver: ASTNode }
type MatchesCall = { readonly receiver: ASTNode }
type Checker = {
  check(node: ASTNode, context: unknown): { readonly name: string; readonly kind: string }
  getType(name: string): unknown
}

/** Only there to own a macro: see `registerLinearMatches`. */
class LinearPattern {}

/**
 * Checks `text.matches(pattern)`, which is linear in the text, as CEL demands (RE2). A macro goes before every function of
 * its name and number of arguments whatever the receiver is, so registering it for a type of our
 * own replaces the library's. The pattern must be a literal and is compiled with the policy.
 */
export function registerLinearMatches(environment: Environment): Environment {
  return environment
    .registerType('LinearPattern', { ctor: LinearPattern, fields: {} })
    .registerFunction({
      signature: 'LinearPattern.matches(ast): bool',
      handler: ({ args, receiver }: MacroCall) => {
        compilePattern(args[0])
        return { receiver, typeCheck: checkMatches, evaluate: refuseToEvaluate }
      },
      async: false,
    })
}

/** Throws a parse error with `PATTERN_ERROR` for what is no literal pattern of RE2. */
export function compilePattern(node: ASTNode | undefined): RE2JS {
  if (node?.op !== 'value' || typeof node.args !== 'string') {
    throw patternError('the pattern of matches() must be a literal', node)
  }
  if (node.args.length > MAX_PATTERN_CHARS) {
    throw patternError(`the pattern is longer than ${MAX_PATTERN_CHARS} characters`, node)
  }
  try {
    return RE2JS.compile(node.args)
  } catch (error) {
    if (error instanceof RE2JSException) throw patternError(error.message, node)
    throw error
  }
}

function patternError(message: string, node: ASTNode | undefined): ParseError {
  return new ParseError({ code: PATTERN_ERROR, message, ...(node && { node }) })
}

function checkMatches(checker: Checker, call: MatchesCall, context: unknown): unknown {
  const type = checker.check(call.receiver, context)
  if (type.name !== 'string' && type.kind !== 'dyn') {
    throw new ParseError({
      code: 'no_matching_overload',
      message: `found no matching overload for '${type.name}.matches(string)'`,
      node: call.receiver,
    })
  }
  return checker.getType('bool')
}

/** The library asks for it and never calls it: expressions are evaluated in `language/`. */
function refuseToEvaluate(): never {
  throw new TypeError('the library evaluates nothing')
}
