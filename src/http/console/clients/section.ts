import { Hono } from 'hono'
import { createClient } from '../../../operations/clients/create-client.ts'
import { disableClient } from '../../../operations/clients/disable-client.ts'
import { rotateClient } from '../../../operations/clients/rotate-client.ts'
import type { ApiClient } from '../../../store/system/clients.ts'
import type { HttpContext, HttpEnv } from '../../environment.ts'
import type { Notice, Page } from '../layout.ts'
import { readPosted } from '../read-form.ts'
import type { ConsoleSection, PageServices } from '../services.ts'
import { tellFailure } from '../tell-failure.ts'
import { createForm, OVERLAPS, ROTATION_REFUSED, rotateForm } from './forms.ts'
import {
  CLIENTS_PATH,
  clientPage,
  clientPath,
  clientsPage,
  secretPage,
  unknownClientPage,
} from './page.ts'

/** The programs that may call the API, and what they may do. */
export const clientsSection: ConsoleSection = {
  name: 'clients',
  title: 'API clients',
  routes(services) {
    const app = new Hono<HttpEnv>()
    app.get(CLIENTS_PATH, (c) => answerClients(c, services))
    app.post(CLIENTS_PATH, (c) => create(c, services))
    app.get(`${CLIENTS_PATH}/:id`, (c) => answerClient(c, services))
    app.post(`${CLIENTS_PATH}/:id/rotate`, (c) => rotate(c, services))
    app.post(`${CLIENTS_PATH}/:id/disable`, (c) => disable(c, services))
    return app
  },
}

type Told = Pick<Page, 'status' | 'notice'>

async function answerClients(
  c: HttpContext,
  services: PageServices,
  told: Told = {},
): Promise<Response> {
  const clients = await services.store.listClients()
  const page = clientsPage({ clients, viewer: services.viewerOf(c), now: services.clock() })
  return services.show(c, { ...page, ...told })
}

/** The secret stands in the answer itself: an address would keep it. */
async function create(c: HttpContext, services: PageServices): Promise<Response> {
  const form = await readPosted(c, createForm)
  if (!form.ok) return answerClients(c, services, await tellFailure(c, form.failure))
  const { name, scopes } = form.value
  const { clientId: by } = c.get('client')
  const created = await createClient(services, { name, scopes, by, now: services.clock() })
  const { clientId, secret } = created
  if (secret === undefined) throw new TypeError('a client without keys has a secret')
  services.log.warn('client_created', { request_id: c.get('requestId'), client_id: clientId, by })
  return services.show(c, secretPage({ clientId, name, secret }))
}

const DISABLED: Notice = {
  kind: 'done',
  text: 'The client is disabled. Running services notice within seconds.',
}

async function answerClient(
  c: HttpContext,
  services: PageServices,
  told: Told = {},
): Promise<Response> {
  const clientId = c.req.param('id') ?? ''
  const client = await find(services, clientId)
  if (client === undefined) return services.show(c, unknownClientPage(clientId))
  const page = clientPage({ client, viewer: services.viewerOf(c), now: services.clock() })
  const done = c.req.query('done') === 'disable' ? { notice: DISABLED } : {}
  return services.show(c, { ...page, ...done, ...told })
}

async function find(
  { store }: Pick<PageServices, 'store'>,
  clientId: string,
): Promise<ApiClient | undefined> {
  return (await store.listClients()).find((one) => one.clientId === clientId)
}

async function rotate(c: HttpContext, services: PageServices): Promise<Response> {
  const clientId = c.req.param('id') ?? ''
  const form = await readPosted(c, rotateForm)
  if (!form.ok) return answerClient(c, services, await tellFailure(c, form.failure))
  const { clientId: by } = c.get('client')
  const overlapMs = OVERLAPS[form.value.overlap].ms
  const change = { clientId, overlapMs, by, now: services.clock() }
  const rotated = await rotateClient(services, change)
  if (!rotated.ok) {
    const text = ROTATION_REFUSED[rotated.failure.reason]
    return answerClient(c, services, { status: 409, notice: { kind: 'alarm', text } })
  }
  const name = (await find(services, clientId))?.name ?? clientId
  services.log.warn('client_rotated', { request_id: c.get('requestId'), client_id: clientId, by })
  return services.show(c, secretPage({ clientId, name, ...rotated.value }))
}

async function disable(c: HttpContext, services: PageServices): Promise<Response> {
  const clientId = c.req.param('id') ?? ''
  const { clientId: by } = c.get('client')
  const disabled = await disableClient(services.store, { clientId, by, now: services.clock() })
  if (!disabled.ok) return services.show(c, unknownClientPage(clientId))
  services.log.warn('client_disabled', { request_id: c.get('requestId'), client_id: clientId, by })
  return services.lead(c, `${clientPath(clientId)}?done=disable`)
}
