import { EVIDENCE_TIMES } from '../language/clock-readings.ts'
import type { Expression } from '../language/expression.ts'

/** The variables of a policy whose `properties` an entity directory can stand in for. */
export const DIRECTORY_ROOTS = ['subject', 'resource', 'action'] as const

export type DirectoryRoot = (typeof DIRECTORY_ROOTS)[number]

type Sources = {
  readonly when: { readonly source: string } | undefined
  readonly require: { readonly source: string }
}

/**
 * Whether a clause may read a member of one of these names. Members are named in the text of an
 * expression, so what does not stand there is not read; what stands there may be. Only an escape in
 * `x["…"]` could spell a name in another way.
 */
export function mayName({ when, require }: Sources, names: readonly string[]): boolean {
  return [when?.source, require.source].some(
    (source) =>
      source !== undefined &&
      (source.includes('\\') || names.some((name) => source.includes(name))),
  )
}

/** Whether reference values can change what a clause says. */
export function dependsOnAppraisal(clause: Sources): boolean {
  return mayName(clause, ['status', 'vector', 'enclave'])
}

/** How the clock alone can change what a clause says about equal evidence. */
export type ClockUse =
  | 'none'
  /** At the moments that it names. */
  | 'dates'
  /** With the hour or the day. */
  | 'hours'

const ACCESSOR = /\.get[A-Z]/

export function clockUseOf({
  when,
  require,
}: {
  readonly when: Expression | undefined
  readonly require: Expression
}): ClockUse {
  const reading = [when, require].filter((one) => one !== undefined && readsTime(one))
  if (reading.length === 0) return 'none'
  return reading.some((one) => ACCESSOR.test(one?.source ?? '')) ? 'hours' : 'dates'
}

function readsTime(expression: Expression): boolean {
  const sources = { when: undefined, require: expression }
  return expression.roots.has('now') || mayName(sources, EVIDENCE_TIMES)
}

const DAY_ACCESSOR = /\.get(?:Day|Date|Month|FullYear)/
const HOUR_ACCESSOR = /\.get(?:Hours|Minutes|Seconds|Milliseconds)/

/** Whether the day of the week or the date decides what it says. */
export function goesByDay(clause: Sources & { readonly clock: ClockUse }): boolean {
  return clause.clock === 'hours' && namesAccessor(clause, DAY_ACCESSOR)
}

/** Whether the time of the day decides what it says. */
export function goesByHour(clause: Sources & { readonly clock: ClockUse }): boolean {
  return clause.clock === 'hours' && namesAccessor(clause, HOUR_ACCESSOR)
}

function namesAccessor({ when, require }: Sources, accessor: RegExp): boolean {
  return accessor.test(`${when?.source ?? ''} ${require.source}`)
}

/** The variables whose `properties` any of these expressions may read. */
export function directoryRootsOf(expressions: readonly Expression[]): ReadonlySet<DirectoryRoot> {
  const reading = expressions.filter((require) =>
    mayName({ when: undefined, require }, ['properties']),
  )
  return new Set(DIRECTORY_ROOTS.filter((root) => reading.some(({ roots }) => roots.has(root))))
}
