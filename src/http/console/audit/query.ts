import { z } from 'zod'
import { isDeviceId } from '../../../access/device-id.ts'
import { ok, type Result } from '../../../base/result.ts'
import type { AuditSearch } from '../../../operations/audit/read-audit.ts'
import { parseAuditPosition } from '../../../views/list-position.ts'
import { parseForm, type RequestFailure } from '../../read-json.ts'

/** What was chosen, by the names of its fields: what links of the page go on with. */
export type Chosen = Readonly<Record<string, string>>

/** Without an offset: times of the console are UTC. */
const moment = z
  .union(
    [z.iso.datetime({ local: true }), z.iso.date()],
    'must be a time in UTC, such as 2026-12-01T08:00',
  )
  .transform((text) => new Date(text.includes('T') && !text.endsWith('Z') ? `${text}Z` : text))

const pageQuery = z.strictObject({
  device: z.string().refine(isDeviceId, 'must be the whole id of a device: dev_…').optional(),
  actor: z.string().min(1).max(200).optional(),
  action: z.string().min(1).max(64).optional(),
  since: moment.optional(),
  until: moment.optional(),
  before: z
    .string()
    .transform((text, issues) => {
      const position = parseAuditPosition(text)
      if (position !== undefined) return position
      issues.addIssue('must be the end of a page')
      return z.NEVER
    })
    .optional(),
})

export function parseAuditQuery(
  chosen: Chosen,
  limit: number,
): Result<AuditSearch, RequestFailure> {
  const query = parseForm(pageQuery, chosen)
  if (!query.ok) return query
  const { device: deviceId, ...search } = query.value
  return ok({ ...search, deviceId, limit })
}
