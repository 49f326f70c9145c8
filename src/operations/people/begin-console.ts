import { z } from 'zod'
import { digestText, equalBytes } from '../../base/digest.ts'
import { fromBase64Url, toBase32, toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { CALLBACK_PATH, type PeopleDependencies } from './dependencies.ts'
import type { SignInRefusal } from './failures.ts'
import type { IssuerUnavailable } from './issuer.ts'
import { sealClaims, unsealClaims } from './sealed-claims.ts'

/** How long a person has at the issuer. */
export const CONSOLE_SIGN_IN_SECONDS = 600

const RANDOM_BYTES = 32
const SESSION_ID_BYTES = 20

/** What a sign-in is about, sealed into the `state` that comes back: nothing has to be kept for it. */
export type ConsoleSignIn = {
  /** That of the session it leads to: so it leads to one at most. */
  readonly sessionId: string
  readonly begunAt: Date
  readonly nonce: string
  /** RFC 7636 */
  readonly verifier: string
  /** A page of the console, below our URL. */
  readonly returnTo: string
  /** Of the cookie of the browser that began it. */
  readonly browserHash: string
}

const sealedState = z.object({
  sid: z.string(),
  iat: z.number(),
  nonce: z.string(),
  verifier: z.string(),
  to: z.string(),
  browser: z.string(),
})

export function newSessionId(random: (length: number) => Uint8Array): string {
  return `ses_${toBase32(random(SESSION_ID_BYTES))}`
}

/** A secret for the cookie of a browser. */
export function newBrowserSecret(random: (length: number) => Uint8Array): string {
  return toBase64Url(random(RANDOM_BYTES))
}

export function hashOfBrowser(secret: string): string {
  return toBase64Url(digestText('sha256', secret))
}

/**
 * Begins a sign-in: the URL at the issuer by which the browser with the cookie `browser` goes on (OpenID Connect
 * Core 1.0 §3.1.2.1, with PKCE by RFC 7636).
 */
export async function beginConsoleSignIn(
  {
    issuer,
    openIssuer,
    keys,
    publicUrl,
    clock,
    random,
  }: Pick<PeopleDependencies, 'issuer' | 'openIssuer' | 'keys' | 'publicUrl' | 'clock' | 'random'>,
  { browser, returnTo }: { readonly browser: string; readonly returnTo: string },
): Promise<Result<URL, IssuerUnavailable>> {
  if (issuer === undefined || openIssuer === undefined) throw new TypeError('there is no issuer')
  const opened = await openIssuer()
  if (!opened.ok) return opened
  const { library, configuration } = opened.value
  const now = clock()
  const [nonce, verifier] = [toBase64Url(random(RANDOM_BYTES)), toBase64Url(random(RANDOM_BYTES))]
  const claims = {
    ...{ sid: newSessionId(random), nonce, verifier, to: returnTo },
    browser: hashOfBrowser(browser),
  }
  const until = new Date(now.getTime() + CONSOLE_SIGN_IN_SECONDS * 1000)
  return ok(
    library.buildAuthorizationUrl(configuration, {
      redirect_uri: publicUrl + CALLBACK_PATH,
      scope: issuer.scope,
      state: await sealClaims(claims, { keys: keys.signIn, now, until }),
      nonce,
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }),
  )
}

/** The sign-in that a `state` is of, for the browser that began it and for no other. */
export async function readConsoleSignIn(
  { keys, clock }: Pick<PeopleDependencies, 'keys' | 'clock'>,
  { state, browser }: { readonly state: string; readonly browser: string | undefined },
): Promise<Result<ConsoleSignIn, SignInRefusal>> {
  const opened = await unsealClaims(state, { keys: keys.signIn, now: clock() })
  if (!opened.ok) {
    const isLate = opened.failure.reason === 'expired'
    return err({ reason: isLate ? 'console_sign_in_expired' : 'console_state_refused' })
  }
  const claims = sealedState.parse(opened.value)
  const sent = fromBase64Url(hashOfBrowser(browser ?? '')) ?? new Uint8Array()
  const begun = fromBase64Url(claims.browser) ?? new Uint8Array(1)
  if (browser === undefined || !equalBytes(sent, begun)) {
    return err({ reason: 'console_browser_refused' })
  }
  return ok({
    sessionId: claims.sid,
    begunAt: new Date(claims.iat * 1000),
    nonce: claims.nonce,
    verifier: claims.verifier,
    returnTo: claims.to,
    browserHash: claims.browser,
  })
}
