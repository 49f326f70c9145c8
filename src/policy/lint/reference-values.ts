import { MAX_REFERENCE_DOCUMENT_CHARS } from '../../appraisal/limits.ts'
import {
  type EnclaveReference,
  type PolicyPin,
  parseReferenceValues,
  type ReferenceValues,
  type ReferenceValuesFailure,
  referenceValuesSchema,
} from '../../appraisal/reference-values.ts'
import { type JsonNode, memberOf, plainValueOf } from '../../base/json/tree.ts'
import type { LocatedFinding } from './finding.ts'
import { type Linted, type LintSource, lookThrough } from './look-through.ts'
import { lintAnchors } from './reference-anchors.ts'
import {
  at,
  type Entry,
  findEndingSoon,
  findExpired,
  findGaps,
  findShadowed,
  isValid,
  locate,
} from './reference-entries.ts'
import { findSchemaProblems } from './schema-findings.ts'

/**
 * Gate one for reference values: all that is wrong with the JSON text, and what looks wrong at
 * `now`, in the order of the text. A document without an error can be brought into force.
 */
export function lintReferenceValues(
  source: LintSource,
  { now }: { readonly now: Date },
): Linted<ReferenceValues> {
  return lookThrough(source, (node) => {
    const parsed = parseReferenceValues(plainValueOf(node))
    if (parsed.ok) {
      return { findings: lintValues(parsed.value, node, now.getTime()), compiled: parsed.value }
    }
    return { findings: describeFailure(parsed.failure, node), compiled: undefined }
  })
}

function describeFailure(
  failure: ReferenceValuesFailure,
  node: JsonNode,
): readonly LocatedFinding[] {
  if (failure.reason === 'reference_values_over_limit') {
    const message = `has more than ${MAX_REFERENCE_DOCUMENT_CHARS} characters: delete old entries`
    return [{ severity: 'error', code: 'document_over_limit', offset: node.start, message }]
  }
  return findSchemaProblems(node, referenceValuesSchema).map(({ path, ...problem }) => {
    const member = path.map(String).join('.')
    return { severity: 'error', ...problem, ...(member !== '' && { member }) }
  })
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
      ...findGaps(group, now, UNLISTED),
      ...findShadowed(group, { now, covers: coversEnclave }),
      ...findEndingSoon(group, now, { effect: IMAGES_UNLISTED, follows: listsImagesOf }),
    ]),
    ...pins.flatMap((group) => [
      ...findExpired(group, now),
      ...findGaps(group, now, REFUSED),
      ...findShadowed(group, { now, covers: (one: PolicyPin, other) => one.hash === other.hash }),
      ...findNoPin(group, now),
      ...findEndingSoon(group, now, { effect: REFUSED }),
    ]),
    ...lintAnchors(values, node, now),
  ]
}

const UNLISTED = 'enclaves of this author are not listed'
const IMAGES_UNLISTED = 'no entry lists these enclaves of this author'
const REFUSED = 'tokens of this issuer are refused'

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

function coversEnclave(one: EnclaveReference, other: EnclaveReference): boolean {
  return (
    one.minimumSvn <= other.minimumSvn &&
    one.minimumPlatformSvn <= other.minimumPlatformSvn &&
    listsImagesOf(one, other)
  )
}

/** Whether devices that run what `other` lists are listed by `one` too, of whatever version it is. */
function listsImagesOf(one: EnclaveReference, other: EnclaveReference): boolean {
  const { familyId, imageIds } = one
  if (familyId !== undefined && familyId !== other.familyId) return false
  if (imageIds === undefined) return true
  return other.imageIds !== undefined && [...other.imageIds].every((id) => imageIds.has(id))
}

function findNoPin(group: readonly Entry<PolicyPin>[], now: number): readonly LocatedFinding[] {
  const [first] = group
  if (first === undefined || group.some((entry) => isValid(entry, now))) return []
  const message =
    'no pin of this issuer counts now, so that all of its tokens are refused: pin the policy that is in force there'
  const finding = at(first, undefined, { code: 'reference_values_pins_invalid', message })
  return [{ ...finding, severity: 'error' }]
}
