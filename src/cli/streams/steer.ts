import { COMMAND } from '../../base/command.ts'
import { setStreamStatus } from '../../operations/signals/set-stream-status.ts'
import { testStream } from '../../operations/signals/test-stream.ts'
import type { StreamStatus } from '../../signals/stream.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import type { Confirm } from '../framework/confirm.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { findStream, notFound } from './list.ts'

export async function test(
  store: Store,
  { id, json }: { readonly id: string; readonly json: boolean },
): Promise<number> {
  const { eventsDelivered, status } = await findStream(store, id)
  if (eventsDelivered.length === 0) {
    throw new Error(`${id} carries no events: its receiver asked for none that we send`)
  }
  const tested = await testStream({ store, clock: () => new Date() }, id)
  if (!tested.ok) throw notFound(id)
  if (json) printJson({ stream_id: id })
  else if (status !== 'enabled') {
    printText(
      `The events wait: ${id} is ${status} (${COMMAND} streams status ${id} enabled --reason TEXT)\n`,
    )
  } else {
    printText(`Sent as soon as the service comes by: ${eventsDelivered.join(', ')}.
Whether it arrives: ${COMMAND} streams show ${id}
What was refused:   ${COMMAND} streams dead ${id}\n`)
  }
  return EXIT.done
}

export async function setStatus(
  store: Store,
  input: {
    readonly id: string
    readonly status: StreamStatus
    readonly reason: string
    readonly json: boolean
  },
): Promise<number> {
  const { id, status, reason, json } = input
  const now = new Date()
  const change = { streamId: id, status, reason, by: COMMAND_LINE, now }
  const answer = await setStreamStatus(store, change)
  if (!answer.ok) throw notFound(id)
  const changed = answer.value
  if (json) printJson({ stream_id: id, status, changed })
  else printText(`${id} is ${status}${changed ? '' : ' already: nothing was changed'}.\n`)
  return EXIT.done
}

export async function remove(
  store: Store,
  { id, confirm, json }: { readonly id: string; readonly confirm: Confirm; readonly json: boolean },
): Promise<number> {
  const { audience } = await findStream(store, id)
  if (!(await confirm(`End ${id} to ${audience}, with all that waits for it?`))) {
    process.stderr.write('Nothing was changed.\n')
    return EXIT.refused
  }
  const change = { streamId: id, clientId: null, by: COMMAND_LINE, now: new Date() }
  if ((await store.removeStream(change)) !== 'applied') throw notFound(id)
  if (json) printJson({ stream_id: id })
  else printText(`${id} has ended.\n`)
  return EXIT.done
}
