import { z } from 'zod'
import { isDeviceId } from '../../../access/device-id.ts'
import { err, ok, type Result } from '../../../base/result.ts'
import { attributesOf, deviceAttributes } from '../../../operations/devices/attributes.ts'
import { changeStanding } from '../../../operations/devices/change-standing.ts'
import { labelDevice } from '../../../operations/devices/label-device.ts'
import { splitLabels } from '../../../operations/devices/read-import.ts'
import { replaceDevice } from '../../../operations/devices/replace-device.ts'
import { makeOverride } from '../../../operations/release/overrides.ts'
import { reasonText } from '../../admin/read-body.ts'
import type { HttpContext } from '../../environment.ts'
import type { AdminFailure } from '../../errors/problem-code.ts'
import { readPosted } from '../read-form.ts'
import { secondOfPage } from '../second-administrator.ts'
import type { PageServices } from '../services.ts'

/** What may be done to a device from its page; each is a path below it. */
export const DEVICE_ACTIONS = [
  'quarantine',
  'release',
  'admit',
  'sign-out',
  'allow',
  'attributes',
  'replaces',
] as const

export type DeviceAction = (typeof DEVICE_ACTIONS)[number]

const DONE: Readonly<Record<DeviceAction, string>> = {
  quarantine: 'The device is quarantined: it is denied from now on, whatever it attests.',
  release: 'The device is released from quarantine: what it attests counts again.',
  admit: 'The device is admitted.',
  'sign-out':
    'The device was signed out: its tokens do not count any more, and it gets another when it attests.',
  allow: 'The device is allowed for a while. A quarantine would still count.',
  attributes: 'What is said of the device was changed.',
  replaces: 'The device has taken the place of the other one, which is quarantined.',
}

export function isDone(text: string | undefined): text is DeviceAction {
  return DEVICE_ACTIONS.some((action) => action === text)
}

export function textOfDone(action: DeviceAction): string {
  return DONE[action]
}

const HOUR_MS = 3_600_000

const reasonForm = z.strictObject({ reason: reasonText })
const allowForm = z.strictObject({
  reason: reasonText,
  hours: z.coerce.number().int().min(1).max(2160),
})
const text = (most: number) => z.string().trim().max(most).default('')
const attributesForm = z.strictObject({
  name: text(200),
  owner: text(1024),
  serial: text(128),
  entra_device_id: text(64),
  labels: text(4096),
})
const replacesForm = z.strictObject({
  reason: reasonText,
  replaced: z.string().trim().refine(isDeviceId, 'must be the id of a device: dev_…'),
})

type Done = Result<{ readonly deviceId: string }, AdminFailure>

/** Reads the form of an action and carries it out, as the API would. */
export async function runAction(
  c: HttpContext,
  services: PageServices,
  action: DeviceAction,
): Promise<Done> {
  const deviceId = c.req.param('id') ?? ''
  if (!isDeviceId(deviceId)) return err({ reason: 'device_not_found' })
  const change = { deviceId, by: c.get('client').clientId, now: services.clock() }
  switch (action) {
    case 'allow':
      return allow(c, services, change)
    case 'attributes':
      return setAttributes(c, services, change)
    case 'replaces':
      return replaces(c, services, change)
    default: {
      const form = await readPosted(c, reasonForm)
      if (!form.ok) return form
      const done = await changeStanding(services.store, action, { ...change, ...form.value })
      return done.ok ? ok({ deviceId }) : done
    }
  }
}

type Change = { readonly deviceId: string; readonly by: string; readonly now: Date }

async function allow(c: HttpContext, services: PageServices, change: Change): Promise<Done> {
  const form = await readPosted(c, allowForm)
  if (!form.ok) return form
  const { deviceId, by, now } = change
  const { reason, hours } = form.value
  const body = { action: 'allow', device_id: deviceId, hours }
  const made = await makeOverride(
    { ...services, counting: services.previews },
    {
      ...{ target: { kind: 'device', name: deviceId }, what: { action: 'allow' }, reason },
      ...{ author: by, expiresAt: new Date(now.getTime() + hours * HOUR_MS), isDryRun: false },
      second: secondOfPage(c, services, { request: `POST ${c.req.path}`, body, isOfApi: false }),
    },
  )
  if (!made.ok) return made
  const request_id = c.get('requestId')
  const { override } = made.value
  services.log.warn('override_created', { request_id, override_id: override?.overrideId, by })
  return ok({ deviceId })
}

/** As `PATCH /v1/devices/:id` does it: a second administrator may send either. */
async function setAttributes(
  c: HttpContext,
  services: PageServices,
  { deviceId, by, now }: Change,
): Promise<Done> {
  const form = await readPosted(c, attributesForm)
  if (!form.ok) return form
  const { labels, ...texts } = form.value
  const said = z.strictObject(deviceAttributes).safeParse({
    ...Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, value || null])),
    labels: [...new Set(splitLabels(labels))],
  })
  if (!said.success) {
    const detail = said.error.issues.map(({ message }) => message).join('; ')
    return err({ reason: 'request_malformed', detail })
  }
  const request = `PATCH /v1/devices/${deviceId}`
  const done = await labelDevice(services.store, {
    ...{ deviceId, changes: attributesOf(said.data), by, now },
    second: secondOfPage(c, services, { request, body: said.data, isOfApi: true }),
  })
  return done.ok ? ok({ deviceId }) : done
}

async function replaces(c: HttpContext, services: PageServices, change: Change): Promise<Done> {
  const form = await readPosted(c, replacesForm)
  if (!form.ok) return form
  const { deviceId, by, now } = change
  const { replaced, reason } = form.value
  const body = { replaced }
  const done = await replaceDevice(services.store, {
    ...{ deviceId, replaced, reason, by, now },
    second: secondOfPage(c, services, { request: `POST ${c.req.path}`, body, isOfApi: false }),
  })
  return done.ok ? ok({ deviceId }) : done
}
