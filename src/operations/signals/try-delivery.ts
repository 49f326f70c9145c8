import { WEBHOOK } from '../../alerts/webhook.ts'
import type { DeviceEventType } from '../../signals/event-types.ts'
import { type PushOutcome, pauseAfter } from '../../signals/push-answer.ts'
import { STATE } from '../../signals/state-target.ts'
import type { DeliveryOutcome } from '../../store/signals/delivery-outcomes.ts'
import type { DueDelivery } from '../../store/signals/due-deliveries.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import { GIVEN_BACK, type WriteDeviceState } from '../vendors/write-device-state.ts'
import { deliverState, type MayGoOn } from './deliver-state.ts'
import { type EventDependencies, eventsOfDelivery, isDeviceEvent } from './events-of-delivery.ts'

export type TryDependencies = EventDependencies & {
  /** Sends a token to where a stream wants it. Never throws. */
  readonly push: (stream: StoredStream, token: string) => Promise<PushOutcome>
  /** The same for streams of states. */
  readonly writeState: WriteDeviceState
  /** The same for destinations of alarms. */
  readonly postAlarm: (
    target: { readonly url: string; readonly sealedSecrets: string },
    due: DueDelivery,
  ) => Promise<PushOutcome>
  readonly clock: () => Date
  /** From 0 to less than 1. */
  readonly chance: () => number
}

/**
 * Sends the events of one delivery that the stream does not have yet, in their order; or to a stream of states
 * writes the state of the device, or to a destination of alarms posts what became of one.
 */
export async function tryDelivery(
  dependencies: TryDependencies,
  stream: StoredStream,
  { due, keepOn }: { readonly due: DueDelivery; readonly keepOn: MayGoOn },
): Promise<Tried> {
  const { deviceId, streamId, position } = due
  const name = { deviceId, streamId, position }
  const { delivery } = stream
  if (delivery.method === STATE) {
    if (!(await keepOn())) return asked(givenBack(dependencies, { name, delivered: [] }))
    const outcome = await deliverState(dependencies.writeState, delivery.target, { due, keepOn })
    if (outcome === GIVEN_BACK) return asked(givenBack(dependencies, { name, delivered: [] }))
    const wasAsked = outcome.kind === 'later' || outcome.isUnasked !== true
    return { outcome: settledAs(dependencies, due, { name, outcome }), wasAsked }
  }
  if (delivery.method === WEBHOOK) {
    if (!(await keepOn())) return asked(givenBack(dependencies, { name, delivered: [] }))
    const outcome = await dependencies.postAlarm(delivery, due)
    return asked(settledAs(dependencies, due, { name, outcome }))
  }
  return asked(await pushEvents(dependencies, stream, { due, keepOn }))
}

/** `wasAsked`: the outcome says whether the receiver can be reached. */
export type Tried = { readonly outcome: DeliveryOutcome; readonly wasAsked: boolean }

function asked(outcome: DeliveryOutcome): Tried {
  return { outcome, wasAsked: true }
}

async function pushEvents(
  dependencies: TryDependencies,
  stream: StoredStream,
  { due, keepOn }: { readonly due: DueDelivery; readonly keepOn: MayGoOn },
): Promise<DeliveryOutcome> {
  const { deviceId, streamId, position } = due
  const name = { deviceId, streamId, position }
  const events = await eventsOfDelivery(dependencies, stream, due)
  if (events === undefined) return laterOf(dependencies, due, { name, failure: 'not known here' })
  const delivered: DeviceEventType[] = [...due.delivered]
  let refused: string | undefined
  for (const { type, sign } of events) {
    if (!(await keepOn())) return givenBack(dependencies, { name, delivered })
    const outcome = await dependencies.push(stream, await sign())
    if (outcome.kind === 'later') {
      const { cause: failure, retryAfterMs } = outcome
      return laterOf(dependencies, due, { name, failure, retryAfterMs, delivered })
    }
    if (outcome.kind === 'refused') refused = `${outcome.error} ${outcome.description}`.trim()
    else if (isDeviceEvent(type)) delivered.push(type)
  }
  return refused === undefined
    ? { ...name, outcome: 'delivered' }
    : { ...name, outcome: 'refused', delivered, failure: refused }
}

function settledAs(
  dependencies: TryDependencies,
  due: DueDelivery,
  {
    name,
    outcome,
  }: Pick<Parameters<typeof laterOf>[2], 'name'> & { readonly outcome: PushOutcome },
): DeliveryOutcome {
  if (outcome.kind === 'delivered') return { ...name, outcome: 'delivered' }
  if (outcome.kind === 'later') {
    const { cause: failure, retryAfterMs } = outcome
    return laterOf(dependencies, due, { name, failure, retryAfterMs })
  }
  const failure = `${outcome.error} ${outcome.description}`.trim()
  return { ...name, outcome: 'refused', delivered: [], failure }
}

/** Another run goes on with it at once. */
function givenBack(
  { clock }: TryDependencies,
  { name, delivered }: Pick<Parameters<typeof laterOf>[2], 'name' | 'delivered'>,
): DeliveryOutcome {
  const nextAttemptAt = clock()
  return { ...name, outcome: 'later', delivered: delivered ?? [], failure: '', nextAttemptAt }
}

function laterOf(
  { clock, chance }: TryDependencies,
  { attempts }: DueDelivery,
  why: {
    readonly name: Pick<DueDelivery, 'deviceId' | 'streamId' | 'position'>
    readonly failure: string
    readonly retryAfterMs?: number | undefined
    readonly delivered?: readonly DeviceEventType[]
  },
): DeliveryOutcome {
  const { name, failure, retryAfterMs, delivered = [] } = why
  const pause = pauseAfter(attempts + 1, retryAfterMs, chance())
  const nextAttemptAt = new Date(clock().getTime() + pause)
  return { ...name, outcome: 'later', delivered, failure, nextAttemptAt }
}
