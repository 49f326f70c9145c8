import type { PersonOrigin } from '../../store/system/person-sessions.ts'
import type { PeopleDependencies } from './dependencies.ts'
import type { PersonFailure } from './failures.ts'

/** Whom the audit names where nobody was proven. */
export const NOBODY_PROVEN = 'unknown'

/**
 * Writes down that somebody was not let in: in the audit, up to a limit for each person and one for all that
 * are not known, so that whoever makes up requests fills nothing; in the log, and counted, in any case.
 */
export async function refusePerson(
  { store, refusedPeople, metrics, logBudget, clock }: PeopleDependencies,
  failure: PersonFailure,
  { actor, origin }: { readonly actor: string; readonly origin: PersonOrigin },
): Promise<void> {
  const { reason } = failure
  const now = clock()
  metrics.signIns.inc({ outcome: reason })
  const told = 'detail' in failure ? failure.detail : undefined
  const fields = { request_id: origin.requestId, reason, actor, detail: told }
  logBudget.write('warn', 'person_refused', reason, fields, now)
  if (refusedPeople.charge(actor, now) > 0) return
  const { requestId, address, forwardedFor, browser } = origin
  const detail = { reason, detail: told, requestId, address, forwardedFor, browser }
  await store.noteRefusedPerson({ actor, detail, now })
}
