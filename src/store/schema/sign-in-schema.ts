import { jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import type { SignInRequest } from '../../vendors/oidc/authentication-request.ts'
import { asciiText, instant } from './columns.ts'

/**
 * Sign-ins at an identity provider that wait for the proof of a device, and those that came to an end a
 * moment ago; partitioned by when they end, which their id says. Kept so long and no longer: what came of one
 * is in the log of decisions. Of the browser that began it only a hash of its cookie is kept.
 */
export const signIn = pgTable(
  'sign_in',
  {
    signInId: asciiText('sign_in_id').notNull(),
    expiresAt: instant('expires_at').notNull(),
    clientId: text('client_id').notNull(),
    request: jsonb('request').$type<SignInRequest>().notNull(),
    /** base64url of the SHA-256 of the cookie. */
    browserHash: asciiText('browser_hash').notNull(),
    /** When an agent proved its device for it; `null` before. */
    provenAt: instant('proven_at'),
    /** When the identity provider was answered, which happens once; `null` before. */
    endedAt: instant('ended_at'),
  },
  (table) => [primaryKey({ columns: [table.signInId, table.expiresAt] })],
)
