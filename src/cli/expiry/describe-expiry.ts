import { COMMAND } from '../../base/command.ts'
import { EXPIRY_TEXTS, type Expiry } from '../../operations/expiry/expiry.ts'
import type { FleetForecast } from '../../store/system/fleet-summary.ts'
import { showForecast } from '../../views/show-expiry.ts'
import { count, percentOf } from '../framework/numbers.ts'
import { renderTable } from '../framework/table.ts'

const DAY_MS = 86_400_000

/** What ends as a table, and below it what that breaks and what to do about it, once for each kind. */
export function describeExpiries(
  expiries: readonly Expiry[],
  { now, until }: { readonly now: Date; readonly until: Date | undefined },
): string {
  if (expiries.length === 0) {
    const when = until === undefined ? '' : ` until ${until.toISOString()}`
    return `Nothing ends by itself${when}.\n`
  }
  const rows = expiries.map(({ kind, name, source, at }) => [
    at.toISOString(),
    daysTo(at, now),
    kind,
    name,
    source,
  ])
  const kinds = [...new Set(expiries.map(({ kind }) => kind))]
  const texts = kinds.map((kind) => {
    const { breaks, remedy, renewal } = EXPIRY_TEXTS[kind]
    const who = renewal === 'automatic' ? ' (by itself)' : ''
    return `${kind}${who}\n  then: ${breaks}\n  do:   ${remedy}`
  })
  return `${renderTable(['ends', 'in', 'kind', 'name', 'from'], rows)}\n\n${texts.join('\n')}\n`
}

function daysTo(at: Date, now: Date): string {
  const ms = at.getTime() - now.getTime()
  if (ms <= 0) return 'ended'
  const days = Math.floor(ms / DAY_MS)
  return days === 0 ? `${Math.floor(ms / 3_600_000)} h` : `${count(days)} d`
}

/** Which devices would fail, in words. */
export function describeForecast(stored: FleetForecast | null): string {
  const forecast = showForecast(stored)
  if (forecast === null) {
    return `Which devices would fail is not known yet: the service looks once a day, or ${COMMAND} expiry --replay.\n`
  }
  const { at, devices, allowed, within, by_cause } = forecast
  const head = `Of ${count(devices)} devices ${count(allowed)} are allowed (${at.toISOString()}). Of these would fail, if nobody changes anything:`
  const lines = within.map(({ days, devices: failing, share }) => {
    return `  within ${String(days).padStart(2)} days  ${count(failing)} (${percentOf(share)})`
  })
  if (by_cause.length === 0) return `${[head, ...lines].join('\n')}\n`
  const rows = by_cause.map(({ cause, first, within: counts, examples }) => [
    cause,
    first.toISOString(),
    ...counts.map(({ devices: failing }) => count(failing)),
    examples[0] ?? '',
  ])
  const days = within.map((one) => `${one.days} d`)
  const table = renderTable(['by', 'first', ...days, 'for example'], rows)
  return `${[head, ...lines].join('\n')}\n\n${table}\n`
}
