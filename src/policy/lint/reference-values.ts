import { MAX_REFERENCE_DOCUMENT_CHARS } from '../../appraisal/limits.ts'
import {
  type EnclaveReference,
  type PolicyPin,
  parseReferenceValues,
  type ReferenceValues,
  referenceValuesSchema,
} from '../../appraisal/reference-values.ts'
import { checkDocument } from './check-document.ts'
import type { LintCode, LintFinding, LocatedFinding } from './finding.ts'
import { type JsonNode, memberOf, plainValueOf } from './json-text.ts'
import { findSchemaProblems } from './schema-findings.ts'

/**
 * Gate one for reference values: all that is wrong with the JSON text, and what looks wrong at
 * `now`, in the order of the text. A document without an error can be brought into force.
 */
export function lintReferenceValues(
  text: string,
  { now }: { readonly now: Date },
): readonly LintFinding[] {
  return checkDocument(text, (node) => {
    const parsed = parseReferenceValues(plainValueOf(node))
    if (parsed.ok) return lintValues(parsed.value, node, now.getTime())
    if (parsed.failure.reason === 'reference_values_over_limit') {
      const message = `has more than ${MAX_REFERENCE_DOCUMENT_CHARS} characters: delete old entries`
      return [{ severity: 'error', code: 'document_over_limit', offset: node.start, message }]
    }
    return findSchemaProblems(node, referenceValuesSchema).map(({ path, ...problem }) => {
      const member = path.map(String).join('.')
      return { severity: 'error', ...problem, ...(member !== '' && { member }) }
    })
  })
}

/** An entry of either list, with where it stands. */
type Entry<T> = {
  readonly value: T & { readonly validFrom: number; readonly validUntil: number }
  readonly node: JsonNode
  /** `enclaves.0` */
  readonly path: string
}

function lintValues(
  values: ReferenceValues,
  node: JsonNode,
  now: number,
): readonly LocatedFinding[] {
  const enclaves = locate(values.enclavesByAuthor, memberOf(node, 'enclaves')?.node, {
    list: 'enclaves',
    owner: 'author_id',
  })
  const pins = locate(values.pinsByIssuer, memberOf(node, 'azure_policies')?.node, {
    list: 'azure_policies',
    owner: 'issuer',
  })
  return [
    ...findNothingTrusted(enclaves, { node, now }),
    ...enclaves.flatMap((group) => [
      ...findExpired(group, now),
      ...findGaps(group, now, 'enclaves of this author are not listed'),
      ...findShadowed(group, { now, covers: coversEnclave }),
    ]),
    ...pins.flatMap((group) => [
      ...findExpired(group, now),
      ...findGaps(group, now, 'tokens of this issuer are refused'),
      ...findShadowed(group, { now, covers: (one: PolicyPin, other) => one.hash === other.hash }),
      ...findNoPin(group, now),
    ]),
  ]
}

/** The entries of each author or issuer, in the order of the document. */
function locate<T extends PolicyPin | EnclaveReference>(
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

function isValid({ value }: Entry<unknown>, now: number): boolean {
  return value.validFrom <= now && now < value.validUntil
}

function findNothingTrusted(
  groups: readonly (readonly Entry<EnclaveReference>[])[],
  { node, now }: { readonly node: JsonNode; readonly now: number },
): readonly LocatedFinding[] {
  if (groups.some((group) => group.some((entry) => isValid(entry, now)))) return []
  const what = groups.length === 0 ? 'names no enclave' : 'names no enclave that counts now'
  const message = `${what}, so that no device has a trusted one: list the enclaves of your agents`
  const offset = memberOf(node, 'enclaves')?.node.start ?? node.start
  return [
    { severity: 'warning', code: 'reference_values_empty', member: 'enclaves', offset, message },
  ]
}

function findExpired<T>(group: readonly Entry<T>[], now: number): readonly LocatedFinding[] {
  return group
    .filter(({ value }) => value.validUntil <= now)
    .map((entry) => {
      const message = 'has ended and counts no more: delete the entry, or move its end'
      return at(entry, 'valid_until', { code: 'reference_values_expired', message })
    })
}

/** A time to come in which nothing of an author or issuer counts, between times in which it does. */
function findGaps<T>(
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
function findShadowed<T>(
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

function coversEnclave(one: EnclaveReference, other: EnclaveReference): boolean {
  const { imageIds } = one
  return (
    (one.familyId === undefined || one.familyId === other.familyId) &&
    one.minimumSvn <= other.minimumSvn &&
    one.minimumPlatformSvn <= other.minimumPlatformSvn &&
    (imageIds === undefined ||
      (other.imageIds !== undefined && [...other.imageIds].every((id) => imageIds.has(id))))
  )
}

function findNoPin(group: readonly Entry<PolicyPin>[], now: number): readonly LocatedFinding[] {
  const [first] = group
  if (first === undefined || group.some((entry) => isValid(entry, now))) return []
  const message =
    'no pin of this issuer counts now, so that all of its tokens are refused: pin the policy that is in force there'
  const finding = at(first, undefined, { code: 'reference_values_pins_invalid', message })
  return [{ ...finding, severity: 'error' }]
}

function at(
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
