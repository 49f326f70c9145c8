import { namesIn } from '../../policy/language/expression.ts'
import type { Control } from '../../rollout/in-force.ts'
import type { DeviceAttributes } from '../../store/devices/device-changes.ts'
import type { Store } from '../../store/store.ts'

/** Of what administrators say about a device, what may decide something; absent members stay as they are. */
export type AttributeChanges = Pick<DeviceAttributes, 'owner' | 'entraDeviceId' | 'labels'>

/** The names under which a policy reads what administrators say about a device. */
const READ_AS = { owner: 'owner', entraDeviceId: 'entra_device_id', labels: 'labels' } as const

/**
 * Whether what is said about a device decides about its access: a label that an override or a rollout names, or
 * an attribute that a policy in force, on its way or pinned reads. `before` is how the device stands;
 * members that `changes` lacks stay as they are.
 */
export async function attributesNeedSecond(
  store: Pick<Store, 'control' | 'document'>,
  input: {
    readonly before: AttributeChanges
    readonly changes: AttributeChanges
    readonly now: Date
  },
): Promise<boolean> {
  const { before, changes, now } = input
  const labels = changedLabels(before.labels ?? [], changes.labels)
  const changed = [
    ...(labels.length > 0 ? [READ_AS.labels] : []),
    ...(isOther(before.owner, changes.owner) ? [READ_AS.owner] : []),
    ...(isOther(before.entraDeviceId, changes.entraDeviceId) ? [READ_AS.entraDeviceId] : []),
  ]
  if (changed.length === 0) return false
  const control = await store.control(now)
  const isNamed = labelsNamedBy(control).some((label) => labels.includes(label))
  return isNamed || (await somePolicyReads(store, policiesOf(control), changed))
}

/** Labels that put a device under an exception, or among the first whom a rollout reaches. */
function labelsNamedBy({ overrides, rollouts }: Control): readonly string[] {
  return [
    ...overrides.flatMap(({ target }) => (target.kind === 'label' ? [target.name] : [])),
    ...rollouts.flatMap(({ plan }) => plan.stages.flatMap((stage) => stage.labels)),
  ]
}

/** Every policy that decides for somebody, or is on its way to. */
function policiesOf({ active, rollouts, overrides }: Control): ReadonlySet<string> {
  const pins = overrides.flatMap((one) => (one.action === 'pin' ? [one] : []))
  const coming = rollouts.map(({ kind, to: hash }) => ({ kind, hash }))
  const all = [...active, ...coming, ...pins].filter(({ kind }) => kind === 'policy')
  return new Set(all.map(({ hash }) => hash))
}

async function somePolicyReads(
  store: Pick<Store, 'document'>,
  hashes: ReadonlySet<string>,
  names: readonly string[],
): Promise<boolean> {
  for (const hash of hashes) {
    const body = Object((await store.document('policy', hash))?.body)
    const clauses: readonly unknown[] = Array.isArray(body.clauses) ? body.clauses : []
    const expressions = clauses.flatMap((clause) => {
      const { when, require } = Object(clause)
      return [when, require].filter((source) => typeof source === 'string')
    })
    if (expressions.some((source) => mayRead(source, names))) return true
  }
  return false
}

/** Of what cannot be read any more nothing is known, so it may read everything. */
function mayRead(source: string, names: readonly string[]): boolean {
  const read = namesIn(source)
  return read === undefined || names.some((name) => read.has(name))
}

function changedLabels(before: readonly string[], after: readonly string[] | undefined): string[] {
  if (after === undefined) return []
  return [
    ...after.filter((label) => !before.includes(label)),
    ...before.filter((label) => !after.includes(label)),
  ]
}

function isOther(before: string | null | undefined, after: string | null | undefined): boolean {
  return after !== undefined && after !== (before ?? null)
}
