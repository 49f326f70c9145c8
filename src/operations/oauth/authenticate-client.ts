import { err, ok, type Result } from '../../base/result.ts'
import type { ClientDirectory, ClientFailure } from '../../keys/client-directory.ts'
import type { JwksFetchFailure, PublishedKeySets } from '../../keysets/key-sets.ts'
import {
  ASSERTION_TYPE,
  type AssertionFailure,
  readAssertion,
  verifyAssertion,
} from '../../oauth/client-assertion.ts'
import type { ClientKeys } from '../../oauth/client-keys.ts'
import { readJwks, type VerifyingKey } from '../../oauth/key-set.ts'
import type { Form } from '../../oauth/token-form.ts'
import type { ClientUse, StoredClient } from '../../store/system/clients.ts'
import { type ProofSpending, spendOnce } from './spend-once.ts'

/** Why a request to an OAuth endpoint proves no client, besides what is wrong with a secret or an assertion. */
export const CLIENT_AUTHENTICATION_REASONS = [
  'client_authentication_missing',
  /** RFC 6749 §2.3: more than one method in a request. */
  'client_authentication_repeated',
  /** A secret in the body ends in logs; we announce no `client_secret_post`. */
  'client_secret_in_body',
  'client_id_differs',
  'client_basic_malformed',
  'client_has_no_keys',
] as const

export type ClientAuthenticationFailure = (
  | { readonly reason: (typeof CLIENT_AUTHENTICATION_REASONS)[number] }
  | ClientFailure
  | AssertionFailure
  | JwksFetchFailure
) & {
  /** Whom the request names, where there is such a client: for the log. */
  readonly clientId?: string
}

/** How the request says who sent it. */
export type ClientCredentials = {
  /** HTTP Basic; `malformed` where the header is none. Absent without the header `Authorization`. */
  readonly basic: { readonly id: string; readonly secret: string } | 'malformed' | undefined
  readonly form: Form
}

export type AuthenticationDependencies = ProofSpending & {
  readonly clients: Pick<ClientDirectory, 'verify' | 'find'>
  readonly keySets: PublishedKeySets
  readonly issuer: string
  readonly clock: () => Date
  readonly clockSkewSeconds: number
  /** Told of clients that proved themselves by a key; of secrets the directory tells. */
  readonly noteUse: (use: ClientUse) => void
}

type Authenticated = Result<StoredClient, ClientAuthenticationFailure>

/**
 * The client that sent a request to an OAuth endpoint: by its secret (`client_secret_basic`, RFC 6749 §2.3.1)
 * or by an assertion that one of its keys signed (`private_key_jwt`, RFC 7523 §2.2), which counts once.
 */
export async function authenticateClient(
  dependencies: AuthenticationDependencies,
  { basic, form }: ClientCredentials,
): Promise<Authenticated> {
  if (form.has('client_secret')) return err({ reason: 'client_secret_in_body' })
  const assertion = form.get('client_assertion')
  const type = form.get('client_assertion_type')
  const isAsserted = assertion !== undefined || type !== undefined
  if (basic !== undefined && isAsserted) return err({ reason: 'client_authentication_repeated' })
  if (basic === 'malformed') return err({ reason: 'client_basic_malformed' })
  const named = form.get('client_id')
  if (basic !== undefined) {
    if (named !== undefined && named !== basic.id) return err({ reason: 'client_id_differs' })
    const verified = await dependencies.clients.verify(basic)
    if (verified.ok || verified.failure.reason === 'client_unknown') return verified
    return err({ ...verified.failure, clientId: basic.id })
  }
  if (!isAsserted) return err({ reason: 'client_authentication_missing' })
  if (type !== ASSERTION_TYPE) return err({ reason: 'assertion_type_unknown' })
  if (assertion === undefined) return err({ reason: 'assertion_malformed' })
  return authenticateByAssertion(dependencies, { assertion, named })
}

async function authenticateByAssertion(
  dependencies: AuthenticationDependencies,
  { assertion, named }: { readonly assertion: string; readonly named: string | undefined },
): Promise<Authenticated> {
  const { clients, issuer, clock, clockSkewSeconds } = dependencies
  const read = readAssertion(assertion)
  if (!read.ok) return read
  const { clientId, kid } = read.value
  if (named !== undefined && named !== clientId) return err({ reason: 'client_id_differs' })
  const client = await clients.find(clientId)
  if (client === null) return err({ reason: 'client_unknown' })
  if (client.keys === null) return err({ reason: 'client_has_no_keys', clientId })
  const keys = await keysOf(client.keys, kid, dependencies)
  if (!keys.ok) return err({ ...keys.failure, clientId })
  const now = clock()
  const expected = { clientId, kid, issuer, now, clockSkewSeconds, keys: keys.value }
  const verified = await verifyAssertion(assertion, expected)
  if (!verified.ok) return err({ ...verified.failure, clientId })
  if (client.disabledAt !== null) return err({ reason: 'client_disabled', clientId })
  const { jti, expiresAt } = verified.value
  const isFirst = await spendOnce(dependencies, { names: ['assertion', clientId, jti], expiresAt })
  if (!isFirst) return err({ reason: 'assertion_replayed', clientId })
  dependencies.noteUse({ clientId, secretHash: null, at: now })
  return ok(client)
}

async function keysOf(
  keys: ClientKeys,
  kid: string | undefined,
  { keySets }: AuthenticationDependencies,
): Promise<Result<readonly VerifyingKey[], JwksFetchFailure>> {
  if (keys.kind === 'url') return keySets.keysAt(keys.url, kid)
  const read = readJwks(keys.jwks)
  // What was accepted when it was given and is not any more verifies nothing.
  return ok(read.ok ? read.value.keys : [])
}
