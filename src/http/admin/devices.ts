import { Hono } from 'hono'
import { z } from 'zod'
import { isDeviceId, parseDeviceKey } from '../../access/device-id.ts'
import { VERDICTS } from '../../access/trust-record.ts'
import { foldText } from '../../base/fold-text.ts'
import {
  changeStanding,
  STANDING_VERBS,
  type StandingVerb,
} from '../../operations/devices/change-standing.ts'
import { enrolDevice } from '../../operations/devices/enrol-device.ts'
import { foreseeDenials } from '../../operations/devices/foresee-denials.ts'
import { labelDevice } from '../../operations/devices/label-device.ts'
import type { DeviceDetail } from '../../store/devices/device-reads.ts'
import { showDetail, showEntry, showSummary } from '../../views/show-device.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import { parseForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import { readBody, reasonText } from './read-body.ts'
import { secondOf } from './second-administrator.ts'
import type { AdminServices } from './services.ts'

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

/** Clients may say more than we ask for. */
const changeBody = z.object({ reason: reasonText })

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
export function adminDeviceRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const mayRead = requireClient(services, 'admin.read', answerUnauthorized)
  const mayWrite = requireClient(services, 'admin.write', answerUnauthorized)
  const { store, clock } = services

  app.get('/v1/devices', mayRead, async (c) => {
    const query = parseForm(listQuery, c.req.query())
    if (!query.ok) return answerFailure(c, query.failure)
    const page = await store.listDevices({ ...definedOf(query.value), now: clock() })
    return c.json({ devices: page.devices.map(showSummary), next_cursor: page.nextCursor })
  })

  app.get('/v1/devices/:id', mayRead, async (c) => {
    const id = c.req.param('id')
    const detail = isDeviceId(id) ? await store.deviceDetail(id, clock()) : null
    if (detail === null) return answerProblem(c, 'device_not_found')
    return c.json(await showWhole(services, detail))
  })

  app.get('/v1/devices/:id/attestations', mayRead, async (c) => {
    const query = parseForm(historyQuery, c.req.query())
    if (!query.ok) return answerFailure(c, query.failure)
    const id = c.req.param('id')
    if (!isDeviceId(id)) return answerProblem(c, 'device_not_found')
    const page = await store.deviceHistory(id, definedOf(query.value))
    // A device that was only ever refused has a history and no record.
    const isEmpty = page.entries.length === 0 && query.value.before === undefined
    if (isEmpty && (await store.deviceDetail(id, clock())) === null) {
      return answerProblem(c, 'device_not_found')
    }
    return c.json({ attestations: page.entries.map(showEntry), next_before: page.nextBefore })
  })

  app.post('/v1/devices', mayWrite, (c) => enrol(c, services))

  for (const verb of STANDING_VERBS) {
    app.post(`/v1/devices/:id/${verb}`, mayWrite, (c) => change(c, services, verb))
  }
  app.patch('/v1/devices/:id', mayWrite, (c) => label(c, services))
  return app
}

/** 201 for a device that nobody knew, 200 for one that stays as it is. */
async function enrol(c: HttpContext, services: AdminServices): Promise<Response> {
  const body = await readBody(c, enrolmentBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const { device_key, ek_public_hash } = body.value
  const { owner = null, entra_device_id: entraDeviceId = null, labels = [] } = body.value
  const key = device_key ?? ek_public_hash
  if (key === undefined) throw new TypeError('a listed device has a key')
  const enrolled = await enrolDevice(services, {
    key,
    keyKind: device_key === undefined ? 'tpm' : services.deviceKey,
    attributes: { owner, entraDeviceId, labels },
    by: c.get('client').clientId,
    second: secondOf(c, services, body.value),
    now: services.clock(),
  })
  if (!enrolled.ok) return answerFailure(c, enrolled.failure)
  const { deviceId, isNew } = enrolled.value
  return answerDevice(c, services, { deviceId, status: isNew ? 201 : 200 })
}

async function change(
  c: HttpContext,
  services: AdminServices,
  verb: StandingVerb,
): Promise<Response> {
  const body = await readBody(c, changeBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const deviceId = c.req.param('id') ?? ''
  const by = c.get('client').clientId
  const changed = await changeStanding(services.store, verb, {
    ...{ deviceId, by, reason: body.value.reason, now: services.clock() },
  })
  return changed.ok ? answerDevice(c, services, { deviceId }) : answerFailure(c, changed.failure)
}

async function label(c: HttpContext, services: AdminServices): Promise<Response> {
  const body = await readBody(c, attributesBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const { entra_device_id: entraDeviceId, ...others } = body.value
  const deviceId = c.req.param('id') ?? ''
  const labelled = await labelDevice(services.store, {
    deviceId,
    changes: definedOf({ ...others, entraDeviceId }),
    by: c.get('client').clientId,
    second: secondOf(c, services, body.value),
    now: services.clock(),
  })
  return labelled.ok ? answerDevice(c, services, { deviceId }) : answerFailure(c, labelled.failure)
}

/** The device as it is after a change: asking for the same change again changes nothing. */
async function answerDevice(
  c: HttpContext,
  services: AdminServices,
  { deviceId, status = 200 }: { readonly deviceId: string; readonly status?: 200 | 201 },
): Promise<Response> {
  const detail = await services.store.deviceDetail(deviceId, services.clock())
  if (detail === null) return answerProblem(c, 'device_not_found')
  return c.json(await showWhole(services, detail), status)
}

async function showWhole({ rules, clock }: AdminServices, detail: DeviceDetail) {
  const coming = await foreseeDenials(rules, { record: detail.record, now: clock() })
  return showDetail(detail, coming)
}

/** Without the members that are absent, as optional members of the store's queries want it. */
function definedOf<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}
