import { isDeepStrictEqual } from 'node:util'
import { type Chance, chanceOf, mutate } from './mutate.ts'
import { mutateJson } from './mutate-json.ts'

/** A parser of what outsiders send, and inputs that it accepts or that are close to that. */
export type Target = {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  /** Answers a `Result`, or `undefined` for what is not acceptable. Never throws. */
  readonly parse: (bytes: Uint8Array) => unknown
}

export type Finding = {
  readonly target: string
  readonly what: string
  /** base64 */
  readonly input: string
}

export type FuzzReport = {
  readonly executions: number
  /** By target, how many inputs it accepted: a target that accepts none tests only its first check. */
  readonly accepted: ReadonlyMap<string, number>
  readonly slowestMs: number
  readonly findings: readonly Finding[]
}

/** An input is small, so whatever takes longer grows faster than its input. */
const MOST_MS = 1000
/** Every so many executions the bytes around the input are others, and the answer must be the same. */
const MARGIN_EVERY = 8
const MARGIN = 64
const MOST_FINDINGS = 20
/** Accepted inputs become seeds, so that mutations go on from where a parser was led. */
const MOST_LEARNT = 64

/**
 * Feeds `executions` mutated inputs to the targets in turn. A finding is a throw, an answer that is
 * none, an answer that depends on bytes outside of the input, or one that takes too long.
 */
export function fuzz(
  targets: readonly Target[],
  options: { readonly executions: number; readonly seed: number; readonly tick?: () => void },
): FuzzReport {
  const chance = chanceOf(options.seed)
  const accepted = new Map<string, number>()
  const findings: Finding[] = []
  let slowestMs = 0
  const learnt = new Map(targets.map(({ name, seeds }) => [name, [...seeds]]))
  for (let done = 0; done < options.executions && findings.length < MOST_FINDINGS; done++) {
    const target = targets[done % targets.length]
    if (target === undefined) throw new TypeError('nothing to test')
    const seeds = learnt.get(target.name) ?? []
    const input = vary(pick(seeds, chance), pick(seeds, chance), chance)
    const { what, ms, isAccepted } = execute(target, input, done % MARGIN_EVERY === 0)
    slowestMs = Math.max(slowestMs, ms)
    if (isAccepted) {
      accepted.set(target.name, (accepted.get(target.name) ?? 0) + 1)
      if (seeds.length < target.seeds.length + MOST_LEARNT) seeds.push(input)
    }
    if (what !== undefined) {
      findings.push({ target: target.name, what, input: Buffer.from(input).toString('base64') })
    }
    if (done % 1000 === 0) options.tick?.()
  }
  return { executions: options.executions, accepted, slowestMs, findings }
}

/** Every other input that begins from JSON keeps its syntax. */
function vary(seed: Uint8Array, other: Uint8Array, chance: Chance): Uint8Array {
  const isJson = seed[0] === 0x7b && chance.below(2) === 0
  const json = isJson ? mutateJson(Buffer.from(seed).toString('utf8'), chance) : undefined
  return json === undefined ? mutate(seed, other, chance) : Buffer.from(json)
}

function pick(seeds: readonly Uint8Array[], chance: Chance): Uint8Array {
  return seeds[chance.below(seeds.length)] ?? new Uint8Array()
}

function execute(target: Target, input: Uint8Array, withMargins: boolean) {
  const begun = performance.now()
  try {
    const answer = target.parse(within(input, 0xaa))
    const ms = performance.now() - begun
    const isAccepted = isOk(answer)
    const other = withMargins ? target.parse(within(input, 0x55)) : answer
    const what = describe(answer, other, ms)
    return { what, ms, isAccepted }
  } catch (error) {
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { what: `threw ${told}`, ms: performance.now() - begun, isAccepted: false }
  }
}

/** The input in the midst of bytes that are none of the parser's business. */
function within(input: Uint8Array, around: number): Uint8Array {
  const whole = new Uint8Array(MARGIN + input.length + MARGIN).fill(around)
  whole.set(input, MARGIN)
  return whole.subarray(MARGIN, MARGIN + input.length)
}

function describe(answer: unknown, other: unknown, ms: number): string | undefined {
  if (!isAnswer(answer)) return `answered ${String(answer)}`
  if (answer !== other && !isDeepStrictEqual(plain(answer), plain(other))) return 'read past an end'
  return ms > MOST_MS ? `took ${ms.toFixed(0)} ms` : undefined
}

function isAnswer(answer: unknown): boolean {
  if (answer === undefined) return true
  if (typeof answer !== 'object' || answer === null) return false
  if (!('ok' in answer) || answer.ok === true) return true
  return 'failure' in answer && typeof Object(answer.failure).reason === 'string'
}

/** Whether a parser has accepted its input. */
export function isOk(answer: unknown): boolean {
  return answer !== undefined && Object(answer).ok !== false
}

/** Views of the input as their bytes alone; functions and keys are the same where their inputs are. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Map) return [...value].map(([key, one]) => [key, plain(one)])
  if (value instanceof Set) return [...value]
  if (value instanceof Date) return value.getTime()
  if (typeof value === 'function') return 'function'
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]))
  }
  return value
}
