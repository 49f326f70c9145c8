import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import { replayRefused } from '../../operations/signals/replay-refused.ts'
import type { RefusedDelivery } from '../../store/signals/refused-deliveries.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress } from '../framework/progress.ts'
import { renderTable } from '../framework/table.ts'
import { findStream } from './list.ts'

export async function listRefused(
  store: Store,
  { id, limit, json }: { readonly id: string; readonly limit: number; readonly json: boolean },
): Promise<number> {
  await findStream(store, id)
  const refused = await store.refusedDeliveries({ streamId: id, limit })
  if (json) printJson(refused.map(show))
  else if (refused.length === 0) printText(`${id} has refused nothing.\n`)
  else
    printText(
      `${describe(refused)}\n\nTo send again: ${COMMAND} streams replay ${id} POSITION… (or --all)\n`,
    )
  return EXIT.done
}

function show({ position, deviceId, createdAt, refusedAt, failure, payload }: RefusedDelivery) {
  return {
    position,
    device_id: deviceId,
    created_at: createdAt,
    refused_at: refusedAt,
    failure,
    event: payload,
  }
}

function describe(refused: readonly RefusedDelivery[]): string {
  const rows = refused.map(({ position, deviceId, createdAt, failure, payload }) => [
    String(position),
    deviceId,
    `${Object(payload).currentVerdict ?? ''}`,
    createdAt.toISOString(),
    failure ?? '',
  ])
  return renderTable(['position', 'device', 'became', 'changed at', 'refused because'], rows)
}

export async function replay(
  store: Store,
  input: {
    readonly id: string
    readonly positions: readonly number[] | 'all'
    readonly json: boolean
  },
): Promise<number> {
  const { id, positions, json } = input
  await findStream(store, id)
  const clock = () => new Date()
  const progress = createProgress(process.stderr, clock)
  const replayed = await replayRefused(
    { store, clock },
    {
      ...{ streamId: id, positions, by: COMMAND_LINE },
      onProgress: (done) => progress.show(`${plural(done, 'event')} replayed`),
    },
  ).finally(progress.end)
  if (json) printJson({ stream_id: id, replayed })
  else if (replayed === 0) printText('Nothing of that was refused: nothing was changed.\n')
  else printText(`${plural(replayed, 'event')} of ${id} will be sent again.\n`)
  return EXIT.done
}
