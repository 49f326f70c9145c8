import { readLosses } from '../../access/preview/summary.ts'
import type { DocumentKind } from '../../store/schema.ts'
import type { Store } from '../../store/store.ts'
import { COMMAND_LINE } from '../open-database.ts'
import { listenForStop } from '../signals.ts'
import { bodyOf, type CheckedDocument } from './document-kinds.ts'
import { type HashesInForce, readHashesInForce } from './in-force.ts'
import { runPreview } from './preview.ts'

const SUPERSEDED =
  'somebody else brought another document into force meanwhile, so that the preview counts no more: try again'

/** Clocks of two machines may differ so much that a preview seems to be of the future. */
const CLOCK_SKEW_MS = 60_000

/** What has to be known of a preview before a document comes into force. */
export type PreviewOnRecord = {
  readonly at: Date
  /** Devices that would lose the access that they have, at once or with their next attestation. */
  readonly newlyDenied: number
}

/**
 * The preview on record of exactly this document against exactly what is in force, if there is one
 * that is young enough.
 */
export async function findPreview(
  store: Store,
  input: {
    readonly kind: DocumentKind
    readonly hash: string
    readonly inForce: HashesInForce
    readonly maxAgeMs: number
    readonly now: Date
  },
): Promise<PreviewOnRecord | undefined> {
  const { kind, hash, inForce, maxAgeMs, now } = input
  const preview = await store.preview(kind, hash)
  if (preview === null) return undefined
  const isOfThis =
    preview.policyHash === inForce.policyHash &&
    preview.referenceValuesHash === inForce.referenceValuesHash
  const ageMs = now.getTime() - preview.at.getTime()
  if (!isOfThis || ageMs > maxAgeMs || ageMs < -CLOCK_SKEW_MS) return undefined
  // What another version has recorded, in words that this one does not know, counts for nothing.
  const newlyDenied = readLosses(preview.summary)
  return newlyDenied === undefined ? undefined : { at: preview.at, newlyDenied }
}

export type Release = {
  readonly kind: DocumentKind
  readonly checked: CheckedDocument
  readonly reason: string
  /** How many devices may lose their access; a number that somebody has read in a preview. */
  readonly acceptedDenials: number
  readonly maxAgeMs: number
  readonly json: boolean
  readonly clock: () => Date
}

export type Released = {
  readonly outcome: 'activated' | 'unchanged' | 'denials_not_accepted'
  readonly newlyDenied: number
}

/**
 * Gate two and what is behind it: brings a document that lint has passed into force if a preview is
 * on record, or is made now, and nobody loses access but as many as were accepted.
 */
export async function release(store: Store, input: Release): Promise<Released> {
  const { kind, checked, reason, clock } = input
  const { hash } = checked
  const inForce = await readHashesInForce(store)
  if (hashOf(kind, inForce) === hash) return { outcome: 'unchanged', newlyDenied: 0 }
  const newlyDenied = await demandPreview(store, { ...input, inForce })
  if (newlyDenied > input.acceptedDenials) return { outcome: 'denials_not_accepted', newlyDenied }

  const now = await readHashesInForce(store)
  if (
    now.policyHash !== inForce.policyHash ||
    now.referenceValuesHash !== inForce.referenceValuesHash
  ) {
    throw new Error(SUPERSEDED)
  }
  const names = { author: COMMAND_LINE, reason, now: clock() }
  const expected = hashOf(kind, inForce)
  const answer = await store.activateDocument({
    kind,
    hash,
    body: bodyOf(checked),
    expected,
    ...names,
  })
  if (answer === 'superseded') throw new Error(SUPERSEDED)
  return { outcome: 'activated', newlyDenied }
}

async function demandPreview(
  store: Store,
  input: Release & { readonly inForce: HashesInForce },
): Promise<number> {
  const { kind, checked, inForce, maxAgeMs, json, clock } = input
  const query = { kind, hash: checked.hash, inForce, maxAgeMs, now: clock() }
  const recorded = await findPreview(store, query)
  if (recorded !== undefined) return recorded.newlyDenied
  const { newlyDenied } = await runPreview({
    store,
    kind,
    body: checked.document,
    by: COMMAND_LINE,
    json,
    signal: listenForStop(),
  })
  // What is on record is what the next call of this command would go by.
  const made = await findPreview(store, { ...query, maxAgeMs: Infinity, now: clock() })
  return made?.newlyDenied ?? newlyDenied
}

export function hashOf(kind: DocumentKind, inForce: HashesInForce): string {
  return kind === 'policy' ? inForce.policyHash : inForce.referenceValuesHash
}

/** What to do about a refusal for the sake of the devices that would be denied. */
export function describeRefusal(newlyDenied: number, previewArguments: string): string {
  const devices =
    newlyDenied === 1
      ? '1 device would be denied that is allowed now'
      : `${newlyDenied} devices would be denied that are allowed now`
  return `Not in force: ${devices}. See which, and why:
  countersign policy preview ${previewArguments}
If that is what you want, say the number: --accept-denials ${newlyDenied}
`
}
