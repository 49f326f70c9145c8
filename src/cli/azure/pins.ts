import {
  parseReferenceValues,
  pinnedPolicies,
  type ReferenceValues,
  type ReferenceValuesDocument,
} from '../../appraisal/reference-values.ts'
import type { Store } from '../../store/store.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { type Release, release } from '../policy/gate.ts'

export type Pin = { readonly issuer: string; readonly hash: string }

/** The hashes that are pinned for a provider now. */
export async function readPins(
  store: Store,
  issuer: string,
  now: Date,
): Promise<readonly string[]> {
  return pinnedPolicies(await readReferenceValues(store), issuer, now)
}

/** Adds a pin beside those that there are; `unchanged` if it counts already. */
export async function addPin(
  store: Store,
  pin: Pin & { readonly name?: string | undefined },
  now: Date,
): Promise<'applied' | 'unchanged'> {
  const values = await readReferenceValues(store)
  const isPinned = pinnedPolicies(values, pin.issuer, now).some((hash) => hash === pin.hash)
  if (isPinned) return 'unchanged'
  const { issuer, hash, name } = pin
  const added = { issuer, hash, ...(name !== undefined && { name }) }
  const policies = [...(values.document.azure_policies ?? []), added]
  const document = { ...values.document, azure_policies: policies }
  const expected = values.hash
  return activate(store, {
    expected,
    document,
    reason: `pin Azure policy ${hash} of ${issuer}`,
    now,
  })
}

export type PinToRemove = Pin &
  Pick<Release, 'acceptedDenials' | 'requiresHardware' | 'json' | 'clock'>

export type PinRemoval = {
  readonly outcome: 'applied' | 'unchanged' | 'denials_not_accepted'
  /** Devices whose last evidence would be refused. */
  readonly newlyDenied: number
}

/**
 * Takes away every pin of this policy at this provider; the others stay. Where devices have
 * attested it goes through the gate that any other change does, and counts those that it would lose.
 */
export async function removePins(store: Store, removal: PinToRemove): Promise<PinRemoval> {
  const { issuer, hash, clock } = removal
  const { document, hash: expected } = await readReferenceValues(store)
  const { azure_policies: policies = [], ...others } = document
  const kept = policies.filter((policy) => policy.issuer !== issuer || policy.hash !== hash)
  if (kept.length === policies.length) return { outcome: 'unchanged', newlyDenied: 0 }
  const reason = `unpin Azure policy ${hash} of ${issuer}`
  // Without pins it is again the document that it was before the first one.
  const changed = kept.length === 0 ? others : { ...others, azure_policies: kept }
  if ((await store.attestedDevices({ most: 1 })) === 0) {
    const change = { expected, document: changed, reason, now: clock() }
    return { outcome: await activate(store, change), newlyDenied: 0 }
  }
  const { outcome, newlyDenied } = await release(store, {
    ...removal,
    kind: 'reference-values',
    checked: check(changed),
    reason,
    expected,
    maxAgeMs: PREVIEW_MAX_AGE_MS,
    way: { kind: 'at_once' },
  })
  if (outcome === 'unchanged' || outcome === 'denials_not_accepted') {
    return { outcome, newlyDenied }
  }
  return { outcome: 'applied', newlyDenied }
}

const PREVIEW_MAX_AGE_MS = 3_600_000

async function readReferenceValues(store: Store): Promise<ReferenceValues> {
  const active = await store.activeDocument('reference-values')
  if (active === null) {
    throw new Error('no reference values are in force yet: start the service once, then try again')
  }
  const values = parseReferenceValues(active.body)
  if (!values.ok) throw new Error(`the reference values in force: ${values.failure.reason}`)
  return values.value
}

async function activate(
  store: Store,
  change: {
    /** Hash of the document that was changed. */
    readonly expected: string
    readonly document: ReferenceValuesDocument
    readonly reason: string
    readonly now: Date
  },
): Promise<'applied' | 'unchanged'> {
  const { expected, reason, now } = change
  const { hash, document } = check(change.document)
  const kind = 'reference-values'
  const names = { author: COMMAND_LINE, reason, now }
  const answer = await store.activateDocument({ kind, hash, body: document, expected, ...names })
  if (answer !== 'superseded') return answer
  throw new Error('somebody else changed the reference values at the same time: try again')
}

function check(changed: ReferenceValuesDocument): ReferenceValues {
  const values = parseReferenceValues(changed)
  if (values.ok) return values.value
  const { failure } = values
  const problems = failure.reason === 'reference_values_invalid' ? failure.problems : []
  const details = problems.map(({ path, message }) => `${path} ${message}`).join('; ')
  throw new Error(`these reference values cannot be (${failure.reason}): ${details}`)
}
