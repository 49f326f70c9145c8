import { Hono } from 'hono'
import { z } from 'zod'
import { ENTITY_KINDS, type EntityName } from '../../../access/directory.ts'
import { ok, type Result } from '../../../base/result.ts'
import {
  type EntitySearch,
  findEntities,
  findEntity,
} from '../../../operations/entities/find-entities.ts'
import type { HttpContext, HttpEnv } from '../../environment.ts'
import { parseForm, type RequestFailure } from '../../read-json.ts'
import { readChosen } from '../devices/query.ts'
import { link } from '../parts.ts'
import type { ConsoleSection, PageServices } from '../services.ts'
import { tellFailure } from '../tell-failure.ts'
import { type Chosen, ENTITIES_PATH, entitiesPage, entityPage, unknownEntityPage } from './page.ts'

const PAGE_ROWS = 50

/** What is known of the subjects, resources and actions of questions. */
export const entitiesSection: ConsoleSection = {
  name: 'entities',
  title: 'Entities',
  routes: (services) =>
    new Hono<HttpEnv>()
      .get(ENTITIES_PATH, (c) => answerEntities(c, services))
      .get(`${ENTITIES_PATH}/one`, (c) => answerEntity(c, services)),
}

const text = z.string().min(1).max(4096)
const kind = z.enum(ENTITY_KINDS)

const pageQuery = z
  .strictObject({
    kind: kind.optional(),
    type: text.optional(),
    begins: text.optional(),
    after_kind: kind.optional(),
    after_type: z.string().max(4096).default(''),
    after_id: text.optional(),
  })
  .refine((query) => query.type === undefined || query.kind !== undefined, {
    path: ['type'],
    message: 'goes with a kind',
  })
  .refine(
    (query) => query.begins === undefined || query.kind === 'action' || query.type !== undefined,
    { path: ['begins'], message: 'goes with a kind and a type' },
  )

function parseSearch(chosen: Chosen): Result<EntitySearch, RequestFailure> {
  const query = parseForm(pageQuery, chosen)
  if (!query.ok) return query
  const { after_kind, after_type: type, after_id: id, ...search } = query.value
  const isBehind = after_kind !== undefined && id !== undefined
  const after: EntityName | undefined = isBehind ? { kind: after_kind, type, id } : undefined
  return ok({ ...search, after, limit: PAGE_ROWS })
}

async function answerEntities(c: HttpContext, services: PageServices): Promise<Response> {
  const { chosen, hasEmpty } = readChosen(c.req.url)
  // A form sends its empty fields too: the address is made one that can be kept.
  if (hasEmpty) return services.lead(c, link(ENTITIES_PATH, chosen))
  const now = services.clock()
  const search = parseSearch(chosen)
  if (!search.ok) {
    const page = entitiesPage({ chosen, found: undefined, now })
    return services.show(c, { ...page, ...(await tellFailure(c, search.failure)) })
  }
  const found = await findEntities(services.store, search.value)
  return services.show(c, entitiesPage({ chosen, found, now }))
}

const nameQuery = z.strictObject({ kind, type: z.string().max(4096).default(''), id: text })

async function answerEntity(c: HttpContext, services: PageServices): Promise<Response> {
  const name = parseForm(nameQuery, c.req.query())
  const found = name.ok ? await findEntity(services.store, name.value) : undefined
  const page = found === undefined ? unknownEntityPage() : entityPage(found, services.clock())
  return services.show(c, page)
}
