import { Hono } from 'hono'
import { z } from 'zod'
import { isDeviceId, parseDeviceKey } from '../../access/device-id.ts'
import { assessDevice } from '../../operations/devices/assess-device.ts'
import { attributesOf, deviceAttributes } from '../../operations/devices/attributes.ts'
import {
  changeStanding,
  STANDING_VERBS,
  type StandingVerb,
} from '../../operations/devices/change-standing.ts'
import { enrolDevice } from '../../operations/devices/enrol-device.ts'
import { foreseeDenials } from '../../operations/devices/foresee-denials.ts'
import { labelDevice } from '../../operations/devices/label-device.ts'
import { showDetail, showEntry } from '../../views/show-device.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'
import { parseForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import { readBody, reasonText } from './read-body.ts'
import { secondOf } from './second-administrator.ts'
import type { AdminServices } from './services.ts'

const PAGE_ROWS = 50

export const historyQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(PAGE_ROWS),
  before: z.string().max(200).optional(),
})

/** Clients may say more than we ask for. */
export const changeBody = z.object({ reason: reasonText })

/** What is said of a device. */
export const attributesBody = z.strictObject(deviceAttributes)

/** A device to list. */
export const enrolmentBody = attributesBody
  .extend({
    device_key: hashOf('the device key').optional(),
    ek_public_hash: hashOf('the endorsement key as SubjectPublicKeyInfo').optional(),
  })
  .refine(
    (body) => (body.device_key === undefined) !== (body.ek_public_hash === undefined),
    'needs either device_key or ek_public_hash',
  )

function hashOf(what: string) {
  const form = { pattern: '^[A-Za-z0-9+/]{43}=$', contentEncoding: 'base64' }
  return z
    .string()
    .meta(form)
    .transform((text, issues) => {
      const key = parseDeviceKey(text)
      if (key !== undefined) return key
      issues.addIssue(`must be the base64 of the SHA-256 of ${what} (32 bytes)`)
      return z.NEVER
    })
}

/** What administrators see of devices and do to them. */
export function adminDeviceRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const { store, clock } = services

  app.get('/v1/devices/:id', async (c) => {
    const id = c.req.param('id')
    return isDeviceId(id)
      ? answerDevice(c, services, { deviceId: id })
      : answerProblem(c, 'device_not_found')
  })

  app.get('/v1/devices/:id/attestations', async (c) => {
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

  app.post('/v1/devices', (c) => enrol(c, services))

  for (const verb of STANDING_VERBS) {
    app.post(`/v1/devices/:id/${verb}`, (c) => change(c, services, verb))
  }
  app.patch('/v1/devices/:id', (c) => label(c, services))
  return app
}

/** 201 for a device that nobody knew, 200 for one that stays as it is. */
async function enrol(c: HttpContext, services: AdminServices): Promise<Response> {
  const body = await readBody(c, enrolmentBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const { device_key, ek_public_hash } = body.value
  const key = device_key ?? ek_public_hash
  if (key === undefined) throw new TypeError('a listed device has a key')
  const enrolled = await enrolDevice(services, {
    key,
    keyKind: device_key === undefined ? 'tpm' : services.deviceKey,
    attributes: attributesOf(body.value),
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
  const deviceId = c.req.param('id') ?? ''
  const labelled = await labelDevice(services.store, {
    deviceId,
    changes: attributesOf(body.value),
    by: c.get('client').clientId,
    second: secondOf(c, services, body.value),
    now: services.clock(),
  })
  return labelled.ok ? answerDevice(c, services, { deviceId }) : answerFailure(c, labelled.failure)
}

/** The device as it is after a change: asking for the same change again changes nothing. */
async function answerDevice(
  c: HttpContext,
  { store, rules, clock }: AdminServices,
  { deviceId, status = 200 }: { readonly deviceId: string; readonly status?: 200 | 201 },
): Promise<Response> {
  const now = clock()
  const detail = await store.deviceDetail(deviceId, now)
  if (detail === null) return answerProblem(c, 'device_not_found')
  const device = assessDevice(detail, await rules.recent(), now)
  const coming = await foreseeDenials(rules, { record: detail.record, now })
  return c.json(showDetail(detail, device, coming), status)
}

/** Without the members that are absent, as optional members of the store's queries want it. */
function definedOf<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}
