import { Hono } from 'hono'
import { z } from 'zod'
import { DEVICE_ID_PATTERN, isDeviceId } from '../../access/device-id.ts'
import { MAX_OWNER_CHARS } from '../../access/limits.ts'
import { VERDICTS } from '../../access/trust-record.ts'
import { foldText } from '../../base/fold-text.ts'
import { type DeviceSearch, findDevices } from '../../operations/devices/find-devices.ts'
import { groupDevices } from '../../operations/devices/group-devices.ts'
import { DEVICE_GROUPS } from '../../store/devices/device-reads.ts'
import { formatPosition, parseRefusalPosition } from '../../views/list-position.ts'
import { showRefusal, showSummary } from '../../views/show-device.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { parseForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import { moment } from './read-body.ts'
import type { AdminServices } from './services.ts'

const PAGE_ROWS = 50
const PAGE_ROWS_MOST = 200
const REFUSALS_LOOKED_BACK_MS = 7 * 86_400_000

/** Filters fold letter case as the search does. */
const folded = <T extends string>(schema: z.ZodType<T, string>) =>
  z.string().transform(foldText).pipe(schema)

const rows = z.coerce.number().int().min(1).max(PAGE_ROWS_MOST).default(PAGE_ROWS)

/** What of a query says which devices are meant. */
export const deviceFilters = {
  search: z.string().max(200).optional(),
  verdict: folded(z.enum(VERDICTS)).optional(),
  enrolment: folded(z.enum(['admitted', 'pending'])).optional(),
  clause: z.string().min(1).max(64).optional(),
  severity: z.enum(['enforce', 'report']).optional(),
  label: z.array(z.string().min(1).max(64)).max(8).optional(),
  owner: z.string().min(1).max(MAX_OWNER_CHARS).optional(),
  issuer: z.string().min(1).max(2048).optional(),
  ring: z.coerce.number().int().min(0).max(99).optional(),
  attested_before: moment.optional(),
  attested_after: moment.optional(),
  override: z.enum(['any', 'allow', 'pin']).optional(),
}

export const devicesQuery = z.object({
  ...deviceFilters,
  group_by: z.enum(DEVICE_GROUPS).optional(),
  limit: rows,
  cursor: z
    .string()
    .refine(isDeviceId, 'must be the next_cursor of a page')
    .meta({ pattern: DEVICE_ID_PATTERN.source })
    .optional(),
})

export const refusalsQuery = z.object({
  request_id: z.string().min(1).max(200).optional(),
  since: moment.optional(),
  limit: rows,
  before: z
    .string()
    .transform((text, issues) => {
      const position = parseRefusalPosition(text)
      if (position !== undefined) return position
      issues.addIssue('must be the next_before of a page')
      return z.NEVER
    })
    .optional(),
})

/** What devices there are, how many of which kind, and what was refused last of any of them. */
export function adminDeviceListRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.get('/v1/devices', (c) => list(c, services))
  app.get('/v1/refusals', (c) => listRefusals(c, services))
  return app
}

async function list(c: HttpContext, services: AdminServices): Promise<Response> {
  const label = c.req.queries('label')
  const query = parseForm(devicesQuery, { ...c.req.query(), ...(label && { label }) })
  if (!query.ok) return answerFailure(c, query.failure)
  const { group_by: by, limit, cursor, ...said } = query.value
  const search = searchOf(said)
  if (by !== undefined) {
    const counted = await groupDevices(services, { search, by })
    return counted.ok
      ? c.json({ group_by: by, ...counted.value })
      : answerFailure(c, counted.failure)
  }
  const found = await findDevices(services, { search, limit, cursor })
  if (!found.ok) return answerFailure(c, found.failure)
  const { devices, nextCursor } = found.value
  return c.json({ devices: devices.map(showSummary), next_cursor: nextCursor })
}

/** The search that these filters mean. */
export function searchOf({
  label,
  attested_before: attestedBefore,
  attested_after: attestedAfter,
  ...others
}: z.infer<z.ZodObject<typeof deviceFilters>>): DeviceSearch {
  return { ...others, labels: label, attestedBefore, attestedAfter }
}

async function listRefusals(c: HttpContext, services: AdminServices): Promise<Response> {
  const { store, clock } = services
  const query = parseForm(refusalsQuery, c.req.query())
  if (!query.ok) return answerFailure(c, query.failure)
  const { request_id: requestId } = query.value
  if (requestId !== undefined) {
    const other = ['since', 'limit', 'before'].find((name) => c.req.query(name) !== undefined)
    if (other === undefined) return findRefusal(c, services, requestId)
    const detail = `${other}: has no effect beside request_id, which finds what is in memory`
    return answerFailure(c, { reason: 'request_malformed', detail, member: other })
  }
  const { limit, before } = query.value
  const { since = new Date(clock().getTime() - REFUSALS_LOOKED_BACK_MS) } = query.value
  const { refusals, nextBefore } = await store.listRefusals({ since, limit, before })
  return c.json({
    refusals: refusals.map(showRefusal),
    since,
    next_before: nextBefore && formatPosition(nextBefore.at, nextBefore.attestationId),
  })
}

/** By the id of its request an attempt is found in the memory of the process that refused it. */
function findRefusal(c: HttpContext, services: AdminServices, requestId: string): Response {
  const { recentRefusals, processId } = services
  const { refusals, leftOut } = recentRefusals.find(requestId)
  return c.json({
    refusals,
    left_out: leftOut,
    process: processId,
    remembered_since: recentRefusals.since(),
    detail:
      'each process remembers what it refused last itself; the log of the service has a line with this request_id for most refusals, and of each reason sixty a minute',
  })
}
