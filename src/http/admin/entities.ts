import { Hono } from 'hono'
import { z } from 'zod'
import type { EntityName } from '../../access/directory.ts'
import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { parseJson } from '../../base/json/parse.ts'
import { removeEntities, setEntities } from '../../operations/entities/change-entities.ts'
import {
  ENTITIES_AT_ONCE,
  entityKind,
  entityName,
  entityToSet,
  source,
} from '../../operations/entities/read-entity.ts'
import { showEntity } from '../../views/show-entity.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { parseForm, readForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import type { AdminServices } from './services.ts'

const MAX_ENTITIES_BYTES = 1024 * 1024
const PAGE_ROWS = 50
const PAGE_ROWS_MOST = 200
const SOURCE = 'api'

/** Entities to set. */
export const setBody = z.strictObject({
  entities: z.array(entityToSet).min(1).max(ENTITIES_AT_ONCE),
  /** Of all that say none of their own. */
  source: source().default(SOURCE),
})

/** Entities to remove, by their names. */
export const removeBody = z.strictObject({
  entities: z.array(entityName).min(1).max(ENTITIES_AT_ONCE),
})

export const entitiesQuery = z
  .object({
    kind: entityKind.optional(),
    type: z.string().min(1).max(256).optional(),
    limit: z.coerce.number().int().min(1).max(PAGE_ROWS_MOST).default(PAGE_ROWS),
    cursor: z
      .string()
      .max(2048)
      .transform((text, issues) => {
        const name = readCursor(text)
        if (name !== undefined) return name
        issues.addIssue('must be the next_cursor of a page')
        return z.NEVER
      })
      .optional(),
  })
  .refine(({ kind, type }) => type === undefined || kind !== undefined, {
    path: ['type'],
    message: 'goes with kind',
  })

export const ENTITIES_PARAMETERS = ['kind', 'type', 'limit', 'cursor'] as const

/** The entity directory: what is known of the subjects, resources and actions of questions. */
export function adminEntityRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.get('/v1/entities', (c) => list(c, services))
  app.post('/v1/entities', (c) => set(c, services))
  // The name of an entity may be any text, so that it stands in no path.
  app.post('/v1/entities/remove', (c) => remove(c, services))
  return app
}

async function list(c: HttpContext, { store }: AdminServices): Promise<Response> {
  const query = parseForm(entitiesQuery, c.req.query())
  if (!query.ok) return answerFailure(c, query.failure)
  const { limit, cursor, kind, type } = query.value
  const found = await store.entityPage({ kind, type, after: cursor, limit: limit + 1 })
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const next_cursor = found.length > limit && last !== undefined ? writeCursor(last) : null
  return c.json({ entities: page.map(showEntity), next_cursor })
}

async function set(c: HttpContext, { store, clock }: AdminServices): Promise<Response> {
  const body = await readForm(c, setBody, MAX_ENTITIES_BYTES)
  if (!body.ok) return answerFailure(c, body.failure)
  const by = c.get('client').clientId
  const { added, changed, unchanged } = await setEntities(store, {
    ...body.value,
    ...{ by, now: clock() },
  })
  return c.json({ added, changed, unchanged })
}

async function remove(c: HttpContext, { store, clock }: AdminServices): Promise<Response> {
  const body = await readForm(c, removeBody, MAX_ENTITIES_BYTES)
  if (!body.ok) return answerFailure(c, body.failure)
  const by = c.get('client').clientId
  const { removed, absent } = await removeEntities(store, { ...body.value, by, now: clock() })
  return c.json({ removed, absent })
}

function writeCursor({ kind, type, id }: EntityName): string {
  return toBase64Url(toUtf8(JSON.stringify([kind, type, id])))
}

const cursorParts = z.tuple([entityKind, z.string(), z.string()])

function readCursor(text: string): EntityName | undefined {
  const bytes = fromBase64Url(text)
  const json = bytes && fromUtf8(bytes)
  const parts = cursorParts.safeParse(json === undefined ? undefined : parseJson(json))
  if (!parts.success) return undefined
  const [kind, type, id] = parts.data
  return { kind, type, id }
}
