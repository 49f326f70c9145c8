import { Hono } from 'hono'
import type { EntityKind } from '../../access/directory.ts'
import { searchPath } from '../../access/metadata.ts'
import { parseSearch, SEARCHES, type SearchRequest } from '../../access/search-request.ts'
import type { Result } from '../../base/result.ts'
import type { PageTokenFailure } from '../../operations/decide/page-token.ts'
import type { SearchResults } from '../../operations/decide/search.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerAuthzenError, answerAuthzenFailure } from '../errors/authzen-error.ts'
import { type ClientServices, requireClient } from '../middleware/api-client.ts'
import { readJson } from '../read-json.ts'

export type SearchServices = ClientServices & {
  readonly search: (
    request: SearchRequest,
    asked: { readonly clientId: string },
  ) => Promise<Result<SearchResults, PageTokenFailure>>
}

const MAX_SEARCH_BYTES = 64 * 1024

/** OpenID AuthZEN Authorization API 1.0 §8: which subjects, resources or actions would be granted. */
export function searchRoutes(services: SearchServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const client = requireClient(services, 'access.evaluate', answerAuthzenError)
  for (const kind of SEARCHES) {
    app.post(searchPath(kind), client, (c) => answerSearch(c, services, kind))
  }
  return app
}

async function answerSearch(
  c: HttpContext,
  { search }: SearchServices,
  kind: EntityKind,
): Promise<Response> {
  const body = await readJson(c, MAX_SEARCH_BYTES)
  if (!body.ok) return answerAuthzenFailure(c, body.failure)
  const request = parseSearch(kind, body.value)
  if (!request.ok) return answerAuthzenFailure(c, request.failure)
  const found = await search(request.value, { clientId: c.get('client').clientId })
  return found.ok ? c.json(found.value) : answerAuthzenFailure(c, found.failure)
}
