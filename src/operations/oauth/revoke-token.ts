import { err, ok, type Result } from '../../base/result.ts'
import type { ClientDirectory } from '../../keys/client-directory.ts'
import type { Form } from '../../oauth/token-form.ts'
import type { Store } from '../../store/store.ts'
import type { StoredClient } from '../../store/system/clients.ts'
import { type OwnTokenDependencies, readOwnToken } from './read-token.ts'

/** Why a token is not revoked. */
export const REVOCATION_REASONS = [
  'token_parameter_missing',
  /** RFC 7009 §2.1: it was issued to somebody else. */
  'token_of_another_client',
] as const

export type RevocationFailure = { readonly reason: (typeof REVOCATION_REASONS)[number] }

export type RevocationDependencies = OwnTokenDependencies & {
  readonly store: Pick<Store, 'revokeAccessToken'>
  readonly clients: Pick<ClientDirectory, 'forget'>
}

/**
 * Ends an access token of the client that asks (RFC 7009 §2). What is no token of ours, or has ended, needs
 * nothing (§2.2). Other processes notice within `CLIENT_MAX_AGE_MS`.
 */
export async function revokeToken(
  dependencies: RevocationDependencies,
  { client, form }: { readonly client: StoredClient; readonly form: Form },
): Promise<Result<null, RevocationFailure>> {
  const text = form.get('token')
  if (text === undefined) return err({ reason: 'token_parameter_missing' })
  const read = await readOwnToken(dependencies, text)
  if (!read.ok) return ok(null)
  const { clientId, tokenId, generation, expiresAt } = read.value
  if (clientId !== client.clientId) return err({ reason: 'token_of_another_client' })
  const { store, clients, clock } = dependencies
  const change = { clientId, tokenId, generation, expiresAt, by: clientId, now: clock() }
  await store.revokeAccessToken(change)
  clients.forget(clientId)
  return ok(null)
}
