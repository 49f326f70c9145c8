import { err, ok, type Result } from '../../base/result.ts'
import type { ClientDirectory } from '../../keys/client-directory.ts'
import type { VerifiedAccessToken } from '../../oauth/access-token.ts'
import { mayDo, type Scope } from '../../oauth/scopes.ts'

/** Why a sound access token of ours does not count any more. */
export const ACCESS_TOKEN_STANDING_REASONS = [
  'access_token_client_unknown',
  'access_token_client_disabled',
  /** Its client got another secret or other keys, and nothing of before was to count. */
  'access_token_superseded',
  'access_token_revoked',
] as const

export type AccessTokenStandingFailure = {
  readonly reason: (typeof ACCESS_TOKEN_STANDING_REASONS)[number]
}

/**
 * What a verified access token lets its client do now. The client is known as it was seconds ago
 * (`CLIENT_MAX_AGE_MS`): so long a token may outlive its revocation in another process. Throws `StoreError`
 * where the client cannot be looked up, which says nothing about the token.
 */
export async function standingOf(
  clients: Pick<ClientDirectory, 'find'>,
  token: VerifiedAccessToken,
): Promise<Result<readonly Scope[], AccessTokenStandingFailure>> {
  const client = await clients.find(token.clientId)
  if (client === null) return err({ reason: 'access_token_client_unknown' })
  if (client.disabledAt !== null) return err({ reason: 'access_token_client_disabled' })
  if (client.generation !== token.generation) return err({ reason: 'access_token_superseded' })
  if (Object.hasOwn(client.revokedTokens, token.tokenId)) {
    return err({ reason: 'access_token_revoked' })
  }
  return ok(token.scopes.filter((scope) => mayDo(client.scopes, scope)))
}
