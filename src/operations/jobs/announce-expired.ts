import { FLEET_PAGE_ROWS } from '../../store/devices/fleet-reads.ts'
import { type LookAtIdsDependencies, lookAtIds } from './look-at-devices.ts'

/**
 * Tells others of devices whose evidence has just ended, as far as it was noted (`Expiries`). Asks the database
 * nothing where there is none.
 */
export async function announceExpired(dependencies: LookAtIdsDependencies): Promise<void> {
  const { clock, expiries } = dependencies
  for (;;) {
    const deviceIds = expiries.due(clock(), FLEET_PAGE_ROWS)
    if (deviceIds.length === 0) return
    await lookAtIds(dependencies, deviceIds)
  }
}
