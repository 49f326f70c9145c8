import { EVENT_TYPES } from '../../signals/event-types.ts'
import { nameOfTarget, STATE, type StateTarget } from '../../signals/state-target.ts'
import type { Store } from '../../store/store.ts'

/** Of one target: another stream to it would write the same once more. */
const MOST = 1

/** Makes the stream that keeps a directory in step with the state of devices; `undefined` if it has one. */
export async function createStateStream(
  {
    store,
    newStreamId,
    clock,
  }: {
    readonly store: Pick<Store, 'createStream'>
    readonly newStreamId: () => string
    readonly clock: () => Date
  },
  target: StateTarget,
  by: string,
): Promise<string | undefined> {
  const streamId = newStreamId()
  const type = 'device-compliance-change'
  const answer = await store.createStream({
    ...{ streamId, clientId: nameOfTarget(target), audience: target.kind, subjectForm: 'device' },
    delivery: { method: STATE, target },
    ...{ eventsRequested: [EVENT_TYPES[type]], eventsDelivered: [type], description: null },
    ...{ most: MOST, by, now: clock() },
  })
  return answer === 'applied' ? streamId : undefined
}
