import { KNOWN_ANCHORS } from '../../appraisal/known-anchors.ts'
import type { ReferenceValues, TrustAnchor } from '../../appraisal/reference-values.ts'
import { toBase64 } from '../../base/encoding.ts'
import { type JsonNode, memberOf } from '../../base/json/tree.ts'
import { nameKey } from '../../evidence/x509/name.ts'
import { AIK_CERTIFICATE_USAGE, findUnfitAnchor } from '../../evidence/x509/path.ts'
import type { LintCode, LocatedFinding } from './finding.ts'
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

type Group = readonly Entry<TrustAnchor>[]

const REFUSED = 'attestation keys under this root are refused'

/** What is wrong, or looks wrong, with the root certificates of reference values. */
export function lintAnchors(
  { anchors }: ReferenceValues,
  node: JsonNode,
  now: number,
): readonly LocatedFinding[] {
  const groups = locateRoots(anchors, memberOf(node, 'trust_anchors')?.node)
  const entries = groups.flat()
  const counting = groups.map((group) => group.filter(everCounts))
  return [
    ...findNoAnchor(entries, now),
    ...entries.flatMap((entry) => [...findUnusable(entry), ...findCut(entry, now)]),
    ...counting.flatMap((group) => [
      ...findExpired(group.filter(endsByItself), now),
      ...findGaps(group, now, REFUSED),
      ...findShadowed(group, { now, covers: () => true }),
    ]),
    ...joinRenewals(counting).flatMap((group) =>
      findEndingSoon(group, now, { effect: REFUSED, endOf }),
    ),
  ]
}

/**
 * The entries of each root, in the order of the document. In a checked document each certificate has
 * one text, and a known root one name.
 */
function locateRoots(
  anchors: ReferenceValues['anchors'],
  list: JsonNode | undefined,
): readonly Group[] {
  const byText = new Map<string, readonly TrustAnchor[]>()
  const byName = new Map<string, readonly TrustAnchor[]>()
  for (const entries of anchors.values()) {
    const listed = entries.filter(({ certificate }) => certificate !== undefined)
    const known = entries.filter(({ certificate }) => certificate === undefined)
    byText.set(toBase64(listed[0]?.certificate?.der ?? new Uint8Array()), listed)
    const name = KNOWN_ANCHORS.find((one) => one.fingerprint === known[0]?.fingerprint)?.name
    if (name !== undefined) byName.set(name, known)
  }
  const all = [
    ...locate(byText, list, { list: 'trust_anchors', owner: 'certificate' }),
    ...locate(byName, list, { list: 'trust_anchors', owner: 'known' }),
  ].flat()
  return [...anchors.keys()].map((fingerprint) =>
    all
      .filter(({ value }) => value.fingerprint === fingerprint)
      .sort((a, b) => a.node.start - b.node.start),
  )
}

/** A renewed root has the name and the key of the one before it, and vouches for the same keys. */
function joinRenewals(groups: readonly Group[]): readonly Group[] {
  const joined = new Map<string, Entry<TrustAnchor>[]>()
  for (const group of groups) {
    const certificate = group.find(({ value }) => value.certificate)?.value.certificate
    for (const entry of group) {
      const key =
        certificate === undefined
          ? entry.value.fingerprint
          : `${nameKey(certificate.subject)} ${toBase64(certificate.spki)}`
      joined.set(key, [...(joined.get(key) ?? []), entry])
    }
  }
  return [...joined.values()]
}

/** The member that says which root an entry is about. */
function rootMember({ value }: Entry<TrustAnchor>): 'certificate' | 'known' {
  return value.certificate === undefined ? 'known' : 'certificate'
}

function everCounts({ value }: Entry<TrustAnchor>): boolean {
  return value.validFrom < value.validUntil
}

/** When the entry itself says that it ends; undefined if it does not. */
function writtenEndOf({ node }: Entry<TrustAnchor>): number | undefined {
  const end = memberOf(node, 'valid_until')?.node
  return end?.kind === 'string' ? Date.parse(end.value) : undefined
}

function endsByItself(entry: Entry<TrustAnchor>): boolean {
  return writtenEndOf(entry) === entry.value.validUntil
}

function endOf(entry: Entry<TrustAnchor>): string {
  return endsByItself(entry) ? 'valid_until' : rootMember(entry)
}

/** From a document with anchors on, nothing else vouches for a key. */
function findNoAnchor(entries: Group, now: number): readonly LocatedFinding[] {
  const [first] = entries
  if (first === undefined || entries.some((entry) => isValid(entry, now))) return []
  const message =
    'no trust anchor counts now, so that no attestation key is believed: list the root that vouches for them'
  return [
    { ...warn(first, undefined, 'reference_values_anchors_invalid', message), severity: 'error' },
  ]
}

function findUnusable(entry: Entry<TrustAnchor>): readonly LocatedFinding[] {
  const { certificate } = entry.value
  const unfit = certificate && findUnfitAnchor(certificate, AIK_CERTIFICATE_USAGE)
  if (unfit === undefined) return []
  const message = `no attestation key can be certified under this one, ${unfit.reason} (${unfit.detail}): take the root of the authority`
  return [
    {
      ...warn(entry, 'certificate', 'reference_values_anchor_unusable', message),
      severity: 'error',
    },
  ]
}

/** Where the certificate, and not the entry, decides about the time. */
function findCut(entry: Entry<TrustAnchor>, now: number): readonly LocatedFinding[] {
  const { notBefore, notAfter } = entry.value
  const span = `${notBefore.toISOString()} to ${notAfter.toISOString()}`
  if (!everCounts(entry)) {
    const message = `never counts, as the certificate is valid from ${span}: move the time of the entry, or delete it`
    return [warn(entry, undefined, 'reference_values_anchor_cut', message)]
  }
  if (endsByItself(entry)) return []
  if (entry.value.validUntil <= now) {
    const message = `the certificate was valid from ${span} and counts no more: delete the entry, and list its successor`
    return [warn(entry, rootMember(entry), 'reference_values_expired', message)]
  }
  if (writtenEndOf(entry) === undefined) return []
  const message = `is after the end of the certificate, which is valid from ${span}: what is to count longer is its successor`
  return [warn(entry, 'valid_until', 'reference_values_anchor_cut', message)]
}

function warn(
  entry: Entry<TrustAnchor>,
  member: string | undefined,
  code: LintCode,
  message: string,
): LocatedFinding {
  return at(entry, member, { code, message })
}
