import { Hono } from 'hono'
import { z } from 'zod'
import { DEVICE_ID_PATTERN, isDeviceId } from '../../access/device-id.ts'
import { readAudit } from '../../operations/audit/read-audit.ts'
import { AUDIT_PAGE_MOST } from '../../store/system/audit-log.ts'
import { formatPosition, parseAuditPosition } from '../../views/list-position.ts'
import { showAuditEntry } from '../../views/show-audit.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { parseForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import { moment } from './read-body.ts'
import type { AdminServices } from './services.ts'

const PAGE_ENTRIES = 100

export const auditQuery = z.object({
  device: z
    .string()
    .refine(isDeviceId, 'must be the id of a device')
    .meta({ pattern: DEVICE_ID_PATTERN.source })
    .optional(),
  actor: z.string().min(1).max(200).optional(),
  action: z.string().min(1).max(64).optional(),
  since: moment.optional(),
  until: moment.optional(),
  limit: z.coerce.number().int().min(1).max(AUDIT_PAGE_MOST).default(PAGE_ENTRIES),
  before: z
    .string()
    .transform((text, issues) => {
      const position = parseAuditPosition(text)
      if (position !== undefined) return position
      issues.addIssue('must be the next_before of a page')
      return z.NEVER
    })
    .optional(),
})

/** Who changed what, and when. */
export function adminAuditRoutes(services: AdminServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get('/v1/audit', (c) => list(c, services))
}

async function list(c: HttpContext, { store, clock }: AdminServices): Promise<Response> {
  const query = parseForm(auditQuery, c.req.query())
  if (!query.ok) return answerFailure(c, query.failure)
  const { device: deviceId, ...search } = query.value
  const found = await readAudit(store, { ...search, deviceId }, clock())
  if (!found.ok) return answerFailure(c, found.failure)
  const { entries, since, until, nextBefore } = found.value
  return c.json({
    entries: entries.map(showAuditEntry),
    since,
    until,
    next_before: nextBefore && formatPosition(nextBefore.at, nextBefore.auditId),
  })
}
