import { Hono } from 'hono'
import { z } from 'zod'
import { deviceIdOf, isDeviceId, parseDeviceKey } from '../../access/device-id.ts'
import { VERDICTS } from '../../access/trust-record.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { foldText } from '../../base/fold-text.ts'
import type { Services } from '../../compose/services.ts'
import {
  type AttributeChanges,
  attributesNeedSecond,
} from '../../operations/release/second-administrator.ts'
import type { DeviceChange, DeviceChangeAnswer } from '../../store/devices/device-changes.ts'
import { showDetail, showEntry, showSummary } from '../../views/show-device.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { describeIssues } from '../errors/describe-issues.ts'
import { answerProblem, answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import { readJson } from '../read-json.ts'
import { awaitSecond, demandsSecond } from './second-administrator.ts'

const MAX_CHANGE_BYTES = 8 * 1024
const MAX_REASON_CHARS = 500
const PAGE_ROWS = 50

/** Filters fold letter case as the search does. */
const folded = <T extends string>(schema: z.ZodType<T, string>) =>
  z.string().transform(foldText).pipe(schema)

const listQuery = z.object({
  search: z.string().max(200).optional(),
  verdict: folded(z.enum(VERDICTS)).optional(),
  enrolment: folded(z.enum(['admitted', 'pending'])).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(PAGE_ROWS),
  cursor: z.string().refine(isDeviceId, 'must be the next_cursor of a page').optional(),
})

const historyQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(PAGE_ROWS),
  before: z.string().max(200).optional(),
})

const changeBody = z.object({ reason: z.string().trim().min(1).max(MAX_REASON_CHARS) })

const attributesBody = z.strictObject({
  owner: z.string().max(320).nullable().optional(),
  entra_device_id: z.string().max(64).nullable().optional(),
  labels: z.array(z.string().min(1).max(64)).max(64).optional(),
})

const enrolmentBody = attributesBody
  .extend({
    device_key: hashOf('the device key').optional(),
    ek_public_hash: hashOf('the endorsement key as SubjectPublicKeyInfo').optional(),
  })
  .refine(
    (body) => (body.device_key === undefined) !== (body.ek_public_hash === undefined),
    'needs either device_key or ek_public_hash',
  )

function hashOf(what: string) {
  return z.string().transform((text, issues) => {
    const key = parseDeviceKey(text)
    if (key !== undefined) return key
    issues.addIssue(`must be the base64 of the SHA-256 of ${what} (32 bytes)`)
    return z.NEVER
  })
}

/** What administrators see of devices and do to them. */
export function adminDeviceRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const mayRead = requireClient(services, 'admin.read', answerUnauthorized)
  const mayWrite = requireClient(services, 'admin.write', answerUnauthorized)
  const { store, clock } = services

  app.get('/v1/devices', mayRead, async (c) => {
    const query = listQuery.safeParse(c.req.query())
    if (!query.success) return answerMalformed(c, query.error)
    const page = await store.listDevices({ ...definedOf(query.data), now: clock() })
    return c.json({ devices: page.devices.map(showSummary), next_cursor: page.nextCursor })
  })

  app.get('/v1/devices/:id', mayRead, async (c) => {
    const id = c.req.param('id')
    const detail = isDeviceId(id) ? await store.deviceDetail(id, clock()) : null
    return detail === null ? answerProblem(c, 'device_not_found') : c.json(showDetail(detail))
  })

  app.get('/v1/devices/:id/attestations', mayRead, async (c) => {
    const query = historyQuery.safeParse(c.req.query())
    if (!query.success) return answerMalformed(c, query.error)
    const id = c.req.param('id')
    if (!isDeviceId(id)) return answerProblem(c, 'device_not_found')
    const page = await store.deviceHistory(id, definedOf(query.data))
    // A device that was only ever refused has a history and no record.
    const isEmpty = page.entries.length === 0 && query.data.before === undefined
    if (isEmpty && (await store.deviceDetail(id, clock())) === null) {
      return answerProblem(c, 'device_not_found')
    }
    return c.json({ attestations: page.entries.map(showEntry), next_before: page.nextBefore })
  })

  app.post('/v1/devices', mayWrite, (c) => enrolDevice(c, services))

  const changes = {
    quarantine: store.quarantineDevice,
    release: store.releaseDevice,
    admit: store.admitDevice,
    'sign-out': store.signOutDevice,
  }
  for (const [verb, change] of Object.entries(changes)) {
    app.post(`/v1/devices/:id/${verb}`, mayWrite, (c) => changeDevice(c, services, change))
  }

  app.patch('/v1/devices/:id', mayWrite, async (c) => {
    const body = await readJson(c, MAX_CHANGE_BYTES)
    if (!body.ok) return answerProblem(c, body.failure.reason, body.failure.detail)
    const parsed = attributesBody.safeParse(body.value)
    if (!parsed.success) return answerMalformed(c, parsed.error)
    const { entra_device_id: entraDeviceId, ...others } = parsed.data
    const deviceId = c.req.param('id')
    const changes = definedOf({ ...others, entraDeviceId })
    const waits = await awaitSecondForAttributes(c, services, { deviceId, changes })
    if (waits !== undefined) return waits
    const answer = await store.setDeviceAttributes({
      deviceId,
      changes,
      by: c.get('client').clientId,
      now: clock(),
    })
    return answerChange(c, services, answer)
  })
  return app
}

/**
 * Lists a device before it has attested, by its key or by the endorsement key of its TPM: enrolment
 * mode `listed` admits no other.
 */
async function enrolDevice(c: HttpContext, services: Services): Promise<Response> {
  const body = await readJson(c, MAX_CHANGE_BYTES)
  if (!body.ok) return answerProblem(c, body.failure.reason, body.failure.detail)
  const parsed = enrolmentBody.safeParse(body.value)
  if (!parsed.success) return answerMalformed(c, parsed.error)
  const { device_key, ek_public_hash } = parsed.data
  const { owner = null, entra_device_id = null, labels = [] } = parsed.data
  const key = device_key ?? ek_public_hash
  if (key === undefined) throw new TypeError('a listed device has a key')
  const deviceId = deviceIdOf(key)
  const changes = { owner, entraDeviceId: entra_device_id, labels }
  const waits = await awaitSecondForAttributes(c, services, { deviceId, changes })
  if (waits !== undefined) return waits
  const answer = await services.store.enrolDevice({
    deviceId,
    keyKind: device_key === undefined ? 'tpm' : services.config.deviceKey,
    deviceKeyHash: toBase64Url(key),
    ring: services.ringOf(key),
    owner,
    entraDeviceId: entra_device_id,
    labels,
    by: c.get('client').clientId,
    now: services.clock(),
  })
  const detail = await services.store.deviceDetail(deviceId, services.clock())
  if (detail === null) throw new Error('an enrolled device is not there')
  return c.json(showDetail(detail), answer === 'applied' ? 201 : 200)
}

/** What is said about a device may decide about its access: then two administrators have to say it. */
async function awaitSecondForAttributes(
  c: HttpContext,
  services: Services,
  { deviceId, changes }: { readonly deviceId: string; readonly changes: AttributeChanges },
): Promise<Response | undefined> {
  if (!demandsSecond(services)) return undefined
  const now = services.clock()
  const detail = isDeviceId(deviceId) ? await services.store.deviceDetail(deviceId, now) : null
  const { owner, entraDeviceId, labels } = detail?.record ?? {}
  const before = { owner, entraDeviceId, labels }
  const isDangerous = await attributesNeedSecond(services.store, { before, changes, now })
  return isDangerous
    ? awaitSecond(c, services, { body: { deviceId, ...changes }, seen: before })
    : undefined
}

async function changeDevice(
  c: HttpContext,
  services: Services,
  change: (input: DeviceChange) => Promise<DeviceChangeAnswer>,
): Promise<Response> {
  const body = await readJson(c, MAX_CHANGE_BYTES)
  if (!body.ok) return answerProblem(c, body.failure.reason, body.failure.detail)
  const parsed = changeBody.safeParse(body.value)
  if (!parsed.success) return answerMalformed(c, parsed.error)
  const answer = await change({
    deviceId: c.req.param('id') ?? '',
    by: c.get('client').clientId,
    reason: parsed.data.reason,
    now: services.clock(),
  })
  return answerChange(c, services, answer)
}

/** The device as it is after the change: asking for the same change again changes nothing. */
async function answerChange(
  c: HttpContext,
  services: Services,
  answer: DeviceChangeAnswer,
): Promise<Response> {
  const detail =
    answer === 'device_unknown'
      ? null
      : await services.store.deviceDetail(c.req.param('id') ?? '', services.clock())
  return detail === null ? answerProblem(c, 'device_not_found') : c.json(showDetail(detail))
}

function answerMalformed(c: HttpContext, error: z.ZodError): Response {
  return answerProblem(c, 'request_malformed', describeIssues(error))
}

/** Without the members that are absent, as optional members of the store's queries want it. */
function definedOf<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}
