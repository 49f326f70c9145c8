import { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { isDeviceId } from '../../../access/device-id.ts'
import { completeQuestion } from '../../../operations/decide/hypothesis.ts'
import { inspectDevice } from '../../../operations/devices/inspect-device.ts'
import type { HttpContext, HttpEnv } from '../../environment.ts'
import type { Notice } from '../layout.ts'
import { devicePath } from '../parts.ts'
import type { PageServices } from '../services.ts'
import { tellFailure } from '../tell-failure.ts'
import { DEVICE_ACTIONS, type DeviceAction, isDone, runAction, textOfDone } from './actions.ts'
import { answerBootLog, answerReadLog } from './boot-log.ts'
import { devicePage, unknownDevicePage } from './page.ts'
import { type AskedQuestion, readQuestion } from './question.ts'

const PATH = '/console/devices/:id'

/** One device: what is known of it, and what may be done to it. */
export function deviceRoutes(services: PageServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.get(PATH, (c) => {
    const done = c.req.query('done')
    const notice = isDone(done) ? { kind: 'done' as const, text: textOfDone(done) } : undefined
    return answerDevice(c, services, { notice })
  })
  app.get(`${PATH}/boot-log`, (c) => answerBootLog(c, services))
  app.post(`${PATH}/boot-log`, (c) => answerReadLog(c, services))
  for (const action of DEVICE_ACTIONS) {
    app.post(`${PATH}/${action}`, (c) => act(c, services, action))
  }
  return app
}

/** Does it, and leads back to the device; where it is refused the page says why. */
async function act(
  c: HttpContext,
  services: PageServices,
  action: DeviceAction,
): Promise<Response> {
  const done = await runAction(c, services, action)
  if (done.ok) return services.lead(c, `${devicePath(done.value.deviceId)}?done=${action}`)
  return answerDevice(c, services, await tellFailure(c, done.failure))
}

async function answerDevice(
  c: HttpContext,
  services: PageServices,
  told: { readonly notice?: Notice | undefined; readonly status?: ContentfulStatusCode },
): Promise<Response> {
  const deviceId = c.req.param('id') ?? ''
  if (!isDeviceId(deviceId)) return services.show(c, unknownDevicePage(deviceId))
  const asked: AskedQuestion = readQuestion(c)
  const question = completeQuestion(asked.question, deviceId)
  if (!question.ok) throw new TypeError('what is asked is made of texts')
  const before = c.req.query('before')?.slice(0, 200)
  const inspected = await inspectDevice(services, { deviceId, question: question.value, before })
  if (!inspected.ok) return services.show(c, unknownDevicePage(deviceId))
  const viewer = services.viewerOf(c)
  const page = devicePage({ inspected: inspected.value, asked, viewer })
  const { notice, status } = told
  return services.show(c, {
    ...page,
    ...(notice !== undefined && { notice }),
    ...(status !== undefined && { status }),
  })
}
