import { CLAIM_NAMES, type ClaimName } from '../../appraisal/claims.ts'
import { visitInSlices } from '../../base/slices.ts'
import { readTrustAnchors } from '../../config/trust-anchors.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import {
  createForecast,
  type ForecastCounts,
  type ForecastRules,
  NOTHING_FORECAST,
} from '../../replay/forecast/forecast.ts'
import type { Attested } from '../../replay/preview/compare.ts'
import { pinnedUntil, versionFor } from '../../rollout/in-force.ts'
import { createRecordReader, FLEET_PAGE_ROWS, readFleet } from '../../store/devices/fleet-reads.ts'
import type { Store } from '../../store/store.ts'
import type { FleetForecast } from '../../store/system/fleet-summary.ts'
import { unreadClaims } from '../jobs/look-at-devices.ts'
import type { RulesInForce, RulesReader } from '../release/rules-in-force.ts'
import type { ExpirySettings } from './expiries-of-service.ts'

/** Devices that one round looks at: a part of a second's work, so that what is answered meanwhile hardly notices. */
export const FORECAST_DEVICES_A_ROUND = 5000
/** How old a forecast may become before the next one begins. */
const FRESH_MS = 24 * 3_600_000

type Settings = Pick<ExpirySettings, 'akTrustAnchors'>

/** How many devices a round looks at, and how many it reads at a time. */
export type ForecastPace = { readonly devices: number; readonly page: number }

const PACE: ForecastPace = { devices: FORECAST_DEVICES_A_ROUND, page: FLEET_PAGE_ROWS }

export type ForecastDependencies = {
  readonly store: Pick<Store, 'inForce' | 'fleetPage' | 'keepForecast' | 'fleetForecast'>
  readonly rules: Pick<RulesReader, 'at'>
  readonly config: Settings
  readonly clock: () => Date
}

/** Where a forecast is that is made in rounds. */
type Position = {
  /** When it began: all of it looks ahead from there. */
  readonly since: number
  /** The documents that were active then; under others it begins anew. */
  readonly documents: string
  readonly after: string
  readonly counts: ForecastCounts
}

/**
 * One round of the forecast of which devices would fail within days: goes on at `position`, and answers where the
 * next round does, or `''` where none is needed for now. The whole fleet is one forecast, kept at its end, and
 * the next begins a day later, or as soon as other documents are active. Whoever runs it has its lease; killed
 * anywhere it goes on where the last round ended.
 */
export async function forecastInRounds(
  { store, rules, config, clock }: ForecastDependencies,
  position: string,
  pace: ForecastPace = PACE,
): Promise<string> {
  const rulesInForce = await rules.at(await store.inForce())
  const documents = documentsOf(rulesInForce)
  const now = clock()
  const under = readPosition(position, documents)
  if (under === undefined && !(await isDue(store, documents, now))) return ''
  const begun = under ?? { since: now.getTime(), documents, after: '', counts: NOTHING_FORECAST }
  const since = new Date(begun.since)
  const forecast = startForecast(rulesInForce, { config, now: since, counts: begun.counts })
  const toRecord = createRecordReader()
  let { after } = begun
  for (let looked = 0; looked < pace.devices; looked += pace.page) {
    const page = { after, limit: pace.page, leaveOut: forecast.leaveOut }
    const rows = await store.fleetPage(page)
    await visitInSlices(rows, (row) => forecast.add(toRecord(row)))
    const last = rows.at(-1)
    if (last === undefined || rows.length < pace.page) {
      await store.keepForecast({ documents, counts: forecast.counts(), at: since })
      return ''
    }
    after = last.deviceId
  }
  return JSON.stringify({ ...begun, after, counts: forecast.counts() } satisfies Position)
}

async function isDue(
  store: ForecastDependencies['store'],
  documents: string,
  now: Date,
): Promise<boolean> {
  const last = await store.fleetForecast()
  return (
    last === null || last.documents !== documents || now.getTime() - last.at.getTime() >= FRESH_MS
  )
}

/** Nothing where it is none of this form, or was made under other documents. */
function readPosition(text: string, documents: string): Position | undefined {
  if (!text.startsWith('{')) return undefined
  const position: Position = JSON.parse(text)
  return position.documents === documents ? position : undefined
}

export type ForecastProgress = { readonly devices: number; readonly total: number }

/**
 * The same over the whole fleet at once, for whoever waits for it; it is kept too. Rejects with the reason of
 * `signal`, and then nothing is kept.
 */
export async function forecastFleet(
  {
    store,
    rules,
    config,
    clock,
  }: Omit<ForecastDependencies, 'store'> & {
    readonly store: ForecastDependencies['store'] & Pick<Store, 'counts'>
  },
  options: {
    readonly onProgress?: ((progress: ForecastProgress) => void) | undefined
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<FleetForecast> {
  const { onProgress, signal } = options
  signal?.throwIfAborted()
  const rulesInForce = await rules.at(await store.inForce())
  const now = clock()
  const forecast = startForecast(rulesInForce, { config, now })
  const { devices: byVerdict } = await store.counts(now)
  const total = Object.values(byVerdict).reduce((sum, devices) => sum + devices, 0)
  let devices = 0
  for await (const batch of readFleet(store, { leaveOut: forecast.leaveOut, signal })) {
    await visitInSlices(batch, forecast.add)
    devices += batch.length
    onProgress?.({ devices, total: Math.max(total, devices) })
  }
  signal?.throwIfAborted()
  const made = { documents: documentsOf(rulesInForce), counts: forecast.counts(), at: now }
  await store.keepForecast(made)
  return made
}

function documentsOf({ active: { policy, referenceValues } }: RulesInForce): string {
  return `${policy.hash} ${referenceValues.hash}`
}

function startForecast(
  rulesInForce: RulesInForce,
  {
    config,
    now,
    counts,
  }: { readonly config: Settings; readonly now: Date; readonly counts?: ForecastCounts },
) {
  const anchorEnds = endsOfAnchors(config)
  const needed: readonly ClaimName[] = anchorEnds.size > 0 ? ['aikTrustAnchor'] : []
  const unread = new Set<ClaimName>(unreadClaims(rulesInForce))
  const forecast = createForecast({
    ...{ now, anchorEnds, counts },
    rulesFor: (record) => rulesAhead(rulesInForce, record, now),
  })
  const leaveOut = CLAIM_NAMES.filter((name) => unread.has(name) && !needed.includes(name))
  return { ...forecast, leaveOut }
}

/** The roots of attestation keys that the setting brings, and when each of them ends. */
function endsOfAnchors({ akTrustAnchors }: Settings): ReadonlyMap<string, number> {
  const { anchors } = readTrustAnchors(akTrustAnchors)
  return new Map(anchors.map((one) => [fingerprintOf(one), one.notAfter.getTime() + 1]))
}

/** A rollout stays where it is; a pin ends, and then what decides for devices without one does. */
function rulesAhead(
  { control, rulesFor, rulesOf }: RulesInForce,
  record: Attested,
  now: Date,
): ForecastRules {
  const { rules: inForce, reliefs } = rulesFor(record, now)
  const ends = (['policy', 'reference-values'] as const).flatMap(
    (kind) => pinnedUntil(control, { kind, device: record, now }) ?? [],
  )
  const stays = { inForce, later: inForce, reliefs: { before: reliefs, after: reliefs } }
  if (ends.length === 0) return stays
  const free = { ...control, overrides: control.overrides.filter((one) => one.action !== 'pin') }
  const policy = versionFor(free, 'policy', record, now)
  const values = versionFor(free, 'reference-values', record, now)
  if (policy === undefined || values === undefined) return stays
  const pinEnd = new Date(Math.max(...ends.map((end) => end.getTime())))
  const after = { ...reliefs, policySince: policy.since, referenceValuesSince: values.since }
  return {
    inForce,
    later: rulesOf(policy.hash, values.hash),
    reliefs: { before: reliefs, after, pinnedUntil: pinEnd },
  }
}
