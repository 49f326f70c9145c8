import type { MemberPath } from '../../access/kept-request.ts'
import type { CompiledClause, CompiledPolicy } from '../../policy/document/compile.ts'
import type { ClauseOutcome } from '../../policy/language/evaluate.ts'
import { bindVariables, type PolicyInput, type Variables } from '../../policy/language/input.ts'
import { type RequestReads, requestReadsOf } from '../../policy/language/request-reads.ts'
import { LISTED_PARTS } from './limits.ts'
import type { UntestedClause } from './summary.ts'

/** Finds what clauses about requests ask that no replayed question answers. */
export type UntestedSearch = {
  /** Whether a member that was not kept of a question could change what a clause says about it. */
  readonly reads: (leftOut: readonly MemberPath[]) => boolean
  /** `outcomes`: of all clauses of the policy over this input. */
  readonly add: (input: PolicyInput, outcomes: readonly ClauseOutcome[]) => void
  readonly found: () => readonly UntestedClause[]
}

export function createUntestedSearch(policy: CompiledPolicy): UntestedSearch {
  const clauses = policy.clauses.filter(({ scope }) => scope === 'request').map(startClause)
  return {
    reads: (leftOut) =>
      leftOut.some((path) => clauses.some(({ paths }) => paths.some((one) => meet(one, path)))),
    add(input, outcomes) {
      const variables = bindVariables(input)
      const statuses = new Map(outcomes.map(({ clause, status }) => [clause, status]))
      for (const clause of clauses) {
        // Of a device that never attested no clause is asked.
        if (!statuses.has(clause.id)) continue
        clause.asked += 1
        clause.when?.add(variables)
        if (statuses.get(clause.id) === 'not_applicable') continue
        clause.applied += 1
        clause.require.add(variables)
      }
    },
    found: () => clauses.flatMap(describeClause),
  }
}

type Clause = {
  readonly id: string
  readonly paths: readonly MemberPath[]
  readonly when: OpenReads | undefined
  readonly require: OpenReads
  asked: number
  applied: number
}

function startClause(clause: CompiledClause): Clause {
  const { when, require } = requestReadsOf(clause)
  return {
    id: clause.id,
    paths: [...(when?.paths ?? []), ...require.paths],
    when: when && openReads(when),
    require: openReads(require),
    asked: 0,
    applied: 0,
  }
}

function describeClause({ id, when, require, asked, applied }: Clause): UntestedClause[] {
  if (asked === 0) return [{ clause: id, why: 'no_questions', what: [] }]
  const ofWhen = when?.left(id) ?? []
  if (applied > 0) return [...ofWhen, ...require.left(id)]
  return [{ clause: id, why: 'never_applies', what: [] }, ...ofWhen]
}

/** What of an expression no question has answered yet. */
type OpenReads = {
  readonly add: (variables: Variables) => void
  readonly left: (clause: string) => UntestedClause[]
}

function openReads(reads: RequestReads): OpenReads {
  let paths = reads.paths
  let comparisons = reads.comparisons
  return {
    add(variables) {
      if (paths.length > 0) paths = paths.filter((path) => !isThere(variables, path))
      if (comparisons.length > 0) comparisons = comparisons.filter((one) => !one.isMet(variables))
    },
    left(clause) {
      // What reads an absent member is met by nothing: the member says it all.
      if (paths.length > 0) {
        return [{ clause, why: 'never_said', what: listParts(paths.map((path) => path.join('.'))) }]
      }
      if (comparisons.length === 0) return []
      return [{ clause, why: 'never_met', what: listParts(comparisons.map(({ text }) => text)) }]
    },
  }
}

function listParts(parts: readonly string[]): readonly string[] {
  return parts.slice(0, LISTED_PARTS)
}

function isThere(variables: Variables, path: MemberPath): boolean {
  let value: unknown = variables
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false
    value = Reflect.get(value, name)
  }
  return value !== undefined
}

/** Whether one path leads to the other's end, or past it. */
function meet(one: MemberPath, other: MemberPath): boolean {
  const shorter = Math.min(one.length, other.length)
  return one.slice(0, shorter).every((name, at) => name === other[at])
}
