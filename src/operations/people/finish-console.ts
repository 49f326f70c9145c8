import { err, ok, type Result } from '../../base/result.ts'
import { nameOf, type Person, personIdOf } from '../../people/person.ts'
import { rolesOfClaims } from '../../people/roles.ts'
import type { SessionName } from '../../people/session.ts'
import type { PersonOrigin } from '../../store/system/person-sessions.ts'
import { type ConsoleSignIn, readConsoleSignIn } from './begin-console.ts'
import type { PeopleDependencies } from './dependencies.ts'
import type { SignInRefusal } from './failures.ts'
import { type IdentityFailure, redeemIdentity } from './redeem-identity.ts'
import { NOBODY_PROVEN, refusePerson } from './refuse-person.ts'
import { hashOfUserAgent, readSession, sealSession } from './session.ts'

/** What a browser comes back from the issuer with. */
export type ReturningPerson = {
  /** The query of the request, as it came: unverified. */
  readonly query: URLSearchParams
  /** The cookie of the browser that began a sign-in. */
  readonly browser: string | undefined
  /** The cookie of the session that it may have already. */
  readonly session: string | undefined
  readonly userAgent: string | undefined
  readonly origin: PersonOrigin
}

export type AdmittedPerson = {
  readonly person: Person
  /** The cookie of the session. */
  readonly cookie: string
  /** A page of the console, below our URL. */
  readonly returnTo: string
}

/**
 * Ends a sign-in: whoever the issuer proves, and the claim gives a role, has a session. It is a new one, which takes
 * the place of the one that the browser had; where that is of the same person, its roles are noted anew and it goes
 * on, to the same end. Each outcome is in the audit.
 */
export async function finishConsoleSignIn(
  dependencies: PeopleDependencies,
  returning: ReturningPerson,
): Promise<Result<AdmittedPerson, IdentityFailure>> {
  const { origin, browser } = returning
  const refuse = async (failure: IdentityFailure, actor = NOBODY_PROVEN) => {
    await refusePerson(dependencies, failure, { actor, origin })
    return err(failure)
  }
  const state = returning.query.get('state') ?? ''
  const signIn = await readConsoleSignIn(dependencies, { state, browser })
  if (!signIn.ok) return refuse(signIn.failure)
  const proven = await redeemIdentity(dependencies, {
    query: returning.query,
    nonce: signIn.value.nonce,
    verifier: signIn.value.verifier,
    state,
  })
  if (!proven.ok) return refuse(proven.failure)
  const { issuer } = dependencies
  if (issuer === undefined) throw new TypeError('there is no issuer')
  const { claims, identifier } = proven.value
  const roles = rolesOfClaims(claims, { claim: issuer.rolesClaim, roles: issuer.roles })
  const personId = personIdOf(identifier, claims.sub)
  const person = { personId, name: nameOf(claims), roles }
  const before = await sessionOf(dependencies, returning, personId)
  if (roles.length === 0) {
    const now = dependencies.clock()
    if (before.isOwn) await dependencies.store.endPersonSession({ ...before.name, origin, now })
    return refuse({ reason: 'console_role_missing', detail: issuer.rolesClaim }, personId)
  }
  const session = await admit(dependencies, { returning, signIn: signIn.value, person, before })
  if (!session.ok) return refuse(session.failure, personId)
  dependencies.metrics.signIns.inc({ outcome: 'signed_in' })
  const cookie = await sealSession(dependencies, session.value)
  return ok({ person, cookie, returnTo: signIn.value.returnTo })
}

/** The session that the browser had: whether it is one of the same person that counts. */
type SessionBefore =
  | { readonly isOwn: true; readonly name: SessionName }
  | { readonly isOwn: false; readonly name: SessionName | undefined }

async function sessionOf(
  dependencies: PeopleDependencies,
  { session, userAgent }: ReturningPerson,
  personId: string,
): Promise<SessionBefore> {
  const read = await readSession(dependencies, session)
  if (!read.ok) return { isOwn: false, name: undefined }
  const { sessionId, expiresAt } = read.value
  const name = { sessionId, expiresAt }
  const stored = await dependencies.store.findPersonSession(name)
  const isOwn =
    stored?.personId === personId &&
    stored.endedAt === null &&
    stored.browserHash === hashOfUserAgent(userAgent) &&
    dependencies.clock() < expiresAt
  return { isOwn, name }
}

async function admit(
  { store, limits, clock }: PeopleDependencies,
  {
    returning,
    signIn,
    person,
    before,
  }: {
    readonly returning: ReturningPerson
    readonly signIn: ConsoleSignIn
    readonly person: Person
    readonly before: SessionBefore
  },
): Promise<Result<SessionName, SignInRefusal>> {
  const { origin, userAgent } = returning
  const now = clock()
  if (before.isOwn) {
    const { roles } = person
    const renewed = await store.renewPersonRoles({ ...before.name, roles, origin, now })
    if (renewed === 'applied') return ok(before.name)
  }
  const { sessionId, begunAt } = signIn
  // From what was sealed alone, so that the same sign-in is the same row however often it comes.
  const expiresAt = new Date(begunAt.getTime() + limits.sessionSeconds * 1000)
  const begun = await store.beginPersonSession({
    ...{ sessionId, expiresAt, ...person, by: 'issuer', origin, now },
    browserHash: hashOfUserAgent(userAgent),
    replaces: before.name,
  })
  return begun === 'applied'
    ? ok({ sessionId, expiresAt })
    : err({ reason: 'console_sign_in_repeated' })
}
