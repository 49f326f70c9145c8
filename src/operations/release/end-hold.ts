import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import type { SecondAdministrator, SecondAwaited } from './second-administrator.ts'

export const HOLD_REASONS = ['hold_not_found'] as const

export type HoldFailure = { readonly reason: (typeof HOLD_REASONS)[number] } | SecondAwaited

/** Ends a hold: from here on its cause counts for every device that meets it. */
export async function endHold(
  store: Pick<Store, 'endHold'>,
  { second, ...end }: Parameters<Store['endHold']>[0] & { readonly second: SecondAdministrator },
): Promise<Result<{ readonly changed: boolean }, HoldFailure>> {
  const waits = await second.ask()
  if (waits !== undefined) return err(waits)
  const answer = await store.endHold(end)
  if (answer === 'hold_unknown') return err({ reason: 'hold_not_found' })
  return ok({ changed: answer === 'applied' })
}
