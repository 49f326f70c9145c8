import type { DescribedDenial } from '../../access/explain.ts'
import { describeReason } from '../../access/reason-text.ts'
import type { Config } from '../../config/config.ts'
import { type AssessedDevice, assessDevice } from '../../operations/devices/assess-device.ts'
import { foreseeDenials } from '../../operations/devices/foresee-denials.ts'
import type { CompiledPolicy } from '../../policy/document/compile.ts'
import type { HistoryEntry } from '../../store/devices/device-history.ts'
import type { Store } from '../../store/store.ts'
import {
  describeOverride,
  describeRelief,
  describeUnmet,
  describeVerdict,
} from '../../views/describe-device.ts'
import { showDetail, showEntry } from '../../views/show-device.ts'
import { fields } from '../framework/fields.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { deviceFinder } from './filters.ts'
import { nameReason } from './refused.ts'

const ATTEMPTS_SHOWN = 10

/** Prints what is known about a device: its record, why it is not trusted, and what it tried. */
export async function showDevice(
  store: Store,
  config: Config,
  options: { readonly id: string; readonly json: boolean; readonly now: Date },
): Promise<number> {
  const { id, json, now } = options
  const detail = await store.deviceDetail(id, now)
  const { entries } = await store.deviceHistory(id, { limit: ATTEMPTS_SHOWN })
  // A device that was only ever refused has a history and no record.
  if (detail === null && entries.length === 0) throw new Error(`nothing is known about ${id}`)
  const { rules } = deviceFinder(store, config)
  const rulesInForce = detail && (await rules.recent())
  const device = detail && rulesInForce && assessDevice(detail, rulesInForce, now)
  const coming = detail === null ? [] : await foreseeDenials(rules, { record: detail.record, now })
  if (json) {
    const attestations = entries.map(showEntry)
    printJson({ device: detail && device && showDetail(detail, device, coming), attestations })
    return 0
  }
  const repairs =
    device && rulesInForce
      ? describeReasons(device, rulesInForce.rulesFor(device.record, now).rules.policy)
      : []
  const others = device === null ? [] : describeOthers(device)
  const claims = detail?.record.attestation?.claims
  printText(
    [
      describeDevice(id, device),
      repairs.length > 0 ? `\nWhy\n${repairs.join('')}` : '',
      others.length > 0 ? `\nNot met, and not in its way\n${others.join('')}` : '',
      coming.length > 0 ? `\nWill be denied\n${coming.map(describeDenial).join('')}` : '',
      `\nLast attempts\n${describeAttempts(entries)}\n`,
      claims === undefined
        ? ''
        : `\nClaims of the last accepted attestation\n${fields(sorted(claims))}`,
    ].join(''),
  )
  return 0
}

function describeDevice(id: string, device: AssessedDevice | null): string {
  if (device === null) {
    return fields({ device: id, verdict: 'unknown: no attestation was ever accepted' }, '')
  }
  const { record, about, relief, overrides } = device
  const { attestation, quarantine } = record
  return fields(
    {
      device: id,
      name: about.name,
      verdict: describeVerdict(device),
      relief: relief.length > 0 ? relief.map(describeRelief) : undefined,
      overrides: overrides.length > 0 ? overrides.map(describeOverride) : undefined,
      enrolment: record.enrolment,
      quarantine:
        quarantine &&
        `since ${quarantine.at.toISOString()} by ${quarantine.by}: ${quarantine.reason}`,
      owner: record.owner,
      'entra device id': record.entraDeviceId,
      serial: about.serial,
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
function describeReasons({ reasons, unmet }: AssessedDevice, policy: CompiledPolicy): string[] {
  return reasons.map((reason) => {
    const { title, repair } = describeReason(reason, policy, [])
    const clause =
      'clause' in reason ? unmet.find((one) => one.clause === reason.clause) : undefined
    const head = clause === undefined ? reason.code : describeUnmet(clause)
    return `  ${head}\n    ${title}. ${repair}\n`
  })
}

/** Clauses that are not met and deny nothing: they only report, or do not count for the moment. */
function describeOthers({ reasons, unmet }: AssessedDevice): string[] {
  const told = new Set(reasons.map((reason) => ('clause' in reason ? reason.clause : '')))
  return unmet.filter(({ clause }) => !told.has(clause)).map((one) => `  ${describeUnmet(one)}\n`)
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
    entry.reasons.map(nameReason).join(', ') || '-',
  ])
  return renderTable(['at', 'attempt', 'outcome', 'verdict', 'reasons'], rows)
}

function sorted(claims: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).sort(([a], [b]) => a.localeCompare(b)))
}
