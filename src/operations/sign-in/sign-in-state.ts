import { ok, type Result } from '../../base/result.ts'
import { type FindSignInDependencies, findSignIn, type SignInFailure } from './find-sign-in.ts'

/**
 * Where a sign-in stands, for the page that waits: `proven` says that an agent has answered and its browser
 * has not come back yet, which is one of another window, or another browser of the same machine.
 */
export type SignInState = 'waiting' | 'proven' | 'ended' | 'expired'

export async function readSignInState(
  dependencies: FindSignInDependencies & { readonly clock: () => Date },
  asked: { readonly signInId: string; readonly cookie: string | undefined },
): Promise<Result<SignInState, SignInFailure>> {
  const found = await findSignIn(dependencies, asked)
  if (!found.ok) return found
  const { endedAt, provenAt, expiresAt } = found.value.stored
  if (endedAt !== null) return ok('ended')
  if (dependencies.clock() >= expiresAt) return ok('expired')
  return ok(provenAt === null ? 'waiting' : 'proven')
}
