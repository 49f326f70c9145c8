import { err, ok, type Result } from '../../base/result.ts'
import type { StreamStatus } from '../../signals/stream.ts'
import type { Store } from '../../store/store.ts'

export const STREAM_STATUS_REASONS = ['stream_to_set_not_found'] as const

export type StreamStatusFailure = { readonly reason: (typeof STREAM_STATUS_REASONS)[number] }

/**
 * What an administrator does to the stream of whoever it is. Its receiver is told of it, as it did not do it itself
 * (SSF 1.0 §8.1.5). Answers whether anything was changed.
 */
export async function setStreamStatus(
  store: Pick<Store, 'setStreamStatus' | 'announceToStream'>,
  change: {
    readonly streamId: string
    readonly status: StreamStatus
    readonly reason: string
    readonly by: string
    readonly now: Date
  },
): Promise<Result<boolean, StreamStatusFailure>> {
  const { streamId, status, reason, now } = change
  const answer = await store.setStreamStatus({ ...change, clientId: null })
  if (answer === 'stream_unknown') return err({ reason: 'stream_to_set_not_found' })
  if (answer === 'unchanged') return ok(false)
  const event = { type: 'stream-updated', payload: { status, reason }, intervalMs: 0, now } as const
  await store.announceToStream({ streamId, clientId: null, ...event })
  return ok(true)
}
