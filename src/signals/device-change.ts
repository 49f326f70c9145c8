import type { Verdict } from '../access/trust-record.ts'
import type { DeviceEventType } from './event-types.ts'

/** A change of a device as the outbox keeps it: it was written together with what caused it. */
export type DeviceChange = {
  /** When it changed. */
  readonly at: Date
  readonly cause: ChangeCause
  readonly previousStatus: ComplianceStatus
  readonly currentStatus: ComplianceStatus
  readonly previousVerdict: Verdict
  readonly currentVerdict: Verdict
}

/** `sweep`: nobody came by; time or other rules changed it. `merged`: two records were of one TPM. */
export type ChangeCause = 'attestation' | 'administrator' | 'sweep' | 'merged'

export type ComplianceStatus = 'compliant' | 'not-compliant'

/** Why, in words for an administrator and for whoever uses the device, by language (BCP 47); never empty. */
export type ToldReasons = {
  readonly admin: Readonly<Record<string, string>>
  readonly user: Readonly<Record<string, string>>
}

/** One event, without the subject that a form may put beside its claims. */
export type DeviceEvent = {
  readonly type: DeviceEventType
  readonly claims: Readonly<Record<string, unknown>>
}

/** CAEP 1.0 §3.8. Trusted is low; what is not known or no longer is medium; what is known to be wrong is high. */
const RISK_OF: Readonly<Record<Verdict, 'LOW' | 'MEDIUM' | 'HIGH'>> = {
  trusted: 'LOW',
  unknown: 'MEDIUM',
  stale: 'MEDIUM',
  untrusted: 'HIGH',
  quarantined: 'HIGH',
}

/**
 * The events that a change comes to, in the order in which they are sent. A change between two verdicts of
 * the same status is no compliance change (CAEP 1.0 §3.5 asks for a change of status), and one between two
 * of the same risk no risk change. Sessions are revoked by a quarantine alone: a failed attestation may be
 * repaired within minutes, and whoever asks for a decision is denied meanwhile.
 */
export function eventsOf(change: DeviceChange, reasons: ToldReasons): readonly DeviceEvent[] {
  const common = {
    event_timestamp: Math.floor(change.at.getTime() / 1000),
    initiating_entity: initiatorOf(change),
    reason_admin: reasons.admin,
    reason_user: reasons.user,
  }
  const events: DeviceEvent[] = []
  const { previousStatus, currentStatus } = change
  if (previousStatus !== currentStatus) {
    const claims = { previous_status: previousStatus, current_status: currentStatus, ...common }
    events.push({ type: 'device-compliance-change', claims })
  }
  const previous = RISK_OF[change.previousVerdict]
  const current = RISK_OF[change.currentVerdict]
  if (previous !== current) {
    const claims = {
      ...{ principal: 'DEVICE', previous_level: previous, current_level: current },
      ...{ risk_reason: change.currentVerdict.toUpperCase(), ...common },
    }
    events.push({ type: 'risk-level-change', claims })
  }
  if (change.currentVerdict === 'quarantined' && change.previousVerdict !== 'quarantined') {
    events.push({ type: 'session-revoked', claims: common })
  }
  return events
}

/** CAEP 1.0 §2: who or what brought it about. */
function initiatorOf({ cause, currentVerdict }: DeviceChange): 'admin' | 'policy' | 'system' {
  if (cause === 'administrator') return 'admin'
  if (cause === 'merged' || currentVerdict === 'stale') return 'system'
  return 'policy'
}
