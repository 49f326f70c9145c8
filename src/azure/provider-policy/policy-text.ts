import { err, ok, type Result } from '../../base/result.ts'
import { MAX_POLICY_CHARS, MAX_POLICY_NESTING } from './limits.ts'
import { PolicySyntaxError, type PolicyToken, readTokens } from './policy-lexer.ts'

/** Why a text cannot be a policy of Azure Attestation. */
export const POLICY_TEXT_REASONS = ['azure_policy_too_large', 'azure_policy_malformed'] as const

export type PolicyTextFailure = {
  readonly reason: (typeof POLICY_TEXT_REASONS)[number]
  /** Counted from 1. */
  readonly line: number
  readonly problem: string
}

/** What can be said of a policy without running it. */
export type PolicyOutline = {
  readonly version: '1.0' | '1.1' | '1.2'
  /** Types of the claims that issuance rules put into tokens. */
  readonly issued: ReadonlySet<string>
  /**
   * Lines with a condition that names no issuer, or the client itself: a client may bring such a
   * claim along.
   */
  readonly unguardedLines: readonly number[]
}

/** The actions of each section. */
const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  configurationrules: ['issueproperty'],
  authorizationrules: ['permit', 'deny', 'add'],
  issuancerules: ['add', 'issue', 'issueproperty'],
}
const VERSIONS = ['1.0', '1.1', '1.2'] as const
const PROPERTIES = ['type', 'value', 'valueType', 'issuer']
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>=']
/** Names and numbers of arguments of the functions of version 1.2. */
const FUNCTIONS: Readonly<Record<string, number>> = {
  JmesPath: 2,
  JsonToClaimValue: 1,
  IsSubsetOf: 2,
  AppendString: 2,
  NegateBool: 1,
  ContainsOnlyValue: 2,
}

/**
 * Reads a policy by the grammar of the documentation, which Azure checks only when the policy is
 * published. Queries in JmesPath are texts to it.
 */
export function readPolicyText(text: string): Result<PolicyOutline, PolicyTextFailure> {
  if (text.length > MAX_POLICY_CHARS) {
    const problem = `has more than ${MAX_POLICY_CHARS} characters`
    return err({ reason: 'azure_policy_too_large', line: 1, problem })
  }
  try {
    return ok(new PolicyReader(text).readPolicy())
  } catch (error) {
    if (!(error instanceof PolicySyntaxError)) throw error
    const { line, message: problem } = error
    return err({ reason: 'azure_policy_malformed', line, problem })
  }
}

class PolicyReader {
  readonly #tokens: readonly PolicyToken[]
  #at = 0
  #version: PolicyOutline['version'] = '1.0'
  #names: readonly string[] = []
  readonly #issued = new Set<string>()
  readonly #unguarded = new Set<number>()

  constructor(text: string) {
    this.#tokens = readTokens(text)
  }

  readPolicy(): PolicyOutline {
    this.#take('version')
    this.#take('=')
    const version = VERSIONS.find((one) => one === this.#peek().text)
    if (version === undefined) this.#fail(`a version of ${VERSIONS.join(', ')}`)
    this.#version = version
    this.#at++
    this.#take(';')
    const seen = new Set<string>()
    while (this.#peek().kind !== 'end') {
      const section = this.#peek().text
      if (seen.has(section)) this.#fail(`one section ${section}, not two`)
      seen.add(section)
      this.#readSection()
    }
    for (const section of ['authorizationrules', 'issuancerules']) {
      if (!seen.has(section)) this.#fail(`a section ${section}`)
    }
    return { version, issued: this.#issued, unguardedLines: [...this.#unguarded] }
  }

  #readSection(): void {
    const section = this.#peek().text
    const actions = Object.hasOwn(SECTIONS, section) ? SECTIONS[section] : undefined
    const isTooNew = section === 'configurationrules' && this.#version === '1.0'
    if (actions === undefined || isTooNew) this.#fail('a section of rules of this version')
    this.#at++
    this.#take('{')
    while (this.#peek().text !== '}') this.#readRule(actions)
    this.#take('}')
    this.#take(';')
  }

  #readRule(actions: readonly string[]): void {
    this.#names = []
    if (this.#peek().text !== '=>') {
      this.#readCondition()
      while (this.#skip('&&')) this.#readCondition()
    }
    this.#take('=>')
    const action = this.#peek().text
    if (!actions.includes(action)) this.#fail(`one of ${actions.join(', ')} in this section`)
    this.#at++
    this.#take('(')
    if (action !== 'permit' && action !== 'deny') this.#readClaim(action)
    this.#take(')')
    this.#take(';')
  }

  #readCondition(): void {
    const { line } = this.#peek()
    if (this.#peek().text === '!' && this.#version !== '1.2') this.#fail('version 1.2 for !')
    const isAbsence = this.#skip('!')
    if (this.#peek().kind === 'name') {
      if (isAbsence) this.#fail('no name for a claim that is absent')
      this.#names = [...this.#names, this.#peek().text]
      this.#at++
      this.#take(':')
    }
    this.#take('[')
    let isGuarded = false
    do {
      const property = this.#takeOneOf(PROPERTIES, 'a property of a claim')
      const comparison = this.#takeOneOf(COMPARISONS, 'a comparison (==)')
      const { text, kind } = this.#peek()
      this.#readExpression(0)
      const isIssuer = property === 'issuer' && comparison === '==' && kind === 'string'
      isGuarded ||= isIssuer && text !== 'CustomClaim'
    } while (this.#skip(','))
    this.#take(']')
    if (!isGuarded) this.#unguarded.add(line)
  }

  /** `type="name", value=…`, or `claim=c` for a claim that a condition found. */
  #readClaim(action: string): void {
    const given = new Set<string>()
    do {
      const property = this.#takeOneOf([...PROPERTIES, 'claim'], 'a property of the new claim')
      if (given.has(property)) this.#fail(`${property} once`)
      given.add(property)
      this.#take('=')
      const { text, kind } = this.#peek()
      this.#readExpression(0)
      if (property === 'type' && action === 'issue' && kind === 'string') this.#issued.add(text)
    } while (this.#skip(','))
    const isWhole = given.has('claim') || (given.has('type') && given.has('value'))
    if (!isWhole) this.#fail('a type and a value before this')
  }

  #readExpression(depth: number): void {
    const { kind, text } = this.#peek()
    if (kind === 'string' || kind === 'number' || text === 'true' || text === 'false') {
      this.#at++
      return
    }
    if (kind !== 'name') this.#fail('a value')
    if (this.#tokens[this.#at + 1]?.text === '(') {
      this.#readCall(depth)
      return
    }
    if (!this.#names.includes(text)) this.#fail('the name of a claim in the conditions')
    this.#at++
    if (this.#skip('.')) this.#takeOneOf(PROPERTIES, 'a property of a claim')
  }

  #readCall(depth: number): void {
    const { text } = this.#peek()
    const count = Object.hasOwn(FUNCTIONS, text) ? FUNCTIONS[text] : undefined
    if (count === undefined) this.#fail(`a function (${Object.keys(FUNCTIONS).join(', ')})`)
    if (this.#version !== '1.2') this.#fail('version 1.2 for functions')
    if (depth >= MAX_POLICY_NESTING) this.#fail('fewer functions inside of functions')
    this.#at++
    this.#take('(')
    for (let argument = 0; argument < count; argument++) {
      if (argument > 0) this.#take(',')
      this.#readExpression(depth + 1)
    }
    this.#take(')')
  }

  #peek(): PolicyToken {
    const token = this.#tokens[this.#at]
    if (token === undefined) throw new TypeError('read past the end')
    return token
  }

  #skip(text: string): boolean {
    const { kind } = this.#peek()
    const isIt = kind !== 'string' && this.#peek().text === text
    if (isIt) this.#at++
    return isIt
  }

  #take(text: string): void {
    if (!this.#skip(text)) this.#fail(`'${text}'`)
  }

  #takeOneOf(texts: readonly string[], meaning: string): string {
    const { kind, text } = this.#peek()
    if (kind === 'string' || !texts.includes(text)) this.#fail(meaning)
    this.#at++
    return text
  }

  #fail(expected: string): never {
    const { kind, text, line } = this.#peek()
    const found = kind === 'end' ? 'the end' : `'${text.slice(0, 40)}'`
    throw new PolicySyntaxError(line, `expected ${expected}, found ${found}`)
  }
}
