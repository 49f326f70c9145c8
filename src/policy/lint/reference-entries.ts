import type { Validity } from '../../appraisal/reference-values.ts'
import { type JsonNode, memberOf } from '../../base/json/tree.ts'
import { ENDS_SOON_DAYS } from '../limits.ts'
import type { LintCode, LocatedFinding } from './finding.ts'

/** An entry of any of the lists, with where it stands. */
export type Entry<T> = {
  readonly value: T & Validity
  readonly node: JsonNode
  /** `enclaves.0` */
  readonly path: string
}

/** The entries of each author, issuer or certificate, in the order of the document. */
export function locate<T extends Validity>(
  groups: ReadonlyMap<string, readonly T[]>,
  list: JsonNode | undefined,
  names: { readonly list: string; readonly owner: string },
): readonly (readonly Entry<T>[])[] {
  const nodes = new Map<string, Omit<Entry<T>, 'value'>[]>()
  for (const [index, node] of (list?.kind === 'array' ? list.items : []).entries()) {
    const owner = memberOf(node, names.owner)?.node
    if (owner?.kind !== 'string') continue
    const places = nodes.get(owner.value) ?? []
    nodes.set(owner.value, [...places, { node, path: `${names.list}.${index}` }])
  }
  return [...groups].map(([owner, values]) => {
    return values.flatMap((value, at) => {
      const place = nodes.get(owner)?.[at]
      return place === undefined ? [] : [{ ...place, value }]
    })
  })
}

export function isValid({ value }: Entry<unknown>, now: number): boolean {
  return value.validFrom <= now && now < value.validUntil
}

export function findExpired<T>(group: readonly Entry<T>[], now: number): readonly LocatedFinding[] {
  return group
    .filter(({ value }) => value.validUntil <= now)
    .map((entry) => {
      const message = 'has ended and counts no more: delete the entry, or move its end'
      return at(entry, 'valid_until', { code: 'reference_values_expired', message })
    })
}

/** A time to come in which nothing of an author, issuer or certificate counts, between times in which it does. */
export function findGaps<T>(
  group: readonly Entry<T>[],
  now: number,
  effect: string,
): readonly LocatedFinding[] {
  const [first, ...others] = group.toSorted((a, b) => a.value.validFrom - b.value.validFrom)
  let end = first?.value.validUntil ?? 0
  const found: LocatedFinding[] = []
  for (const entry of others) {
    const { validFrom, validUntil } = entry.value
    if (validFrom > end && validFrom > now) {
      const message = `until this begins, and since ${new Date(end).toISOString()}, ${effect}: let the entries overlap`
      found.push(at(entry, 'valid_from', { code: 'reference_values_gap', message }))
    }
    end = Math.max(end, validUntil)
  }
  return found
}

/** An entry that adds nothing to another one: what it was meant to tighten stays as loose. */
export function findShadowed<T>(
  group: readonly Entry<T>[],
  options: { readonly now: number; readonly covers: (one: T, other: T) => boolean },
): readonly LocatedFinding[] {
  const { now, covers } = options
  const live = group.filter(({ value }) => value.validUntil > now)
  const isCovered = (one: Entry<T>, other: Entry<T>) =>
    one.value.validFrom <= Math.max(other.value.validFrom, now) &&
    one.value.validUntil >= other.value.validUntil &&
    covers(one.value, other.value)
  return live.flatMap((entry, index) => {
    const cover = live.find((other, place) => {
      if (place === index || !isCovered(other, entry)) return false
      return place < index || !isCovered(entry, other)
    })
    if (cover === undefined) return []
    const message = `has no effect, as ${cover.path} lists all of this for as long, and asks for no more: end that one by valid_until, or delete this`
    return [at(entry, undefined, { code: 'reference_values_shadowed', message })]
  })
}

const DAY_MS = 86_400_000

/** What ends in the days to come, with nothing that follows: nobody changes anything, and it breaks. */
export function findEndingSoon<T>(
  group: readonly Entry<T>[],
  now: number,
  options: {
    readonly effect: string
    /** The member that says when an entry ends. */
    readonly endOf?: (entry: Entry<T>) => string
  },
): readonly LocatedFinding[] {
  const { effect, endOf = () => 'valid_until' } = options
  const [first, ...others] = group
  if (first === undefined) return []
  const last = others.reduce(
    (one, other) => (other.value.validUntil > one.value.validUntil ? other : one),
    first,
  )
  const left = last.value.validUntil - now
  if (left <= 0 || left > ENDS_SOON_DAYS * DAY_MS) return []
  const end = new Date(last.value.validUntil).toISOString()
  const message = `ends within ${Math.ceil(left / DAY_MS)} days, at ${end}, and nothing follows; from then on ${effect}: let an entry follow, unless that is meant`
  return [at(last, endOf(last), { code: 'reference_values_ends_soon', message })]
}

/** A warning about an entry, or about one of its members if it has that. */
export function at(
  { node, path }: Entry<unknown>,
  name: string | undefined,
  what: { readonly code: LintCode; readonly message: string },
): LocatedFinding {
  const offset = (name === undefined ? node : memberOf(node, name)?.node)?.start ?? node.start
  return {
    severity: 'warning',
    ...what,
    member: name === undefined ? path : `${path}.${name}`,
    offset,
  }
}
