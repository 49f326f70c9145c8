import type { ASTNode } from '@marcbachmann/cel-js'
import { namesAllDates } from './clock-readings.ts'
import { evaluateConstant, isConstant } from './constant-expression.ts'
import { Duration, Timestamp } from './value.ts'

/** Durations of one expression by which its timestamps are moved. */
const MOST_DURATIONS = 4
const MOST_INSTANTS = 64

const NANOS_OF_MS = 1_000_000n

/**
 * The moments that an expression names: its constant timestamps, and these moved by its constant
 * durations, as `now - timestamp("…") > duration("72h")` has it. Milliseconds of the epoch, each with
 * the one after it, as `now > t` holds from then on. What it says between two of them changes by the
 * clock only where it reads the hour or the day, or how old something is.
 */
export function instantsIn(ast: ASTNode): Instants {
  const found = { instants: new Set<number>(), durations: new Set<number>() }
  collect(ast, found)
  const moved = [...found.durations].slice(0, MOST_DURATIONS)
  const all = [...found.instants].flatMap((instant) => [
    instant,
    ...moved.flatMap((duration) => [instant + duration, instant - duration]),
  ])
  const instants = all.flatMap((instant) => [instant, instant + 1])
  const areFew = instants.length <= MOST_INSTANTS && found.durations.size <= MOST_DURATIONS
  const kept = [...new Set(instants)].slice(0, MOST_INSTANTS)
  const leftOut = found.instants.size * (1 + 2 * found.durations.size) - kept.length / 2
  return {
    instants: kept,
    leftOut: Math.max(0, Math.floor(leftOut)),
    areAll: areFew && namesAllDates(ast),
  }
}

export type Instants = {
  readonly instants: readonly number[]
  /** Dates, each with the millisecond after it, that are beyond the most of one expression. */
  readonly leftOut: number
  /** Whether it changes by the clock at no other moment, but for what comes back within a week. */
  readonly areAll: boolean
}

type Found = { readonly instants: Set<number>; readonly durations: Set<number> }

function collect(node: ASTNode, found: Found): void {
  if (isConstant(node)) {
    const value = evaluateConstant(node)
    if (value instanceof Timestamp) found.instants.add(toMs(value.nanos))
    else if (value instanceof Duration) found.durations.add(toMs(value.nanos))
    return
  }
  for (const part of [node.args].flat(3) as readonly unknown[]) {
    if (typeof part === 'object' && part !== null && 'op' in part) collect(part as ASTNode, found)
  }
}

/** The first millisecond that is not before it: the clock has no finer ones. */
function toMs(nanos: bigint): number {
  const whole = nanos / NANOS_OF_MS
  return Number(nanos > whole * NANOS_OF_MS ? whole + 1n : whole)
}
