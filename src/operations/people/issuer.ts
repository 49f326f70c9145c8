import type { Configuration, CustomFetch, ServerMetadata } from 'openid-client'
import { readBounded } from '../../base/bounded-body.ts'
import { createFetchCache, type Unavailable } from '../../base/fetch-cache.ts'
import { ok, type Result } from '../../base/result.ts'
import type { ConsoleIssuer } from '../../config/console-settings.ts'

/** Why it cannot be said now who somebody is. */
export const CONSOLE_ISSUER_REASONS = ['console_issuer_unavailable'] as const

/** Never a refusal: the same sign-in may succeed after `retryAfterSeconds`. */
export type IssuerUnavailable = Unavailable<(typeof CONSOLE_ISSUER_REASONS)[number]>

/** The library, for one issuer, with what that says of itself. */
export type IssuerClient = {
  readonly library: typeof import('openid-client')
  readonly configuration: Configuration
  readonly metadata: ServerMetadata
}

export type OpenIssuer = () => Promise<Result<IssuerClient, IssuerUnavailable>>

/** What an issuer answers, whatever it is. */
const MAX_ANSWER_BYTES = 262_144
const TIMEOUT_SECONDS = 5
const MINUTE_MS = 60_000

/**
 * The OpenID provider of the organisation, as its discovery document describes it (OpenID Connect Discovery 1.0
 * §4): read when somebody signs in, and kept for ten minutes, or a day while it is away. The URL comes from the
 * configuration and nowhere else; where its endpoints are, the issuer says itself, under its own name.
 */
export function createIssuer(
  issuer: ConsoleIssuer,
  {
    send,
    clock,
    clockSkewSeconds,
  }: {
    readonly send: typeof fetch
    readonly clock: () => Date
    readonly clockSkewSeconds: number
  },
): OpenIssuer {
  const url = new URL(issuer.url)
  const bounded = boundedFetch(send)
  // On a loopback address nobody is on the way; the settings allow plain HTTP there alone.
  const isPlain = url.protocol === 'http:'
  const cache = createFetchCache({
    clock,
    unavailable: CONSOLE_ISSUER_REASONS[0],
    times: {
      ...{ freshMs: 10 * MINUTE_MS, usableMs: 24 * 60 * MINUTE_MS },
      ...{ pauseMs: MINUTE_MS / 2, firstPauseMs: 2000, timeoutMs: TIMEOUT_SECONDS * 1000 },
    },
    async fetchValue() {
      const library = await import('openid-client')
      try {
        const found = await library.discovery(url, issuer.clientId, undefined, library.None(), {
          [library.customFetch]: bounded,
          execute: isPlain ? [library.allowInsecureRequests] : [],
          timeout: TIMEOUT_SECONDS,
        })
        const metadata = found.serverMetadata()
        return new URL(metadata.issuer).href === url.href ? metadata : undefined
      } catch {
        return undefined
      }
    },
  })
  return async () => {
    const metadata = await cache.get(issuer.url, () => true)
    if (!metadata.ok) return metadata
    const library = await import('openid-client')
    const configuration = new library.Configuration(
      { ...metadata.value },
      issuer.clientId,
      {
        // The library reads the clock of the machine.
        [library.clockSkew]: Math.round((clock().getTime() - Date.now()) / 1000),
        [library.clockTolerance]: clockSkewSeconds,
        // What we verify ourselves, by the keys of the issuer.
        id_token_signed_response_alg: algorithmOf(metadata.value),
      },
      authenticationOf(library, issuer, metadata.value),
    )
    configuration[library.customFetch] = bounded
    configuration.timeout = TIMEOUT_SECONDS
    if (isPlain) library.allowInsecureRequests(configuration)
    return ok({ library, configuration, metadata: metadata.value })
  }
}

/** Algorithms that ID tokens are taken with, the one that is most widely offered first. */
const ALGORITHMS = ['RS256', 'ES256', 'PS256']

/** RFC 8725 §3.1: one algorithm, chosen before any token is looked at. */
function algorithmOf({ id_token_signing_alg_values_supported: offered }: ServerMetadata): string {
  return ALGORITHMS.find((one) => offered?.includes(one)) ?? 'RS256'
}

/** OpenID Connect Discovery 1.0 §3: without a word of the issuer it is HTTP Basic. */
function authenticationOf(
  library: typeof import('openid-client'),
  { clientSecret }: ConsoleIssuer,
  { token_endpoint_auth_methods_supported: methods }: ServerMetadata,
) {
  if (clientSecret === undefined) return library.None()
  const basic = methods === undefined || methods.includes('client_secret_basic')
  return basic ? library.ClientSecretBasic(clientSecret) : library.ClientSecretPost(clientSecret)
}

/** Follows no redirect, and reads so much of an answer and no more. */
export function boundedFetch(send: typeof fetch): CustomFetch {
  return async (url, options) => {
    const answer = await send(url, { ...(options as RequestInit), redirect: 'manual' })
    const body = await readBounded(answer, MAX_ANSWER_BYTES)
    if (body === undefined) throw new TypeError('the answer of the issuer is too long')
    const isEmpty = body.length === 0
    const type = answer.headers.get('content-type')
    // Not what says how it was compressed: it is not any more.
    return new Response(isEmpty ? null : new Uint8Array(body), {
      status: answer.status,
      headers: type === null ? {} : { 'content-type': type },
    })
  }
}
