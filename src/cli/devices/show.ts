import type { DescribedDenial } from '../../access/explain.ts'
import { describeReason } from '../../access/reason-text.ts'
import { deriveVerdict, type VerdictReason } from '../../access/verdict.ts'
import { foreseeDenials } from '../../operations/devices/foresee-denials.ts'
import { createRulesReader, type RulesReader } from '../../operations/release/rules-in-force.ts'
import type { HistoryEntry } from '../../store/devices/device-history.ts'
import type { DeviceDetail } from '../../store/devices/device-reads.ts'
import type { Json } from '../../store/json.ts'
import type { Store } from '../../store/store.ts'
import { showDetail, showEntry } from '../../views/show-device.ts'
import { fields } from '../framework/fields.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'

const ATTEMPTS_SHOWN = 10

/** Prints what is known about a device: its record, why it is not trusted, and what it tried. */
export async function showDevice(
  store: Store,
  options: { readonly id: string; readonly json: boolean; readonly now: Date },
): Promise<number> {
  const { id, json, now } = options
  const detail = await store.deviceDetail(id, now)
  const { entries } = await store.deviceHistory(id, { limit: ATTEMPTS_SHOWN })
  // A device that was only ever refused has a history and no record.
  if (detail === null && entries.length === 0) throw new Error(`nothing is known about ${id}`)
  const rules = createRulesReader(store, { clock: () => now })
  const coming = detail === null ? [] : await foreseeDenials(rules, { record: detail.record, now })
  if (json) {
    const attestations = entries.map(showEntry)
    printJson({ device: detail && showDetail(detail, coming), attestations })
    return 0
  }
  const repairs = detail === null ? [] : await describeReasons(rules, detail, now)
  const claims = detail?.record.attestation?.claims
  printText(
    [
      describeDevice(id, detail),
      repairs.length > 0 ? `\nWhy\n${repairs.join('')}` : '',
      coming.length > 0 ? `\nWill be denied\n${coming.map(describeDenial).join('')}` : '',
      `\nLast attempts\n${describeAttempts(entries)}\n`,
      claims === undefined
        ? ''
        : `\nClaims of the last accepted attestation\n${fields(sorted(claims))}`,
    ].join(''),
  )
  return 0
}

function describeDevice(id: string, detail: DeviceDetail | null): string {
  if (detail === null) {
    return fields({ device: id, verdict: 'unknown: no attestation was ever accepted' }, '')
  }
  const { record, verdict } = detail
  const { attestation, quarantine } = record
  return fields(
    {
      device: id,
      verdict,
      enrolment: record.enrolment,
      quarantine:
        quarantine &&
        `since ${quarantine.at.toISOString()} by ${quarantine.by}: ${quarantine.reason}`,
      owner: record.owner,
      'entra device id': record.entraDeviceId,
      labels: record.labels.length > 0 ? record.labels : undefined,
      ring: record.ring,
      attested: attestation?.attestedAt.toISOString() ?? 'never',
      'valid until': attestation?.validUntil.toISOString(),
      verifier: attestation?.issuer,
    },
    '',
  )
}

/** What stands in the way, each with the repair text that the device's user gets. */
async function describeReasons(
  rules: Pick<RulesReader, 'recent'>,
  detail: DeviceDetail,
  now: Date,
): Promise<string[]> {
  const { record } = detail
  const standing = deriveVerdict({ record, clauseOutcomes: [], now }).reasons
  const reasons = [...standing, ...(detail.reasons as unknown as readonly VerdictReason[])]
  if (reasons.length === 0) return []
  const { active } = await rules.recent()
  const { policy } = active
  return reasons.map((reason) => {
    const name = 'clause' in reason ? reason.clause : reason.code
    // The policy may have changed since: a clause that is gone has no text any more.
    if ('clause' in reason && !policy.clauseById.has(reason.clause)) return `  ${name}\n`
    const { title, repair } = describeReason(reason, policy, [])
    return `  ${name}: ${title}\n    ${repair}\n`
  })
}

function describeDenial({ clause, from, title, repair }: DescribedDenial): string {
  return `  from ${from.toISOString()} by ${clause}: ${title}\n    ${repair}\n`
}

function describeAttempts(entries: readonly HistoryEntry[]): string {
  const rows = entries.map((entry) => [
    entry.at.toISOString(),
    entry.attestationId,
    entry.outcome,
    entry.verdict ?? '-',
    entry.reasons.map(nameOf).join(', ') || '-',
  ])
  return renderTable(['at', 'attempt', 'outcome', 'verdict', 'reasons'], rows)
}

function sorted(claims: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).sort(([a], [b]) => a.localeCompare(b)))
}

function nameOf(reason: Json): string {
  const { clause, code } = reason as { readonly clause?: string; readonly code?: string }
  return clause ?? code ?? JSON.stringify(reason)
}
