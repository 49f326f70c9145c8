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

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** What ends in the days to come, with nothing that follows: nobody changes anything, and it breaks. */
export function findEndingSoon<T>(
  group: readonly Entry<T>[],
  now: number,
  options: {
    readonly effect: string
    /** The member that says when an entry ends. */
    readonly endOf?: (entry: Entry<T>) => string
    /**
     * Whether one entry takes over what another one lists, if it ends later: a gap between the two is
     * told as one. Without it the last one of the group follows all others.
     */
    readonly follows?: (one: T, other: T) => boolean
  },
): readonly LocatedFinding[] {
  const { effect, endOf = () => 'valid_until', follows } = options
  return group.flatMap((entry, index) => {
    const { validUntil: end } = entry.value
    const left = end - now
    if (left <= 0 || left > ENDS_SOON_DAYS * DAY_MS) return []
    const isFollowed = group.some(({ value }, place) => {
      const isLater = value.validUntil > end || (value.validUntil === end && place < index)
      return isLater && (follows === undefined || follows(value, entry.value))
    })
    if (isFollowed) return []
    const when = `within ${describeTime(left)}, at ${new Date(end).toISOString()}`
    const message = `ends ${when}, and nothing follows; from then on ${effect}: let an entry follow, unless that is meant`
    return [at(entry, endOf(entry), { code: 'reference_values_ends_soon', message })]
  })
}

/** In hours where it is less than two days. */
function describeTime(ms: number): string {
  const [unit, size] = ms < 2 * DAY_MS ? (['hour', HOUR_MS] as const) : (['day', DAY_MS] as const)
  const number = Math.ceil(ms / size)
  return `${number} ${unit}${number === 1 ? '' : 's'}`
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
