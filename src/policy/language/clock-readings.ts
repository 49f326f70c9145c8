import type { ASTNode } from '@marcbachmann/cel-js'
import { evaluateConstant, isConstant } from './constant-expression.ts'
import { ACCESSORS } from './time.ts'

/** They move with every attestation, and so with the clock for a device that goes on attesting. */
export const EVIDENCE_TIMES = ['attested_at', 'valid_until'] as const

const COMPARISONS: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', '==', '!='])
/** What they give comes back within a week. */
const WEEKLY: ReadonlySet<string> = new Set(['getDayOfWeek', 'getHours'])
/** What they give changes within an hour. */
const FINER: ReadonlySet<string> = new Set(['getMinutes', 'getSeconds', 'getMilliseconds'])

/**
 * Whether everything that an expression makes of the clock changes at moments that it names or comes
 * back within a week: each reading of a time is compared with a constant, at most moved by one constant
 * or set beside another reading, or is asked for its hour or its day of the week. Else it may say
 * something else from any moment on, as `now.getMonth() != 0` or `int(now) < 1798761600` does.
 */
export function namesAllDates(node: ASTNode): boolean {
  if (isConstant(node)) return true
  if (isTime(node)) return false
  if (COMPARISONS.has(node.op)) {
    const [left, right] = node.args as readonly [ASTNode, ASTNode]
    if (isConstant(right) && isMovedOnce(left)) return true
    if (isConstant(left) && isMovedOnce(right)) return true
  }
  if (node.op === 'rcall') {
    const [name, receiver, rest] = node.args
    if (WEEKLY.has(name) && isTime(receiver)) return rest.every(namesAllDates)
  }
  return partsOf(node).every(namesAllDates)
}

/**
 * Whether an expression makes of the clock what can come and go within an hour, so that nobody who looks
 * ahead sees it for certain: minutes, seconds, the rest of a division, or its text.
 */
export function readsMinutes(node: ASTNode): boolean {
  const isFine =
    (node.op === 'rcall' && FINER.has(node.args[0])) ||
    (node.op === 'call' && node.args[0] === 'string') ||
    node.op === '%'
  return (isFine && readsTime(node)) || partsOf(node).some(readsMinutes)
}

/**
 * The time zones in which an expression asks times for their hour, day or date, UTC where it says none;
 * `undefined` where a zone is computed, so that it may be any.
 */
export function zonesIn(node: ASTNode): readonly string[] | undefined {
  const found: string[] = []
  if (node.op === 'rcall' && Object.hasOwn(ACCESSORS, node.args[0])) {
    const [zone] = node.args[2]
    const name = zone === undefined ? 'UTC' : isConstant(zone) && evaluateConstant(zone)
    if (typeof name !== 'string') return undefined
    found.push(name)
  }
  for (const part of partsOf(node)) {
    const zones = zonesIn(part)
    if (zones === undefined) return undefined
    found.push(...zones)
  }
  return [...new Set(found)]
}

/** What comes back only once in a month or a year, or never. */
const CALENDAR = ['getMonth', 'getDate', 'getDayOfMonth', 'getDayOfYear', 'getFullYear']

/**
 * Whether a clause of these expressions goes by the hour on certain dates, as the ninth hour of 24 December is.
 * These are hours within a year that nobody who looks ahead comes to one by one.
 */
export function readsHoursOfDates(nodes: readonly ASTNode[]): boolean {
  const asked = new Set(nodes.flatMap(accessorsOf))
  return asked.has('getHours') && CALENDAR.some((name) => asked.has(name))
}

/** What it asks of times that move with the clock. */
function accessorsOf(node: ASTNode): readonly string[] {
  const own = node.op === 'rcall' && readsTime(node.args[1]) ? [node.args[0]] : []
  return [...own, ...partsOf(node).flatMap(accessorsOf)]
}

function readsTime(node: ASTNode): boolean {
  return isTime(node) || partsOf(node).some(readsTime)
}

/** A reading of a time, one that is moved by a constant, or how far one is from another. */
function isMovedOnce(node: ASTNode): boolean {
  if (isTime(node)) return true
  if (node.op !== '-' && node.op !== '+') return false
  const [left, right] = node.args as readonly [ASTNode, ASTNode]
  if (isTime(left)) return isTime(right) || isConstant(right)
  return isConstant(left) && isTime(right)
}

function isTime(node: ASTNode): boolean {
  if (node.op === 'id') return node.args === 'now'
  const names: readonly unknown[] = EVIDENCE_TIMES
  if (node.op === '.') return names.includes(node.args[1])
  return node.op === '[]' && node.args[1].op === 'value' && names.includes(node.args[1].args)
}

function partsOf(node: ASTNode): readonly ASTNode[] {
  return ([node.args].flat(3) as readonly unknown[]).filter(isNode)
}

function isNode(part: unknown): part is ASTNode {
  return typeof part === 'object' && part !== null && 'op' in part
}
