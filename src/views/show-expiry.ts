import type { Expiry } from '../operations/expiry/expiry.ts'
import { FORECAST_DAYS } from '../replay/forecast/forecast.ts'
import type { FleetForecast } from '../store/system/fleet-summary.ts'

export { FORECAST_DAYS }

/** What ends, as the administration API and the JSON of the command line show it. */
export function showExpiry(expiry: Expiry, now: Date) {
  const { kind, id, name, source, since, at, breaks, remedy, renewal } = expiry
  const has_ended = at <= now
  return { kind, id, name, source, since, at, has_ended, breaks, remedy, renewal }
}

/** Which devices would fail, and by what; `null` until that was looked at once. */
export function showForecast(forecast: FleetForecast | null) {
  if (forecast === null) return null
  const { at, counts } = forecast
  const { devices, allowed, failing, causes } = counts
  const listed = Object.entries(causes).sort(([a, one], [b, other]) => {
    return one.first - other.first || (a < b ? -1 : 1)
  })
  return {
    at,
    devices,
    allowed,
    within: FORECAST_DAYS.map((days, index) => {
      const count = failing[index] ?? 0
      return { days, devices: count, share: allowed === 0 ? 0 : count / allowed }
    }),
    by_cause: listed.map(([cause, one]) => ({
      cause,
      first: new Date(one.first),
      within: FORECAST_DAYS.map((days, index) => ({ days, devices: one.failing[index] ?? 0 })),
      examples: one.examples,
    })),
  }
}
