import type { TrustRecord } from '../../access/trust-record.ts'
import type { ReferenceValues } from '../../appraisal/reference-values.ts'
import { BUILT_IN } from '../../azure/settings.ts'
import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'

type Device = Pick<TrustRecord, 'vouched'>

/**
 * Who counts where many devices together change what is decided for others. Whoever can run programs
 * can have any number of devices that nobody vouches for, so these bring about nothing in favour of
 * anybody, and where hardware has to be proven they keep nothing from happening either.
 */
export type WhoSteers = {
  /** Whether a device counts as one of many good ones that meet the same cause of denial. */
  readonly holds: (device: Device) => boolean
  /** Whether a device that a rollout denies counts against its budget. */
  readonly budgets: (device: Device) => boolean
  /** Whether evidence may count longer by itself while its verifier is away. */
  readonly outages: boolean
}

export type SteeringConfig = Pick<
  Config,
  'akTrustAnchors' | 'ekTrustAnchors' | 'unvouchedSteering' | 'verifiers'
>

/**
 * A budget counts every device of a fleet of which none is vouched for: else no rollout would halt
 * there, whatever it does. `referenceValues`: those in force.
 */
export function whoSteers(
  config: SteeringConfig,
  referenceValues: Pick<ReferenceValues, 'anchors'>,
): WhoSteers {
  const isProven = requiresHardware(config) || referenceValues.anchors.size > 0
  const isAccepted = !isProven && config.unvouchedSteering === 'accept'
  return {
    holds: ({ vouched }) => vouched || isAccepted,
    budgets: ({ vouched }) => vouched || !isProven,
    // Providers elsewhere say for themselves whose hardware they believe.
    outages: isProven || isAccepted || !config.verifiers.includes(BUILT_IN),
  }
}
