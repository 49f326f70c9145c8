import { assess } from '../../access/assess.ts'
import type { Relief } from '../../access/relief.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { listUnmet, type UnmetClause } from '../../access/unmet.ts'
import type { DerivedVerdict } from '../../access/verdict.ts'
import { type Override, overridesOf } from '../../rollout/override.ts'
import type { DeviceNames } from '../../store/devices/device-reads.ts'
import type { RulesInForce } from '../release/rules-in-force.ts'

/**
 * A device as a decision would find it at this moment: under the documents that are in force for it, with
 * grace, holds and exceptions.
 */
export type AssessedDevice = {
  readonly record: TrustRecord
  readonly about: DeviceNames
  readonly verdict: DerivedVerdict['verdict']
  /** Why it is not trusted; empty where it is. */
  readonly reasons: DerivedVerdict['reasons']
  /** What is wrong and does not count for the moment. */
  readonly relief: readonly Relief[]
  readonly unmet: readonly UnmetClause[]
  /** Exceptions in force for it, its labels' among them. */
  readonly overrides: readonly Override[]
}

/** Asks the same code as a decision does. */
export function assessDevice(
  device: { readonly record: TrustRecord; readonly about: DeviceNames },
  rulesInForce: Pick<RulesInForce, 'rulesFor' | 'control'>,
  now: Date,
): AssessedDevice {
  const { record, about } = device
  const { rules, reliefs } = rulesInForce.rulesFor(record, now)
  const assessment = assess({ ...rules, record, reliefs, now })
  const { verdict, reasons, relief = [] } = assessment
  const unmet = listUnmet(assessment, { record, rules, now })
  const overrides = overridesOf(rulesInForce.control.overrides, record, now)
  return { record, about, verdict, reasons, relief, unmet, overrides }
}
