import { index, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import type { Role } from '../../oauth/roles.ts'
import { asciiText, instant } from './columns.ts'

/**
 * Sessions of people in the console, partitioned by when each ends at the latest, which its cookie says. A row is
 * what makes a sign-out count: a cookie alone proves nothing. Nothing that the issuer gave is kept but name and roles.
 */
export const personSession = pgTable(
  'person_session',
  {
    sessionId: asciiText('session_id').notNull(),
    expiresAt: instant('expires_at').notNull(),
    personId: asciiText('person_id').notNull(),
    /** What people call them, as the issuer says. */
    name: text('name').notNull(),
    roles: text('roles').array().$type<Role[]>().notNull(),
    /** base64url of a SHA-256 over what tells browsers apart. */
    browserHash: asciiText('browser_hash').notNull(),
    /** The address that it was begun from. */
    address: text('address').notNull(),
    beganAt: instant('began_at').notNull(),
    /** When the issuer was asked for the roles last. */
    rolesAt: instant('roles_at').notNull(),
    /** When it was signed out or ended; `null` while it counts. */
    endedAt: instant('ended_at'),
  },
  (table) => [
    primaryKey({ columns: [table.sessionId, table.expiresAt] }),
    index('person_session_person').on(table.personId),
  ],
)
