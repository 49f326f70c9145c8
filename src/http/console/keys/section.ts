import { Hono } from 'hono'
import { type RotationFailure, rotateKey } from '../../../operations/keys/rotate-key.ts'
import { SIGNING_KEY_USES } from '../../../store/schema/system-schema.ts'
import type { HttpContext, HttpEnv } from '../../environment.ts'
import type { Notice, Page } from '../layout.ts'
import { minute } from '../parts.ts'
import type { ConsoleSection, PageServices } from '../services.ts'
import { KEYS_PATH, keysPage } from './page.ts'

/** The keys that the service signs with. */
export const keysSection: ConsoleSection = {
  name: 'keys',
  title: 'Signing keys',
  routes(services) {
    const app = new Hono<HttpEnv>()
    app.get(KEYS_PATH, (c) => {
      const isDone = c.req.query('done') === 'rotate'
      return answerKeys(c, services, isDone ? { notice: ROTATED } : {})
    })
    app.post(`${KEYS_PATH}/:use/rotate`, (c) => rotate(c, services))
    return app
  },
}

const ROTATED: Notice = {
  kind: 'done',
  text: 'A successor is published. It signs in half an hour; nothing else has to be done.',
}

async function answerKeys(
  c: HttpContext,
  services: PageServices,
  told: Pick<Page, 'status' | 'notice'>,
): Promise<Response> {
  const keys = await services.store.listSigningKeys()
  const page = keysPage({ keys, viewer: services.viewerOf(c), now: services.clock() })
  return services.show(c, { ...page, ...told })
}

async function rotate(c: HttpContext, services: PageServices): Promise<Response> {
  const { store, clock, keyMaking, log } = services
  const name = c.req.param('use') ?? ''
  const keys = await store.listSigningKeys()
  // The first key of a use is made when it is needed, and is not made here.
  const use = SIGNING_KEY_USES.find((one) => one === name && keys.some((key) => key.use === one))
  if (use === undefined) {
    const notice = { kind: 'alarm', text: 'There is no key for this purpose yet.' } as const
    return answerKeys(c, services, { status: 404, notice })
  }
  const by = c.get('client').clientId
  const rotated = await rotateKey({ ...keyMaking, store, clock }, { use, by })
  if (!rotated.ok) {
    const notice = { kind: 'alarm', text: textOf(rotated.failure) } as const
    return answerKeys(c, services, { status: 409, notice })
  }
  log.warn('key_rotated', { request_id: c.get('requestId'), use, kid: rotated.value.kid, by })
  return services.lead(c, `${KEYS_PATH}?done=rotate`)
}

/** The one map from what a rotation can be refused for to what people are told. */
function textOf(failure: RotationFailure): string {
  switch (failure.reason) {
    case 'rotation_under_way':
      return `Not now: ${failure.kid} is published already, and signs from ${minute(failure.signsFrom)}.`
    case 'rotation_superseded':
      return 'Somebody else has just changed the keys of this purpose: look again.'
    case 'signing_keys_too_many':
      return `Not now: ${failure.most} keys of this purpose have not ended, and a key set may not grow without end.`
  }
}
