import type { Documents } from '../../access/assess.ts'
import type { EntityKind } from '../../access/directory.ts'
import type { Reliefs } from '../../access/relief.ts'
import {
  demandHardware,
  parseReferenceValues,
  type ReferenceValues,
  type ReferenceValuesOptions,
} from '../../appraisal/reference-values.ts'
import { forgetOldest } from '../../base/forget-oldest.ts'
import { type CompiledPolicy, compilePolicy } from '../../policy/document/compile.ts'
import {
  allowedUntil,
  type Control,
  dependsOnLabels,
  type SteeredDevice,
  trialsOf,
  versionFor,
  versionsInForce,
} from '../../rollout/in-force.ts'
import type { Rollout } from '../../rollout/rollout.ts'
import type { ActiveHashes, InForceRevision } from '../../store/devices/trust-records.ts'
import type { Store } from '../../store/store.ts'
import type { CheckedDocument } from './check-document.ts'

/**
 * What decides, for whom. Documents are compiled once and kept by hash, and what steers between them
 * is kept by its revision. A decision reads the revision with the trust record, in the same
 * statement, so a change is effective with the next request and costs reads only for the first one.
 */
export type RulesReader = {
  readonly at: (revision: InForceRevision) => RulesInForce | Promise<RulesInForce>
  /**
   * What of the entity directory any policy may read, as far as is known here without a read. Whoever goes
   * by it looks at `RulesInForce.directoryKinds` once that is read: a change may have come between.
   */
  readonly directoryKinds: () => ReadonlySet<EntityKind>
  /** For a caller that has read no record yet. May be older than the last change by `maxAgeMs`. */
  readonly recent: () => Promise<RulesInForce>
  /** What would decide for whom if this steered: for whoever counts what a change would do. */
  readonly supposing: (control: Control) => Promise<RulesInForce>
  readonly ofHashes: (hashes: ActiveHashes) => Documents | Promise<Documents>
  /**
   * Keeps a document that this process has just put into force, so that it need not be read and compiled
   * again. What is `recent` is read anew: whoever was told that it is in force may count on it here.
   */
  readonly keep: (document: CheckedDocument) => void
}

/** One revision of what steers, with every document that it names at hand. */
export type RulesInForce = {
  readonly control: Control
  /** Documents on trial or pinned that are lost or do not compile: what names them is passed over. */
  readonly unusable: readonly string[]
  /** What is active, and decides for whoever is in no rollout and has no pin. */
  readonly active: Documents
  /** What decides for a device; without one, what is active. */
  readonly rulesFor: (device: SteeredDevice | null, now: Date) => DeviceRules
  /** Any of the documents that are in force for somebody or on trial. */
  readonly rulesOf: (policyHash: string, referenceValuesHash: string) => Documents
  /** All of them of the second kind: evidence is let in if any of them believes it. */
  readonly referenceValues: readonly ReferenceValues[]
  /** Whether a device has to be read before it can be said what decides for it. */
  readonly dependsOnLabels: boolean
  /** What of the entity directory any of the policies may read, whoever they decide for. */
  readonly directoryKinds: ReadonlySet<EntityKind>
}

export type DeviceRules = {
  readonly rules: Documents
  readonly reliefs: Reliefs
  /** Open rollouts that the device takes part in, whichever document decides in them. */
  readonly trials: readonly Rollout[]
}

/** Documents change rarely; the previous ones are kept for requests that are under way. */
const KEPT = 8
const MAX_AGE_MS = 1000

export function createRulesReader(
  store: Pick<Store, 'document' | 'inForce' | 'control'>,
  options: ReferenceValuesOptions & {
    readonly clock: () => Date
    readonly outageGraceMs?: number
  },
): RulesReader {
  const { clock, outageGraceMs = 0 } = options
  const documents = createDocuments(store, options)
  let latest: { readonly rulesInForce: RulesInForce; readonly at: number } | undefined

  const load = async () => {
    const control = await store.control(clock())
    const rulesInForce = await steerBy(control, { documents, outageGraceMs })
    latest = { rulesInForce, at: clock().getTime() }
    return rulesInForce
  }
  const at = ({ controlRevision }: InForceRevision) => {
    if (latest?.rulesInForce.control.revision === controlRevision) return latest.rulesInForce
    // Each request loads for itself: on Workers none may wait for what another one began.
    return load()
  }

  return {
    at,
    directoryKinds: () => latest?.rulesInForce.directoryKinds ?? NO_KINDS,
    supposing: (control) => steerBy(control, { documents, outageGraceMs }),
    ofHashes: documents.rulesOf,
    keep(document) {
      documents.keep(document)
      if (latest !== undefined) latest = { ...latest, at: Number.NEGATIVE_INFINITY }
    },
    async recent() {
      const now = clock().getTime()
      if (latest !== undefined && Math.abs(now - latest.at) < MAX_AGE_MS) return latest.rulesInForce
      const rulesInForce = await at(await store.inForce())
      latest = { rulesInForce, at: now }
      return rulesInForce
    },
  }
}

const NO_KINDS: ReadonlySet<EntityKind> = new Set()

type CompiledDocuments = ReturnType<typeof createDocuments>

async function steerBy(
  stored: Control,
  { documents, outageGraceMs }: { documents: CompiledDocuments; outageGraceMs: number },
): Promise<RulesInForce> {
  const policies = await documents.policies(versionsInForce(stored, 'policy'))
  const values = await documents.referenceValues(versionsInForce(stored, 'reference-values'))
  const { control, unusable } = withoutUnusable(stored, [...policies.keys(), ...values.keys()])
  const rulesOf = (policyHash: string, referenceValuesHash: string): Documents => {
    const policy = policies.get(policyHash)
    const referenceValues = values.get(referenceValuesHash)
    if (policy === undefined || referenceValues === undefined) throw new Error(NOTHING_USABLE)
    return { policy, referenceValues }
  }
  const ordinary = rulesForDevice({
    control,
    device: null,
    now: new Date(0),
    rulesOf,
    outageGraceMs,
  })
  const isPlain = control.rollouts.length === 0 && control.overrides.length === 0
  return {
    control,
    unusable,
    active: ordinary.rules,
    rulesFor: (device, now) =>
      isPlain || device === null
        ? ordinary
        : rulesForDevice({ control, device, now, rulesOf, outageGraceMs }),
    rulesOf,
    referenceValues: [...values.values()],
    dependsOnLabels: dependsOnLabels(control),
    directoryKinds: new Set([...policies.values()].flatMap((one) => [...one.directoryRoots])),
  }
}

/** One document that cannot be used must not take the decisions on all other devices with it. */
function withoutUnusable(
  control: Control,
  usable: readonly string[],
): { readonly control: Control; readonly unusable: readonly string[] } {
  const has = (hash: string) => usable.includes(hash)
  const named = [
    ...control.rollouts.flatMap(({ from, to }) => [from, to]),
    ...control.overrides.flatMap((one) => (one.action === 'pin' ? [one.hash] : [])),
  ]
  const unusable = [...new Set(named)].filter((hash) => !has(hash))
  if (unusable.length === 0) return { control, unusable }
  return {
    unusable,
    control: {
      ...control,
      rollouts: control.rollouts.filter(({ from, to }) => has(from) && has(to)),
      overrides: control.overrides.filter((one) => one.action !== 'pin' || has(one.hash)),
    },
  }
}

const NOTHING_USABLE = 'an active document is missing or does not compile'
const NOTHING_ACTIVE = 'no policy or no reference values are active'

function rulesForDevice(input: {
  readonly control: Control
  readonly device: SteeredDevice | null
  readonly now: Date
  readonly rulesOf: RulesInForce['rulesOf']
  readonly outageGraceMs: number
}): DeviceRules {
  const { control, device, now, rulesOf, outageGraceMs } = input
  const policy = versionFor(control, 'policy', device, now)
  const referenceValues = versionFor(control, 'reference-values', device, now)
  if (policy === undefined || referenceValues === undefined) throw new Error(NOTHING_ACTIVE)
  return {
    rules: rulesOf(policy.hash, referenceValues.hash),
    reliefs: {
      policySince: policy.since,
      referenceValuesSince: referenceValues.since,
      holds: control.holds,
      allowedUntil: device === null ? null : allowedUntil(control, device, now),
      outageGraceMs,
    },
    trials: device === null ? [] : trialsOf(control, device),
  }
}

function createDocuments(store: Pick<Store, 'document'>, options: ReferenceValuesOptions) {
  const parse = (body: unknown) => parseReferenceValues(body, options)
  const policies = createKept('policy', compilePolicy, store)
  const values = createKept('reference-values', parse, store)
  const load = async (policyHash: string, referenceValuesHash: string): Promise<Documents> => {
    const [policy, referenceValues] = await Promise.all([
      policies.load(policyHash),
      values.load(referenceValuesHash),
    ])
    return { policy, referenceValues }
  }
  return {
    policies: policies.loadAll,
    referenceValues: values.loadAll,
    keep(document: CheckedDocument): void {
      if (document.kind === 'policy') policies.keep(document.compiled)
      else values.keep(demandHardware(document.compiled, options.requiresHardware === true))
    },
    rulesOf({ policyHash, referenceValuesHash }: ActiveHashes): Documents | Promise<Documents> {
      if (policyHash === null || referenceValuesHash === null) throw new Error(NOTHING_ACTIVE)
      const policy = policies.get(policyHash)
      const referenceValues = values.get(referenceValuesHash)
      if (policy !== undefined && referenceValues !== undefined) return { policy, referenceValues }
      return load(policyHash, referenceValuesHash)
    },
  }
}

type Compiled<T> = { ok: true; value: T } | { ok: false; failure: { reason: string } }

function createKept<T extends CompiledPolicy | ReferenceValues>(
  kind: 'policy' | 'reference-values',
  compile: (body: unknown) => Compiled<T>,
  store: Pick<Store, 'document'>,
) {
  const kept = new Map<string, T>()
  /** A stored document was checked before it was stored; a later version may want more of it. */
  const find = async (hash: string): Promise<T | undefined> => {
    const known = kept.get(hash)
    if (known !== undefined) return known
    const stored = await store.document(kind, hash)
    const compiled = stored && compile(stored.body)
    if (!compiled?.ok) return undefined
    keep(compiled.value)
    return compiled.value
  }
  const keep = (value: T): void => {
    kept.set(value.hash, value)
    forgetOldest(kept, KEPT)
  }
  return {
    keep,
    get: (hash: string) => kept.get(hash),
    async load(hash: string): Promise<T> {
      const found = await find(hash)
      if (found !== undefined) return found
      throw new Error(`the active ${kind} document ${hash} is missing or does not compile`)
    },
    /** Without those that cannot be used. */
    async loadAll(hashes: readonly string[]): Promise<ReadonlyMap<string, T>> {
      const all = await Promise.all(hashes.map(async (hash) => [hash, await find(hash)] as const))
      return new Map(all.flatMap(([hash, value]) => (value === undefined ? [] : [[hash, value]])))
    },
  }
}
