import type { Decided } from '../../access/decide.ts'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import type { DescribedDenial } from '../../access/explain.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { CompiledPolicy } from '../../policy/document/compile.ts'
import type { HistoryEntry } from '../../store/devices/device-history.ts'
import type { DeviceDetail } from '../../store/devices/device-reads.ts'
import type { Store } from '../../store/store.ts'
import type { AuditEntry } from '../../store/system/audit-log.ts'
import { type ExplainDependencies, explainQuestion } from '../decide/explain-question.ts'
import { type AssessedDevice, assessDevice } from './assess-device.ts'
import type { DeviceFailure } from './change-standing.ts'
import { foreseeDenials } from './foresee-denials.ts'
import { type VerdictSince, verdictSince } from './verdict-since.ts'

export type InspectDependencies = ExplainDependencies & {
  readonly store: ExplainDependencies['store'] &
    Pick<Store, 'deviceDetail' | 'deviceHistory' | 'auditEntries'>
}

/** A device that is on record. */
export type KnownDevice = {
  readonly detail: DeviceDetail
  readonly device: AssessedDevice
  readonly policy: CompiledPolicy
  readonly since: VerdictSince | undefined
  readonly coming: readonly DescribedDenial[]
  /** What would be decided about the question, with every clause. */
  readonly decided: Decided
}

/** All that is known of a device. One that was only ever refused has a history and nothing else. */
export type InspectedDevice = {
  readonly deviceId: string
  readonly now: Date
  readonly known: KnownDevice | null
  /** The newest first. */
  readonly history: readonly HistoryEntry[]
  /** What the next page of the history is asked for with. */
  readonly nextBefore: string | null
  /** What people and jobs did to it, the newest first. */
  readonly changes: readonly AuditEntry[]
}

const ATTEMPTS_SHOWN = 40
const CHANGES_SHOWN = 20
const CHANGES_SINCE_MS = 90 * 86_400_000

/** Looks at one device, as whoever looks after it wants to see it. `question` is what is asked about it. */
export async function inspectDevice(
  { store, rules, clock }: InspectDependencies,
  {
    deviceId,
    question,
    before,
  }: {
    readonly deviceId: string
    readonly question: EvaluationRequest
    /** `nextBefore` of the page before of the history. */
    readonly before?: string | undefined
  },
): Promise<Result<InspectedDevice, DeviceFailure>> {
  const now = clock()
  const [detail, history, audit] = await Promise.all([
    store.deviceDetail(deviceId, now),
    store.deviceHistory(deviceId, {
      limit: ATTEMPTS_SHOWN,
      ...(before !== undefined && { before }),
    }),
    store.auditEntries({
      deviceId,
      since: new Date(now.getTime() - CHANGES_SINCE_MS),
      until: new Date(now.getTime() + 1),
      limit: CHANGES_SHOWN,
    }),
  ])
  const { entries, nextBefore } = history
  const seen = { now, history: entries, nextBefore, changes: audit.entries }
  if (detail === null) {
    if (entries.length === 0 && before === undefined) return err({ reason: 'device_not_found' })
    return ok({ ...seen, deviceId, known: null })
  }
  const { record } = detail
  const rulesInForce = await rules.recent()
  const device = assessDevice(detail, rulesInForce, now)
  const isWhole = nextBefore === null && before === undefined
  const decided = await explainQuestion(
    { store, rules, clock },
    { about: { record }, request: question, at: now },
  )
  if (!decided.ok) return decided
  const known = {
    ...{ detail, device, decided: decided.value },
    policy: rulesInForce.rulesFor(record, now).rules.policy,
    since: before === undefined ? verdictSince(device, { entries, isWhole }) : undefined,
    coming: await foreseeDenials(rules, { record, now }),
  }
  return ok({ ...seen, deviceId: record.deviceId, known })
}
