import { ANY_POLICY } from './policies.ts'

/** A policy as it is valid after the certificates so far. */
type PolicyNode = {
  readonly policy: string
  /** What the next certificate may call it. */
  readonly expected: ReadonlySet<string>
  /** Policies of the level before under which this one is valid. */
  readonly parents: Set<string>
}

type Level = ReadonlyMap<string, PolicyNode>

/**
 * The policies for which a path is valid: RFC 5280's valid_policy_tree as the graph of RFC 9618 §5,
 * with one node a policy and certificate, so that mappings cannot make it grow exponentially.
 *
 * The root is the level before the first certificate.
 */
export class PolicyGraph {
  #levels: Level[] = [
    new Map([
      [ANY_POLICY, { policy: ANY_POLICY, expected: new Set([ANY_POLICY]), parents: new Set() }],
    ]),
  ]

  /** No policy is valid any more, nor will one be again. */
  get isEmpty(): boolean {
    return this.#last.size === 0
  }

  get #last(): Level {
    return this.#levels.at(-1) ?? new Map()
  }

  /**
   * Adds the level of a certificate. RFC 9618 §5.3 (d), (e): `policies` absent leave nothing valid;
   * `anyPolicyCounts` unless it is inhibited.
   */
  extend(policies: ReadonlySet<string> | undefined, anyPolicyCounts: boolean): void {
    const before = this.#last
    const level = new Map<string, PolicyNode>()
    const add = (policy: string, parent: string) => {
      const node = level.get(policy) ?? { policy, expected: new Set([policy]), parents: new Set() }
      node.parents.add(parent)
      level.set(policy, node)
    }
    const expecting = groupByExpected(before)
    for (const policy of policies ?? []) {
      if (policy === ANY_POLICY) continue
      const parents = expecting.get(policy) ?? (before.has(ANY_POLICY) ? [ANY_POLICY] : [])
      for (const parent of parents) add(policy, parent)
    }
    if (policies?.has(ANY_POLICY) && anyPolicyCounts) {
      for (const [policy, parents] of expecting) {
        if (level.has(policy)) continue
        for (const parent of parents) add(policy, parent)
      }
    }
    this.#levels.push(level)
  }

  /** Applies a certificate's mappings to its level; inhibited ones take policies away. §5.4 (b) */
  map(mappings: ReadonlyMap<string, ReadonlySet<string>>, isInhibited: boolean): void {
    const level = new Map(this.#last)
    const any = level.get(ANY_POLICY)
    for (const [policy, expected] of mappings) {
      const node = level.get(policy)
      if (isInhibited) level.delete(policy)
      else if (node !== undefined) level.set(policy, { ...node, expected })
      else if (any !== undefined) {
        level.set(policy, { policy, expected, parents: new Set([ANY_POLICY]) })
      }
    }
    this.#levels[this.#levels.length - 1] = level
  }

  /**
   * The policies of the last certificate in the words of the first: the valid ones that hang on an
   * anyPolicy, and anyPolicy itself where it came through. §5.5 (g)
   */
  get authorityConstrained(): ReadonlySet<string> {
    const policies = new Set<string>(this.#last.has(ANY_POLICY) ? [ANY_POLICY] : [])
    let reached: ReadonlySet<string> = new Set(this.#last.keys())
    for (const level of this.#levels.slice(1).reverse()) {
      const above = new Set<string>()
      for (const policy of reached) {
        const parents = level.get(policy)?.parents ?? new Set<string>()
        if (policy !== ANY_POLICY && parents.has(ANY_POLICY)) policies.add(policy)
        for (const parent of parents) if (parent !== ANY_POLICY) above.add(parent)
      }
      reached = above
    }
    return policies
  }
}

function groupByExpected(level: Level): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const { policy, expected } of level.values()) {
    for (const name of expected) {
      const group = groups.get(name)
      if (group === undefined) groups.set(name, [policy])
      else group.push(policy)
    }
  }
  return groups
}
