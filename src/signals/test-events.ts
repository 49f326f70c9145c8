import { type DeviceEvent, eventsOf } from './device-change.ts'
import type { SubjectDevice } from './subject.ts'

/** No device has this name: the name of each is the base32 of a digest. */
export const TEST_DEVICE: SubjectDevice = {
  deviceId: 'dev_test',
  owner: 'countersign-test@invalid.example',
}

const SAID = 'This is a test of the stream, asked for by an administrator. Nothing happened.'

/** One event of each type, each said to be a test in what is told to people (`reason_admin`, `reason_user`). */
export function describeTestEvents(at: Date): readonly DeviceEvent[] {
  const told = { en: SAID }
  return eventsOf(
    {
      ...{ at, cause: 'administrator' },
      ...{ previousStatus: 'compliant', currentStatus: 'not-compliant' },
      ...{ previousVerdict: 'trusted', currentVerdict: 'quarantined' },
    },
    { admin: told, user: told },
  )
}
