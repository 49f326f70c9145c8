import { err, ok, type Result } from '../../base/result.ts'
import type { DeviceChange } from '../../store/devices/device-changes.ts'
import type { Store } from '../../store/store.ts'

/**
 * What an administrator does to the standing of a device. `quarantine` ends trust in it until
 * `release`, whatever it attests; `admit` ends its wait for an administrator; `sign-out` ends its
 * device tokens, and it gets another when it attests again. None of them is held up by a second
 * administrator: they take access away, or give back what one administrator took.
 */
export const STANDING_VERBS = ['quarantine', 'release', 'admit', 'sign-out'] as const

export type StandingVerb = (typeof STANDING_VERBS)[number]

export const DEVICE_REASONS = ['device_not_found'] as const

export type DeviceFailure = { readonly reason: (typeof DEVICE_REASONS)[number] }

type StandingStore = Pick<
  Store,
  'quarantineDevice' | 'releaseDevice' | 'admitDevice' | 'signOutDevice'
>

/** Asking again for what is done already changes nothing, except that `sign-out` always does. */
export async function changeStanding(
  store: StandingStore,
  verb: StandingVerb,
  change: DeviceChange,
): Promise<Result<{ readonly changed: boolean }, DeviceFailure>> {
  const answer = await changeOf(store, verb)(change)
  if (answer === 'device_unknown') return err({ reason: 'device_not_found' })
  return ok({ changed: answer === 'applied' })
}

function changeOf(store: StandingStore, verb: StandingVerb) {
  switch (verb) {
    case 'quarantine':
      return store.quarantineDevice
    case 'release':
      return store.releaseDevice
    case 'admit':
      return store.admitDevice
    case 'sign-out':
      return store.signOutDevice
  }
}
