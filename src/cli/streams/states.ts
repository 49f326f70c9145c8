import { setTimeout as sleep } from 'node:timers/promises'
import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { plural } from '../../base/words.ts'
import { createStateStream } from '../../operations/signals/create-state-stream.ts'
import { fillStream } from '../../operations/signals/fill-stream.ts'
import { newStreamId } from '../../operations/signals/stream-id.ts'
import { nameOfTarget, STATE, type StateTarget } from '../../signals/state-target.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress } from '../framework/progress.ts'
import { findStream, notFound } from './list.ts'

const clock = () => new Date()

/** Makes the stream that writes the state of devices somewhere. `guide`: the page about it. */
export async function addTarget(
  store: Store,
  {
    target,
    guide,
    json,
  }: { readonly target: StateTarget; readonly guide: string; readonly json: boolean },
): Promise<number> {
  const making = { store, clock, newStreamId: () => newStreamId(createRandomSource()) }
  const streamId = await createStateStream(making, target, COMMAND_LINE)
  if (streamId === undefined) {
    process.stderr.write(`${nameOfTarget(target)} has a stream already: ${COMMAND} streams list\n`)
    return EXIT.refused
  }
  if (json) printJson({ stream_id: streamId })
  else {
    printText(`Stream  ${streamId}

What becomes of devices is written from now on (${guide}).
To see whether we are let in:    ${COMMAND} streams test ${streamId}
For the devices that there are:  ${COMMAND} streams fill ${streamId}\n`)
  }
  return EXIT.done
}

export async function fill(
  store: Store,
  { id, json }: { readonly id: string; readonly json: boolean },
): Promise<number> {
  const { delivery } = await findStream(store, id)
  if (delivery.method !== STATE) {
    throw new Error(
      `${id} carries events, not states, and cannot be filled; ` +
        `its receiver is told what changes from now on: ${COMMAND} streams list`,
    )
  }
  const progress = createProgress(process.stderr, clock)
  const filled = await fillStream(
    { store, clock, wait: (ms) => sleep(ms) },
    {
      streamId: id,
      onProgress: (devices) => progress.show(`${plural(devices, 'device')} gone through`),
    },
  ).finally(progress.end)
  if (filled === undefined) throw notFound(id)
  if (json) printJson({ stream_id: id, devices: filled })
  else {
    printText(`The state of ${plural(filled, 'device')} is being written.
Which could not be matched: ${COMMAND} streams dead ${id}\n`)
  }
  return EXIT.done
}
