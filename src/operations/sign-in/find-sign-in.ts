import { digestText, equalBytes } from '../../base/digest.ts'
import { fromBase64Url, toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import type { StoredSignIn } from '../../store/system/sign-ins.ts'
import type { SignInClient } from '../../vendors/oidc/sign-in-clients.ts'
import { readSignInName } from './sign-in-name.ts'

/** Why a browser cannot go on with a sign-in. */
export const SIGN_IN_REASONS = [
  /** There is none of that id, or none any more. */
  'sign_in_unknown',
  /** The browser has not the cookie of the one that began it. */
  'sign_in_of_another_browser',
  'sign_in_expired',
  /** The identity provider was answered already. */
  'sign_in_ended',
  'sign_in_ticket_refused',
] as const

export type SignInFailure = { readonly reason: (typeof SIGN_IN_REASONS)[number] }

export type FindSignInDependencies = {
  readonly store: Pick<Store, 'findSignIn'>
  readonly signInClients: readonly SignInClient[]
}

/** A sign-in that the browser began which asks. It may have expired or ended since. */
export type FoundSignIn = { readonly stored: StoredSignIn; readonly client: SignInClient }

/** What is kept of the cookie of a browser. */
export function hashOfCookie(cookie: string): string {
  return toBase64Url(digestText('sha256', cookie))
}

/**
 * Finds a sign-in for the browser that began it. Of one that another browser began nothing is told but that,
 * and one whose identity provider is registered no more is unknown.
 */
export async function findSignIn(
  { store, signInClients }: FindSignInDependencies,
  { signInId, cookie }: { readonly signInId: string; readonly cookie: string | undefined },
): Promise<Result<FoundSignIn, SignInFailure>> {
  const name = readSignInName(signInId)
  const stored = name && (await store.findSignIn(name))
  const client = signInClients.find(({ clientId }) => clientId === stored?.clientId)
  if (!stored || client === undefined) return err({ reason: 'sign_in_unknown' })
  const sent = fromBase64Url(hashOfCookie(cookie ?? '')) ?? new Uint8Array()
  const kept = fromBase64Url(stored.browserHash) ?? new Uint8Array(1)
  if (cookie === undefined || !equalBytes(sent, kept)) {
    return err({ reason: 'sign_in_of_another_browser' })
  }
  return ok({ stored, client })
}

/** The same of one that waits for a device still. */
export async function findWaitingSignIn(
  dependencies: FindSignInDependencies & { readonly clock: () => Date },
  asked: { readonly signInId: string; readonly cookie: string | undefined },
): Promise<Result<FoundSignIn, SignInFailure>> {
  const found = await findSignIn(dependencies, asked)
  if (!found.ok) return found
  const { endedAt, expiresAt } = found.value.stored
  if (endedAt !== null) return err({ reason: 'sign_in_ended' })
  return dependencies.clock() < expiresAt ? found : err({ reason: 'sign_in_expired' })
}
