import { err, ok, type Result } from '../../base/result.ts'
import type { Severity } from '../../policy/document/document.ts'
import { severityAt } from '../../policy/language/evaluate.ts'
import type { DeviceGroup } from '../../store/devices/device-reads.ts'
import { isBroad } from '../../store/devices/device-search.ts'
import type { Store } from '../../store/store.ts'
import type { RulesReader } from '../release/rules-in-force.ts'
import {
  type DeviceSearch,
  filterOf,
  policiesOf,
  type SearchFailure,
  withinTime,
} from './find-devices.ts'

/** How many devices are in one group. A device counts in each group that it is in. */
export type GroupCount = {
  /** Id of a clause that they do not meet, a label, or a verifier. */
  readonly group: string
  /** Of a clause, as the active policy has it; else as another one has it that decides for somebody. */
  readonly severity?: Severity
  readonly devices: number
}

export type GroupedCounts = {
  /** The largest first. */
  readonly groups: readonly GroupCount[]
  /** How many devices were looked at. */
  readonly devices: number
}

export type GroupDependencies = {
  readonly store: Pick<Store, 'groupDevices'>
  readonly rules: Pick<RulesReader, 'recent'>
  readonly clock: () => Date
}

/** Devices that are counted within a request: a small part of a second. */
export const GROUPED_IN_REQUEST = 200_000
/** Devices of one statement where somebody watches the progress. */
const PAGE_DEVICES = 20_000

/**
 * Counts the devices that are looked for by clause, label or verifier: by what is recorded (`DeviceFilter`).
 * Refused where there are more than `GROUPED_IN_REQUEST` of them.
 */
export async function groupDevices(
  { store, rules, clock }: GroupDependencies,
  query: { readonly search: DeviceSearch; readonly by: DeviceGroup },
): Promise<Result<GroupedCounts, SearchFailure>> {
  const { search, by } = query
  const filter = await filterOf(search, rules, clock())
  const most = GROUPED_IN_REQUEST + 1
  const answer = store.groupDevices({ ...filter, by, after: '', most })
  const counted = await withinTime(answer, isBroad(filter))
  if (!counted.ok) return counted
  const { groups, devices, looked } = counted.value
  if (looked === most) return err({ reason: 'search_too_broad' })
  const counts = new Map(groups.map((one) => [one.group, one.devices]))
  return ok({ groups: await rank(counts, by, { rules, now: clock() }), devices })
}

/** The same of any number of devices, page by page. */
export async function groupFleet(
  { store, rules, clock }: GroupDependencies,
  query: {
    readonly search: DeviceSearch
    readonly by: DeviceGroup
    /** Called after each page with how many devices were counted so far. */
    readonly onProgress: (devices: number) => void
    readonly signal: AbortSignal
  },
): Promise<GroupedCounts> {
  const { search, by, onProgress, signal } = query
  const filter = await filterOf(search, rules, clock())
  const counts = new Map<string, number>()
  let devices = 0
  let after: string | null = ''
  while (after !== null) {
    signal.throwIfAborted()
    const page = await store.groupDevices({ ...filter, by, after, most: PAGE_DEVICES })
    for (const one of page.groups) {
      counts.set(one.group, (counts.get(one.group) ?? 0) + one.devices)
    }
    devices += page.devices
    after = page.looked < PAGE_DEVICES ? null : page.last
    onProgress(devices)
  }
  return { groups: await rank(counts, by, { rules, now: clock() }), devices }
}

/** Clauses that no policy has any more are left out: the sweep has not come to these devices yet. */
async function rank(
  counts: ReadonlyMap<string, number>,
  by: DeviceGroup,
  { rules, now }: { readonly rules: Pick<RulesReader, 'recent'>; readonly now: Date },
): Promise<readonly GroupCount[]> {
  const ranked = [...counts]
    .map(([group, devices]) => ({ group, devices }))
    .sort((a, b) => b.devices - a.devices || (a.group < b.group ? -1 : 1))
  if (by !== 'clause' || ranked.length === 0) return ranked
  const policies = policiesOf(await rules.recent())
  return ranked.flatMap(({ group, devices }) => {
    const clause = policies.map((policy) => policy.clauseById.get(group)).find((one) => one)
    return clause === undefined ? [] : [{ group, severity: severityAt(clause, now), devices }]
  })
}
