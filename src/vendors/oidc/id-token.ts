import { METHOD, type SignInPlace, type SignInRequest } from './authentication-request.ts'
import { ID_TOKEN_SECONDS } from './limits.ts'
import type { SignInClient } from './sign-in-clients.ts'

/** What was found of the device that was proven. */
export type ProvenSignIn = {
  readonly deviceId: string
  /** Whether the device is on record here. */
  readonly isManaged: boolean
  /** What was decided. */
  readonly isGranted: boolean
}

/**
 * The claims of an ID token. Entra gets one for a granted sign-in alone (external authentication methods: `sub`
 * of the hint, the context that it asked for, one method); Okta gets what is true of the device, and
 * decides by it (`device_context` of device posture).
 */
export function claimsOfIdToken(
  { client, request }: { readonly client: SignInClient; readonly request: SignInRequest },
  proven: ProvenSignIn,
  { issuer, now }: { readonly issuer: string; readonly now: Date },
): object {
  const issuedAt = Math.floor(now.getTime() / 1000)
  const claims = {
    iss: issuer,
    aud: client.clientId,
    sub: request.person?.subject ?? proven.deviceId,
    iat: issuedAt,
    exp: issuedAt + ID_TOKEN_SECONDS,
    ...(request.nonce !== null && { nonce: request.nonce }),
    ...(request.acr !== null && { acr: request.acr }),
    amr: [METHOD],
  }
  if (client.provider === 'entra') return claims
  const { isManaged: managed, isGranted: compliant, deviceId: externalId } = proven
  return { ...claims, device_context: { managed, compliant, externalId } }
}

/** What goes back to an identity provider: an ID token, a code that one is fetched for, or an error. */
export type SignInAnswer =
  | { readonly id_token: string }
  | { readonly code: string }
  | { readonly error: string; readonly error_description: string }

/** How the browser brings an answer to the identity provider. */
export type AnswerToBring =
  /** By a form (OAuth 2.0 Form Post Response Mode §2). */
  | {
      readonly kind: 'form'
      readonly action: string
      readonly fields: Readonly<Record<string, string>>
    }
  /** In the query of its place. RFC 6749 §4.1.2 */
  | { readonly kind: 'link'; readonly url: string }

/** The answer to a request whose place is registered. */
export function bringAnswer(
  { redirectUri, responseMode, state }: Omit<SignInPlace, 'client'>,
  answer: SignInAnswer,
): AnswerToBring {
  const fields = { ...answer, ...(state !== null && { state }) }
  if (responseMode === 'form_post') return { kind: 'form', action: redirectUri, fields }
  const url = new URL(redirectUri)
  for (const [name, value] of Object.entries(fields)) url.searchParams.append(name, value)
  return { kind: 'link', url: url.href }
}
