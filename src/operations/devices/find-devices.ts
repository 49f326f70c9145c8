import { err, ok, type Result } from '../../base/result.ts'
import type { Severity } from '../../policy/document/document.ts'
import { severityAt } from '../../policy/language/evaluate.ts'
import { versionsInForce } from '../../rollout/in-force.ts'
import type { OverrideAction } from '../../rollout/override.ts'
import { type DeviceFilter, isBroad } from '../../store/devices/device-search.ts'
import type { Store } from '../../store/store.ts'
import { StoreError } from '../../store/store-error.ts'
import type { RulesInForce, RulesReader } from '../release/rules-in-force.ts'
import { type AssessedDevice, assessDevice } from './assess-device.ts'

/** What to look for among devices. Nothing given means all of them. */
export type DeviceSearch = Omit<DeviceFilter, 'anyClause' | 'targets'> & {
  /** Of the clauses that are not met, by what the policy for the device says of them now. */
  readonly severity?: Severity | undefined
  /** It has an exception in force of this kind, or of any. */
  readonly override?: OverrideAction['action'] | 'any' | undefined
}

export const SEARCH_REASONS = ['search_too_broad'] as const

/** The database would have had to look at more devices than a request may take time for. */
export type SearchFailure = { readonly reason: (typeof SEARCH_REASONS)[number] }

export type FindDependencies = {
  readonly store: Pick<Store, 'listDevices'>
  readonly rules: Pick<RulesReader, 'recent'>
  readonly clock: () => Date
}

export type FoundDevices = {
  readonly devices: readonly AssessedDevice[]
  /** Where the next page goes on; `null` at the end. */
  readonly nextCursor: string | null
}

/**
 * A page of the devices that are looked for, each as a decision would find it now. They are found by what is
 * recorded of them (`DeviceFilter`), and one that is otherwise by now is left out: so a page may have
 * fewer devices than were asked for, and goes on behind its cursor all the same.
 */
export async function findDevices(
  { store, rules, clock }: FindDependencies,
  query: {
    readonly search: DeviceSearch
    readonly limit: number
    readonly cursor?: string | undefined
  },
): Promise<Result<FoundDevices, SearchFailure>> {
  const { search, limit, cursor } = query
  const now = clock()
  const filter = await filterOf(search, rules, now)
  const page = await withinTime(store.listDevices({ ...filter, limit, cursor }), isBroad(filter))
  if (!page.ok) return page
  const { devices: recorded, nextCursor } = page.value
  // Where no device is, there may be no policy yet either.
  if (recorded.length === 0) return ok({ devices: [], nextCursor })
  const rulesInForce = await rules.recent()
  const devices = recorded
    .map((device) => assessDevice(device, rulesInForce, now))
    .filter((device) => isFoundNow(device, search))
  return ok({ devices, nextCursor })
}

/** By what is recorded, what `search` asks of what is in force. */
export async function filterOf(
  { severity, override, ...recorded }: DeviceSearch,
  rules: Pick<RulesReader, 'recent'>,
  now: Date,
): Promise<DeviceFilter> {
  if (severity === undefined && override === undefined) return recorded
  const rulesInForce = await rules.recent()
  const { overrides } = rulesInForce.control
  const meant = overrides.filter(({ action, expiresAt }) => {
    return expiresAt > now && (override === 'any' || action === override)
  })
  const namesOf = (kind: 'device' | 'label') =>
    meant.filter(({ target }) => target.kind === kind).map(({ target }) => target.name)
  return {
    ...recorded,
    ...(severity !== undefined && { anyClause: clausesOf(rulesInForce, severity, now) }),
    ...(override !== undefined && {
      targets: { deviceIds: namesOf('device'), labels: namesOf('label') },
    }),
  }
}

/** Clauses that have a severity in some policy that decides for somebody. */
function clausesOf(rulesInForce: RulesInForce, severity: Severity, now: Date): readonly string[] {
  const clauses = policiesOf(rulesInForce).flatMap(({ deviceClauses }) => deviceClauses)
  const meant = clauses.filter((clause) => severityAt(clause, now) === severity)
  return [...new Set(meant.map(({ id }) => id))]
}

/** The policies that decide for somebody, the active one first. */
export function policiesOf({ control, active, rulesOf }: RulesInForce) {
  const hashes = versionsInForce(control, 'policy').filter((hash) => hash !== active.policy.hash)
  const values = active.referenceValues.hash
  return [active.policy, ...hashes.map((hash) => rulesOf(hash, values).policy)]
}

/** Whether what it was found by holds still. */
function isFoundNow(device: AssessedDevice, search: DeviceSearch): boolean {
  const { verdict, clause, severity, override } = search
  if (verdict !== undefined && device.verdict !== verdict) return false
  const isMeant = (one: AssessedDevice['unmet'][number]) =>
    (clause === undefined || one.clause === clause) &&
    (severity === undefined || one.severity === severity)
  if ((clause !== undefined || severity !== undefined) && !device.unmet.some(isMeant)) return false
  if (override === undefined) return true
  return device.overrides.some(({ action }) => override === 'any' || action === override)
}

/** SQLSTATE `query_canceled`: the server ended the statement, as its `statement_timeout` says. */
const QUERY_CANCELED = '57014'

/**
 * The answer of the store. A broad search that the database gave up for the time that it takes is refused, since it
 * would take as long again; a narrow one must have waited for somebody, so that its fault is the store's.
 */
export async function withinTime<T>(
  answer: Promise<T>,
  isBroad: boolean,
): Promise<Result<T, SearchFailure>> {
  try {
    return ok(await answer)
  } catch (error) {
    if (!isBroad || !(error instanceof StoreError) || error.code !== QUERY_CANCELED) throw error
    return err({ reason: 'search_too_broad' })
  }
}
