import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'

export const STREAM_TEST_REASONS = ['stream_to_test_not_found'] as const

export type StreamTestFailure = { readonly reason: (typeof STREAM_TEST_REASONS)[number] }

/**
 * Has one event of each type that a stream carries sent to it, about a device that there is not and said to be a
 * test in its reasons. They go the way of all events: delivered, retried, refused.
 */
export async function testStream(
  { store, clock }: { readonly store: Pick<Store, 'announceToStream'>; readonly clock: () => Date },
  streamId: string,
): Promise<Result<void, StreamTestFailure>> {
  const event = { type: 'test', payload: {}, intervalMs: 0, now: clock() } as const
  const answer = await store.announceToStream({ streamId, clientId: null, ...event })
  return answer === 'applied' ? ok(undefined) : err({ reason: 'stream_to_test_not_found' })
}
