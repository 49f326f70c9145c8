import type { JWTPayload } from 'jose'
import { err, ok, type Result } from '../../base/result.ts'
import { type JwtFault, peekJwt, verifyJwtByKeySet } from '../../oauth/verify-jwt.ts'
import { CALLBACK_PATH, type PeopleDependencies } from './dependencies.ts'
import type { SignInRefusal } from './failures.ts'
import type { IssuerClient, IssuerUnavailable } from './issuer.ts'

/** Who somebody is by the word of the issuer: verified. */
export type ProvenIdentity = {
  readonly claims: JWTPayload & { readonly sub: string }
  /** The issuer, as it calls itself. */
  readonly identifier: string
}

export type IdentityFailure = SignInRefusal | IssuerUnavailable

type Redeemed = Pick<PeopleDependencies, 'issuer' | 'openIssuer' | 'keySets' | 'publicUrl'> &
  Pick<PeopleDependencies, 'clock' | 'clockSkewSeconds'>

const MAX_ID_TOKEN_CHARS = 65_536
const RETRY_SECONDS = 5

/**
 * Redeems the code of an answer for an ID token. openid-client checks the answer (state, and `iss` by RFC 9207) and
 * the claims (OpenID Connect Core 1.0 §3.1.3.7: issuer, audience, times, nonce); the signature, which a token that
 * comes straight from the issuer may go without, is verified here all the same, by its keys.
 */
export async function redeemIdentity(
  dependencies: Redeemed,
  answer: {
    readonly query: URLSearchParams
    readonly state: string
    readonly nonce: string
    readonly verifier: string
  },
): Promise<Result<ProvenIdentity, IdentityFailure>> {
  const { openIssuer, publicUrl } = dependencies
  if (openIssuer === undefined) return err({ reason: 'console_state_refused' })
  const opened = await openIssuer()
  if (!opened.ok) return opened
  const { library, configuration, metadata } = opened.value
  const { query } = answer
  const mixedUp = judgeSender(query, metadata)
  if (mixedUp !== undefined) return err(mixedUp)
  const refused = query.get('error')
  if (refused !== null) return err({ reason: 'console_issuer_refused', detail: plain(refused) })
  const back = new URL(`${publicUrl}${CALLBACK_PATH}?${query}`)
  try {
    const tokens = await library.authorizationCodeGrant(configuration, back, {
      expectedState: answer.state,
      expectedNonce: answer.nonce,
      pkceCodeVerifier: answer.verifier,
    })
    return await verifySignature(dependencies, opened.value, tokens.id_token ?? '')
  } catch (error) {
    return err(explain(error, library))
  }
}

/** RFC 9207 §2.4: an answer that does not say whose it is counts where its issuer never says so. */
function judgeSender(
  query: URLSearchParams,
  metadata: IssuerClient['metadata'],
): SignInRefusal | undefined {
  const says = metadata.authorization_response_iss_parameter_supported === true
  const sender = query.get('iss')
  if (sender === null ? !says : sender === metadata.issuer && query.getAll('iss').length === 1) {
    return undefined
  }
  return { reason: 'console_issuer_mixed_up', detail: plain(sender ?? 'no iss') }
}

async function verifySignature(
  { issuer, keySets, clock, clockSkewSeconds }: Redeemed,
  { metadata }: IssuerClient,
  token: string,
): Promise<Result<ProvenIdentity, IdentityFailure>> {
  const jws = peekJwt(token, MAX_ID_TOKEN_CHARS)
  const { jwks_uri: place } = metadata
  if (jws === undefined || issuer === undefined || place === undefined) {
    return err({ reason: 'console_id_token_refused', detail: 'malformed' })
  }
  const { kid, alg: algorithm } = jws.header
  const name = typeof kid === 'string' ? kid : undefined
  const keys = await keySets.keysAt(place, name)
  if (!keys.ok) return err(unavailable(keys.failure.retryAfterSeconds))
  const jwt = await verifyJwtByKeySet(token, {
    ...{ keys: keys.value, kid: name, algorithm, now: clock(), clockSkewSeconds },
    ...{ issuer: metadata.issuer, audience: issuer.clientId, types: undefined },
    requiredClaims: ['iat', 'sub', 'nonce'],
  })
  if (!jwt.ok) return err(REFUSED[jwt.fault] ?? refusedToken(jwt.fault))
  const { sub } = jwt.payload
  if (typeof sub !== 'string' || sub === '') return err(refusedToken('sub'))
  return ok({ claims: { ...jwt.payload, sub }, identifier: metadata.issuer })
}

const REFUSED: Partial<Readonly<Record<JwtFault, SignInRefusal>>> = {
  audience: { reason: 'console_audience_refused' },
  issuer: { reason: 'console_issuer_mixed_up' },
}

function refusedToken(detail: string): SignInRefusal {
  return { reason: 'console_id_token_refused', detail }
}

function unavailable(retryAfterSeconds = RETRY_SECONDS): IssuerUnavailable {
  return { reason: 'console_issuer_unavailable', retryAfterSeconds }
}

/** Which claims of an ID token were others than expected, by what the library calls them. */
const REFUSED_CLAIMS: Readonly<Record<string, SignInRefusal['reason']>> = {
  nonce: 'console_nonce_refused',
  aud: 'console_audience_refused',
  azp: 'console_audience_refused',
  iss: 'console_issuer_mixed_up',
}

/** Why the library takes no tokens. What it could not fetch says nothing about the person. */
function explain(error: unknown, library: IssuerClient['library']): IdentityFailure {
  if (error instanceof library.ResponseBodyError) {
    const isCode = error.error === 'invalid_grant'
    return {
      reason: isCode ? 'console_code_refused' : 'console_client_refused',
      detail: plain(error.error),
    }
  }
  if (error instanceof library.WWWAuthenticateChallengeError) {
    return { reason: 'console_client_refused' }
  }
  if (!(error instanceof library.ClientError) || isFault(error.code)) return unavailable()
  const claim: unknown = Object(Object(error.cause).cause).claim
  const reason = typeof claim === 'string' ? REFUSED_CLAIMS[claim] : undefined
  if (reason !== undefined) return { reason }
  const { cause } = error
  return refusedToken(plain(cause instanceof Error ? cause.message : error.message))
}

/** Codes of the library for what is no answer of an issuer. */
function isFault(code: string | undefined): boolean {
  const faults = ['OAUTH_TIMEOUT', 'OAUTH_ABORT', 'OAUTH_RESPONSE_IS_NOT_JSON']
  return code === undefined || [...faults, 'OAUTH_RESPONSE_IS_NOT_CONFORM'].includes(code)
}

/** What others say, as far as a log line can show it. */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)
}
