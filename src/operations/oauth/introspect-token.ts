import { err, ok, type Result } from '../../base/result.ts'
import type { ClientDirectory } from '../../keys/client-directory.ts'
import type { Form } from '../../oauth/token-form.ts'
import type { StoredClient } from '../../store/system/clients.ts'
import { type OwnTokenDependencies, readOwnToken } from './read-token.ts'
import type { RevocationFailure } from './revoke-token.ts'
import { standingOf } from './token-standing.ts'

export type IntrospectionDependencies = OwnTokenDependencies & {
  readonly clients: Pick<ClientDirectory, 'find'>
}

/** RFC 7662 §2.2; `cnf` and `token_type` as RFC 9449 §6.2 has them. */
export type Introspection = { readonly active: false } | ActiveToken

type ActiveToken = {
  readonly active: true
  readonly scope: string
  readonly client_id: string
  readonly token_type: 'Bearer' | 'DPoP'
  readonly exp: number
  readonly iat: number
  readonly sub: string
  readonly aud: string
  readonly iss: string
  readonly jti: string
  readonly cnf?: { readonly jkt: string }
}

const INACTIVE = { active: false } as const

/**
 * What an access token of ours is good for now. A client is told of its own tokens, and with the scope
 * `admin.read` of all; of others it learns no more than of what is no token (RFC 7662 §2.2, §4).
 */
export async function introspectToken(
  dependencies: IntrospectionDependencies,
  { client, form }: { readonly client: StoredClient; readonly form: Form },
): Promise<Result<Introspection, RevocationFailure>> {
  const text = form.get('token')
  if (text === undefined) return err({ reason: 'token_parameter_missing' })
  const read = await readOwnToken(dependencies, text)
  if (!read.ok) return ok(INACTIVE)
  const token = read.value
  const { clientId, boundTo, issuedAt, expiresAt, tokenId } = token
  const mayKnow = clientId === client.clientId || client.scopes.includes('admin.read')
  if (!mayKnow) return ok(INACTIVE)
  const scopes = await standingOf(dependencies.clients, token)
  if (!scopes.ok) return ok(INACTIVE)
  const { issuer } = dependencies
  return ok({
    active: true,
    scope: scopes.value.join(' '),
    client_id: clientId,
    token_type: boundTo === undefined ? 'Bearer' : 'DPoP',
    exp: expiresAt.getTime() / 1000,
    iat: issuedAt.getTime() / 1000,
    sub: clientId,
    aud: issuer,
    iss: issuer,
    jti: tokenId,
    ...(boundTo !== undefined && { cnf: { jkt: boundTo } }),
  })
}
