import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'

export const CLIENT_CHANGE_REASONS = ['client_not_found'] as const

/**
 * Ends what a client may do, and disables its streams. Running services notice within seconds; its id stays known.
 */
export async function disableClient(
  store: Pick<Store, 'disableClient'>,
  change: Parameters<Store['disableClient']>[0],
): Promise<
  Result<{ readonly changed: boolean }, { readonly reason: (typeof CLIENT_CHANGE_REASONS)[number] }>
> {
  const answer = await store.disableClient(change)
  if (answer === 'client_unknown') return err({ reason: 'client_not_found' })
  return ok({ changed: answer === 'applied' })
}
