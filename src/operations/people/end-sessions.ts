import type { Store } from '../../store/store.ts'
import type { PersonOrigin, StoredPersonSession } from '../../store/system/person-sessions.ts'
import type { PeopleDependencies } from './dependencies.ts'
import { readSession } from './session.ts'

/** Ends the session of a cookie, wherever a copy of it may be: it counts for nobody any more. */
export async function signOut(
  dependencies: Pick<PeopleDependencies, 'store' | 'keys' | 'metrics' | 'clock'>,
  { cookie, origin }: { readonly cookie: string | undefined; readonly origin: PersonOrigin },
): Promise<void> {
  const { store, metrics, clock } = dependencies
  const read = await readSession(dependencies, cookie)
  if (!read.ok) return
  const { sessionId, expiresAt } = read.value
  const ended = await store.endPersonSession({ sessionId, expiresAt, origin, now: clock() })
  if (ended === 'applied') metrics.signIns.inc({ outcome: 'signed_out' })
}

/** Ends all sessions of a person at once, in every browser; answers how many there were. */
export function endSessionsOf(
  { store }: { readonly store: Pick<Store, 'endPersonSessions'> },
  change: {
    readonly personId: string
    readonly by: string
    readonly reason: string
    readonly now: Date
  },
): Promise<number> {
  return store.endPersonSessions(change)
}

/** Who is signed in: the sessions that count now, of one person or of all. */
export function listSessions(
  { store }: { readonly store: Pick<Store, 'listPersonSessions'> },
  query: { readonly personId?: string | undefined; readonly now: Date },
): Promise<readonly StoredPersonSession[]> {
  return store.listPersonSessions(query)
}
