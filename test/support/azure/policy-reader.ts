/** What a provider makes of a policy: enough to answer, without running its conditions. */
export type ReadPolicy = {
  /** Whether any rule permits. */
  readonly permits: boolean
  /** Types of the claims that issuance rules put into tokens. */
  readonly issued: ReadonlySet<string>
}

export class PolicyParsingError extends Error {}

type Token = { readonly text: string; readonly isText: boolean; readonly line: number }

const SECTIONS = ['configurationrules', 'authorizationrules', 'issuancerules']
const PAIRS: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }
const LEXEMES =
  /\s+|\/\/[^\n]*|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?\d+(?:\.\d+)*|=>|==|!=|<=|>=|&&|./gs

/**
 * Reads a policy as far as Azure's parser would get before it complains: version, sections, rules
 * that end in a semicolon and brackets that match. Throws PolicyParsingError.
 */
export function readPolicy(text: string): ReadPolicy {
  const tokens = listTokens(text)
  let at = expectAll(tokens, 0, ['version', '='])
  if (!/^1\.[012]$/.test(tokens[at]?.text ?? '')) fail(tokens[at], '1.0')
  at = expectAll(tokens, at + 1, [';'])
  const issued = new Set<string>()
  let permits = false
  while (at < tokens.length) {
    const section = tokens[at]
    if (section === undefined || !SECTIONS.includes(section.text)) fail(section, SECTIONS.join())
    at = expectAll(tokens, at + 1, ['{'])
    while (tokens[at]?.text !== '}') {
      const end = endOfRule(tokens, at)
      const rule = tokens.slice(at, end)
      const name = issuedBy(rule)
      if (section.text === 'issuancerules' && name !== undefined) issued.add(name)
      permits ||= section.text === 'authorizationrules' && actionOf(rule)[0]?.text === 'permit'
      at = end + 1
    }
    at = expectAll(tokens, at, ['}', ';'])
  }
  return { permits, issued }
}

function listTokens(text: string): readonly Token[] {
  let line = 1
  const tokens: Token[] = []
  for (const [lexeme] of text.matchAll(LEXEMES)) {
    const isText = lexeme.startsWith('"') && lexeme.length > 1
    const isBlank = /^\s/.test(lexeme) || lexeme.startsWith('//')
    if (!isBlank) tokens.push({ text: isText ? lexeme.slice(1, -1) : lexeme, isText, line })
    line += lexeme.split('\n').length - 1
  }
  return tokens
}

/** Index of the semicolon of the rule that starts at `start`. */
function endOfRule(tokens: readonly Token[], start: number): number {
  const open: string[] = []
  let hasAction = false
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at]
    if (token === undefined || token.isText) continue
    const closing = PAIRS[token.text]
    if (closing !== undefined) open.push(closing)
    else if (Object.values(PAIRS).includes(token.text)) {
      if (open.pop() !== token.text) fail(token, ';')
    } else if (token.text === '=>') {
      if (hasAction || open.length > 0) fail(token, ';')
      hasAction = true
    } else if (token.text === ';') {
      if (open.length > 0 || !hasAction) fail(token, open.at(-1) ?? '=>')
      return at
    }
  }
  return fail(undefined, ';')
}

/** What follows `=>`. */
function actionOf(rule: readonly Token[]): readonly Token[] {
  return rule.slice(1 + rule.findIndex(({ text, isText }) => text === '=>' && !isText))
}

/** The `x` of `issue(type="x"`. */
function issuedBy(rule: readonly Token[]): string | undefined {
  const [action, ...rest] = actionOf(rule)
  if (action?.text !== 'issue') return undefined
  const at = rest.findIndex(({ text }, index) => text === 'type' && rest[index + 1]?.text === '=')
  const name = at < 0 ? undefined : rest[at + 2]
  return name?.isText ? name.text : undefined
}

function expectAll(tokens: readonly Token[], at: number, texts: readonly string[]): number {
  for (const [offset, text] of texts.entries()) {
    const token = tokens[at + offset]
    if (token?.text !== text || token.isText) fail(token, text)
  }
  return at + texts.length
}

/** In the words of Azure's parser. */
function fail(token: Token | undefined, expected: string): never {
  const { text, line } = token ?? { text: '<EOF>', line: 0 }
  throw new PolicyParsingError(
    `Policy Parser Exception Thrown: Offending symbol: '${text}'\r\nLine: '${line}'\r\n` +
      `Failure message: 'mismatched input '${text}' expecting '${expected}''`,
  )
}
