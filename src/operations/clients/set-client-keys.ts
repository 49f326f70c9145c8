import { err, ok, type Result } from '../../base/result.ts'
import type { ClientKeys } from '../../oauth/client-keys.ts'
import type { Store } from '../../store/store.ts'

export const CLIENT_REKEY_REASONS = [
  'client_to_rekey_not_found',
  'client_to_rekey_disabled',
  /** It has a secret, and no keys. */
  'client_to_rekey_has_secret',
] as const

export type ClientRekeyFailure = { readonly reason: (typeof CLIENT_REKEY_REASONS)[number] }

const FAILURES = {
  client_unknown: 'client_to_rekey_not_found',
  client_disabled: 'client_to_rekey_disabled',
  client_has_secret: 'client_to_rekey_has_secret',
} as const

/**
 * Gives a client other keys in place of those that it has; running services notice within seconds. With
 * `endTokens` its access tokens end too: for when somebody else may have had a key.
 */
export async function setClientKeys(
  store: Pick<Store, 'setClientKeys'>,
  change: {
    readonly clientId: string
    readonly keys: ClientKeys
    readonly endTokens: boolean
    readonly by: string
    readonly now: Date
  },
): Promise<Result<null, ClientRekeyFailure>> {
  const answer = await store.setClientKeys(change)
  return answer === 'applied' ? ok(null) : err({ reason: FAILURES[answer] })
}
