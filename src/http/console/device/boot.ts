import { html } from 'hono/html'
import {
  type AttestationClaims,
  CLAIM_NAMES,
  CLAIMS,
  type ClaimName,
} from '../../../appraisal/claims.ts'
import type { InspectedDevice, KnownDevice } from '../../../operations/devices/inspect-device.ts'
import type { HistoryEntry } from '../../../store/devices/device-history.ts'
import { type Content, codeTag, devicePath, panel, table, timeTag } from '../parts.ts'

/**
 * What the last accepted attestation measured, with what each value means, beside the last attestation that came to
 * trust: what differs first. Boot logs are not kept; their digests are.
 */
export function bootPanel(
  { history, deviceId }: InspectedDevice,
  { device }: KnownDevice,
): Content {
  const { attestation } = device.record
  if (attestation === null) return html``
  const good = history.find(
    (one) =>
      one.verdict === 'trusted' &&
      one.claims !== null &&
      one.attestationId !== attestation.attestationId,
  )
  const digest = history.find((one) => one.attestationId === attestation.attestationId)?.digests
    .boot_log
  const body = html`${beside(attestation.claims, good)}
<p class="dim">Of the boot log itself the service keeps a digest and what was read from it, not the log.${digest === undefined ? '' : html` The last one was ${codeTag(digest)}.`} Whoever has the log can read it here event by event, and is told whether it is that one: <a href="${devicePath(deviceId)}/boot-log">read a boot log</a>.</p>`
  return panel('boot', 'What it measured', body, true)
}

function beside(claims: AttestationClaims, good: HistoryEntry | undefined): Content {
  const before = good?.claims ?? null
  const isOther = (name: ClaimName) =>
    before !== null && textOf(claims[name]) !== textOf(before[name])
  const shown = CLAIM_NAMES.filter((name) => claims[name] !== undefined || isOther(name))
  const others = shown.filter(isOther)
  const rowOf = (name: ClaimName) => [
    html`<code>${name}</code>`,
    html`<div class="thin">${textOf(claims[name])}</div>`,
    before === null ? '' : html`<div class="thin">${textOf(before[name])}</div>`,
    CLAIMS[name].meaning,
    CLAIMS[name].measuredAt,
  ]
  const same = shown.filter((name) => !isOther(name))
  const since =
    good === undefined
      ? html`<p>No other attestation that came to trust is kept beside this one.</p>`
      : html`<p>${others.length === 0 ? 'Nothing differs' : `${others.length} of ${shown.length} values differ`} from the last other attestation that came to trust, at ${timeTag(good.at)}.</p>`
  return html`${since}${others.length === 0 ? '' : claimsTable('Values that differ', others.map(rowOf))}
<details><summary>${same.length} ${before === null ? 'values' : 'values that are the same'}</summary>${claimsTable('Values and their meaning', same.map(rowOf))}</details>`
}

function claimsTable(caption: string, rows: Parameters<typeof table>[0]['rows']): Content {
  const columns = [
    ...[{ title: 'Claim' }, { title: 'Value' }, { title: 'Last good value' }],
    ...[{ title: 'Meaning' }, { title: 'Measured' }],
  ]
  return table({ caption, columns, rows })
}

const MAX_SHOWN_CHARS = 120

function textOf(value: unknown): string {
  if (value === undefined) return 'absent'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text
}
