import { z } from 'zod'
import { err, ok, type Result } from '../../base/result.ts'
import { LOCAL_OWNER } from '../../people/person.ts'
import { CONSOLE_PATH } from '../../people/return-to.ts'
import { newSessionId } from './begin-console.ts'
import { LINK_PATH, type PeopleDependencies } from './dependencies.ts'
import type { LinkRefusal } from './failures.ts'
import type { AdmittedPerson, ReturningPerson } from './finish-console.ts'
import { refusePerson } from './refuse-person.ts'
import { sealClaims, unsealClaims } from './sealed-claims.ts'
import { hashOfUserAgent, readSession, sealSession } from './session.ts'

/** How long a one-time link counts. */
export const LINK_SECONDS = 900

const sealedLink = z.object({ sid: z.string(), iat: z.number() })

/** A link by which whoever runs the machine signs in as its owner, once and soon. */
export async function makeSignInLink({
  keys,
  publicUrl,
  clock,
  random,
}: Pick<PeopleDependencies, 'publicUrl' | 'clock' | 'random'> & {
  readonly keys: Pick<PeopleDependencies['keys'], 'link'>
}): Promise<{
  readonly url: string
  readonly until: Date
}> {
  const now = clock()
  const until = new Date(now.getTime() + LINK_SECONDS * 1000)
  const token = await sealClaims({ sid: newSessionId(random) }, { keys: keys.link, now, until })
  return { url: `${publicUrl}${LINK_PATH}?token=${token}`, until }
}

/**
 * Signs in whoever comes by a one-time link, as the owner. The link names the session that it leads to, so that it
 * leads to one whichever process takes it.
 */
export async function openSignInLink(
  dependencies: PeopleDependencies,
  {
    token,
    returning,
  }: { readonly token: string; readonly returning: Omit<ReturningPerson, 'query'> },
): Promise<Result<AdmittedPerson, LinkRefusal>> {
  const { store, keys, limits, mayUseLinks, metrics, clock } = dependencies
  const { origin, userAgent } = returning
  const refuse = async (reason: LinkRefusal['reason']) => {
    await refusePerson(dependencies, { reason }, { actor: LOCAL_OWNER.personId, origin })
    return err({ reason })
  }
  if (!mayUseLinks) return refuse('console_link_not_allowed')
  const now = clock()
  const opened = await unsealClaims(token, { keys: keys.link, now })
  if (!opened.ok) {
    const isLate = opened.failure.reason === 'expired'
    return refuse(isLate ? 'console_link_expired' : 'console_link_refused')
  }
  const { sid: sessionId, iat } = sealedLink.parse(opened.value)
  const expiresAt = new Date((iat + limits.sessionSeconds) * 1000)
  const before = await readSession(dependencies, returning.session)
  const begun = await store.beginPersonSession({
    ...{ sessionId, expiresAt, ...LOCAL_OWNER, by: 'link', origin, now },
    browserHash: hashOfUserAgent(userAgent),
    replaces: before.ok ? before.value : undefined,
  })
  if (begun === 'repeated') return refuse('console_link_spent')
  metrics.signIns.inc({ outcome: 'signed_in' })
  const cookie = await sealSession(dependencies, { sessionId, expiresAt })
  return ok({ person: LOCAL_OWNER, cookie, returnTo: CONSOLE_PATH })
}
