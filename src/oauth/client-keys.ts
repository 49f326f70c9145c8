import { err, ok, type Result } from '../base/result.ts'
import { parseJsonObject } from '../evidence/jws/compact-jws.ts'
import { type JwksFailure, readJwks, type VerifyingKey } from './key-set.ts'
import { MAX_JWKS_URL_CHARS } from './limits.ts'

/** Why keys cannot be a client's, besides what is wrong with the set. For the administrator. */
export const CLIENT_KEYS_REASONS = ['client_key_unusable', 'client_jwks_url_refused'] as const

export type ClientKeysFailure =
  | { readonly reason: (typeof CLIENT_KEYS_REASONS)[number]; readonly member?: string }
  | JwksFailure

/** The public keys of a client: the set itself (RFC 7517 §5), or where the client publishes it. */
export type ClientKeys =
  | { readonly kind: 'set'; readonly jwks: { readonly keys: readonly StoredJwk[] } }
  | { readonly kind: 'url'; readonly url: string }

/** A public key with nothing else than what it is verified with. */
type StoredJwk = Readonly<Record<string, string>>

/** Reads the text of a key set that a client is to be known by. Every key of it has to be one that serves. */
export function readClientKeySet(text: string): Result<ClientKeys, ClientKeysFailure> {
  const read = readJwks(parseJsonObject(text))
  if (!read.ok) return read
  const { keys, ignored } = read.value
  const [first] = ignored
  if (first !== undefined) return err({ reason: 'client_key_unusable', member: `keys.${first}` })
  return ok({ kind: 'set', jwks: { keys: keys.map(toStored) } })
}

/**
 * Reads where a client publishes its key set: an `https` URL. Whether its host is on the public network is
 * looked at whenever it is fetched.
 */
export function readClientKeySetUrl(text: string): Result<ClientKeys, ClientKeysFailure> {
  const url = text.length <= MAX_JWKS_URL_CHARS && URL.canParse(text) ? new URL(text) : undefined
  const isGood =
    url?.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === ''
  return isGood ? ok({ kind: 'url', url: url.href }) : err({ reason: 'client_jwks_url_refused' })
}

function toStored({ kid, jwk, algorithms }: VerifyingKey): StoredJwk {
  const [alg, ...others] = algorithms
  const isForOne = alg !== undefined && others.length === 0
  return { ...jwk, ...(kid !== undefined && { kid }), ...(isForOne && { alg }) }
}
