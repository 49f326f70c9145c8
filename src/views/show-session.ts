import type { StoredPersonSession } from '../store/system/person-sessions.ts'

/** A session of a person as it stands on the wire. */
export function showSession(session: StoredPersonSession) {
  const { sessionId, personId, name, roles, address, beganAt, rolesAt, expiresAt } = session
  return {
    session_id: sessionId,
    person_id: personId,
    name,
    roles,
    address,
    began_at: beganAt,
    roles_read_at: rolesAt,
    expires_at: expiresAt,
  }
}
