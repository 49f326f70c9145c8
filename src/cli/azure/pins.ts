import {
  parseReferenceValues,
  pinnedPolicies,
  type ReferenceValues,
} from '../../appraisal/reference-values.ts'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import { lintDocument, withoutErrors } from '../../operations/release/check-document.ts'
import { formatDocument } from '../../operations/release/format-document.ts'
import type { Store } from '../../store/store.ts'
import { describeFailure } from '../policy/describe-failure.ts'
import { type Release, type Released, releaseByCommand } from '../policy/gate.ts'

export type Pin = { readonly issuer: string; readonly hash: string }

/** How a change of pins is released. */
export type PinOptions = Pick<Release, 'requiresHardware' | 'json' | 'clock'>

/** The hashes that are pinned for a provider now. */
export async function readPins(
  store: Store,
  issuer: string,
  now: Date,
): Promise<readonly string[]> {
  return pinnedPolicies(await readReferenceValues(store), issuer, now)
}

/**
 * Adds a pin beside those that there are, at once for every device: a policy is published only when
 * it is pinned. `unchanged` if it counts already.
 */
export async function addPin(
  store: Store,
  pin: Pin & { readonly name?: string | undefined },
  options: PinOptions,
): Promise<'applied' | 'unchanged'> {
  const values = await readReferenceValues(store)
  const { issuer, hash, name } = pin
  const pinned = pinnedPolicies(values, issuer, options.clock())
  if (pinned.some((one) => one === hash)) return 'unchanged'
  const added = { issuer, hash, ...(name !== undefined && { name }) }
  const policies = [...(values.document.azure_policies ?? []), added]
  const { outcome, newlyDenied } = await releaseValues(store, values, {
    ...options,
    document: { ...values.document, azure_policies: policies },
    reason: `pin Azure policy ${hash} of ${issuer}`,
    acceptedDenials: 0,
    showsPreview: false,
  })
  if (outcome === 'denials_not_accepted') {
    throw new Error(
      `${plural(newlyDenied, 'device')} would be denied by it: ${COMMAND} policy plan says why`,
    )
  }
  return outcome === 'unchanged' ? 'unchanged' : 'applied'
}

export type PinRemoval = {
  readonly outcome: 'applied' | 'unchanged' | 'denials_not_accepted'
  /** Devices whose last evidence would be refused. */
  readonly newlyDenied: number
}

/**
 * Takes away every pin of this policy at this provider; the others stay. It is released as any other
 * change is, and counts the devices that it would lose.
 */
export async function removePins(
  store: Store,
  removal: Pin & PinOptions & Pick<Release, 'acceptedDenials'>,
): Promise<PinRemoval> {
  const { issuer, hash } = removal
  const values = await readReferenceValues(store)
  const { azure_policies: policies = [], ...others } = values.document
  const kept = policies.filter((policy) => policy.issuer !== issuer || policy.hash !== hash)
  if (kept.length === policies.length) return { outcome: 'unchanged', newlyDenied: 0 }
  const { outcome, newlyDenied } = await releaseValues(store, values, {
    ...removal,
    // Without pins it is again the document that it was before the first one.
    document: kept.length === 0 ? others : { ...others, azure_policies: kept },
    reason: `unpin Azure policy ${hash} of ${issuer}`,
    showsPreview: true,
  })
  if (outcome === 'unchanged' || outcome === 'denials_not_accepted') {
    return { outcome, newlyDenied }
  }
  return { outcome: 'applied', newlyDenied }
}

const PREVIEW_MAX_AGE_MS = 3_600_000

/** Releases reference values at once, in the place of those that they were made from. */
async function releaseValues(
  store: Store,
  values: ReferenceValues,
  change: PinOptions &
    Pick<Release, 'reason' | 'acceptedDenials' | 'showsPreview'> & { readonly document: object },
): Promise<Released> {
  const { requiresHardware, json, clock, reason, acceptedDenials, showsPreview } = change
  const kind = 'reference-values'
  const document = lintDocument(kind, formatDocument(kind, change.document), clock())
  const checked = withoutErrors(document)
  if (!checked.ok) throw new Error(describeFailure(checked.failure))
  const released = await releaseByCommand(store, {
    ...{ document, reason, acceptedDenials, requiresHardware, json, clock, showsPreview },
    expected: values.hash,
    maxAgeMs: PREVIEW_MAX_AGE_MS,
    way: { kind: 'at_once' },
  })
  if (released.outcome !== 'document_halted') return released
  throw new Error(describeFailure({ reason: released.outcome, rollout: released.halted }))
}

async function readReferenceValues(store: Store): Promise<ReferenceValues> {
  const active = await store.activeDocument('reference-values')
  if (active === null) {
    throw new Error('no reference values are in force yet: start the service once, then try again')
  }
  const values = parseReferenceValues(active.body)
  if (!values.ok) throw new Error(`the reference values in force: ${values.failure.reason}`)
  return values.value
}
