import { z } from 'zod'
import { ROLE_NAMES } from '../../oauth/roles.ts'
import type { showSession } from '../../views/show-session.ts'
import { formOf } from './form-of.ts'

const time = z.iso.datetime()

/** Who is signed in to the console. */
export const PEOPLE_SCHEMAS = {
  Sessions: z.object({
    sessions: z.array(
      formOf<ReturnType<typeof showSession>>()(
        z.object({
          session_id: z.string(),
          person_id: z.string(),
          name: z.string(),
          roles: z.array(z.enum(ROLE_NAMES)),
          address: z.string(),
          began_at: time,
          roles_read_at: time,
          expires_at: time,
        }),
      ),
    ),
  }),
  SessionsEnded: z.object({ person_id: z.string(), ended: z.int().min(0) }),
} as const satisfies Readonly<Record<string, z.ZodType>>
