import type { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import { digest, digestText } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import type { Store } from '../../store/store.ts'
import type { KnownChange } from '../../store/system/kept-answers.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'
import { MAX_DOCUMENT_BYTES } from './read-body.ts'

export type IdempotencyServices = {
  readonly store: Pick<Store, 'beginChange' | 'keepAnswer' | 'freeKey'>
  readonly clock: () => Date
}

export const IDEMPOTENCY_HEADER = 'idempotency-key'
/** Visible ASCII: a UUID, or a string of RFC 8941 with its quotes. */
const KEY = /^[\x21-\x7e]{1,255}$/
/** No change takes so long: whoever began it has ended without a word. */
const LONGEST_CHANGE_MS = 120_000
const RETRY_SECONDS = '1'
/** What of the head belongs to the answer, beside its type. */
const KEPT_HEADERS = ['content-type', 'location', 'etag']

/**
 * A change with the header `Idempotency-Key` happens once (draft-ietf-httpapi-idempotency-key-header): whoever sends
 * the same again under the same key is given the answer of the first, with `Idempotency-Replayed: true`.
 *
 * The key is noted before the change and its answer after it. What was refused did not happen, and frees its key.
 * Of a change that ended without an answer, because the process or its database went away, nobody knows whether it
 * happened: that is said, and it is not done again by itself.
 *
 * An answer that holds a secret is kept nowhere, so that `secretRoutes` (by method and path) take no key.
 */
export function keepChanges(
  routes: Hono<HttpEnv>,
  services: IdempotencyServices,
  secretRoutes: ReadonlySet<string> = new Set(),
) {
  const own = new Set(routes.routes.map(nameOf))
  return createMiddleware<HttpEnv>(async (c, next) => {
    const key = c.req.header(IDEMPOTENCY_HEADER)
    const isChange = c.req.method !== 'GET' && c.req.method !== 'HEAD'
    if (key === undefined || !isChange) return next()
    const route = matchedRoutes(c)
      .map(nameOf)
      .find((name) => own.has(name))
    if (route === undefined) return next()
    if (secretRoutes.has(route)) {
      const detail = 'the answer holds a secret and is kept nowhere: leave Idempotency-Key out'
      return answerProblem(c, 'request_malformed', detail)
    }
    if (!KEY.test(key)) {
      const detail = 'Idempotency-Key must be 1 to 255 visible characters of ASCII'
      return answerProblem(c, 'request_malformed', detail)
    }
    const body = await readCopy(c)
    // It is refused for its length by whoever reads it, and nothing happens.
    if (body === undefined) return next()
    const { store, clock } = services
    const keyId = hashOf(c.get('client').clientId, key)
    const requestHash = hashOf(c.req.method, c.req.url, toBase64Url(digest('sha256', body)))
    const at = clock()
    const known = await store.beginChange({ keyId, requestHash, at })
    if (known !== undefined) return answerKnown(c, known, { requestHash, at })
    await next()
    const { status } = c.res
    // A fault says nothing about what happened, so that the key stays as it is.
    if (status >= 500) return
    if (status >= 400) return store.freeKey(keyId)
    const headers = Object.fromEntries(
      KEPT_HEADERS.flatMap((name) => {
        const value = c.res.headers.get(name)
        return value === null ? [] : [[name, value]]
      }),
    )
    await store.keepAnswer(keyId, { status, headers, body: await c.res.clone().text() })
  })
}

function answerKnown(
  c: HttpContext,
  { requestHash, at, answer }: KnownChange,
  asked: { readonly requestHash: string; readonly at: Date },
): Response {
  if (requestHash !== asked.requestHash) return answerProblem(c, 'idempotency_key_reused')
  if (answer !== null) {
    c.header('idempotency-replayed', 'true')
    for (const [name, value] of Object.entries(answer.headers)) c.header(name, value)
    const { headers } = c.body(null)
    return new Response(answer.body, { status: answer.status, headers })
  }
  const isOver = asked.at.getTime() - at.getTime() >= LONGEST_CHANGE_MS
  if (isOver) return answerProblem(c, 'idempotency_outcome_unknown')
  c.header('retry-after', RETRY_SECONDS)
  return answerProblem(c, 'idempotency_under_way')
}

/** The body, which the handler reads once more; `undefined` where it is longer than any that is taken. */
async function readCopy(c: HttpContext): Promise<Uint8Array | undefined> {
  if (Number(c.req.header('content-length') ?? 0) > MAX_DOCUMENT_BYTES) return undefined
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of c.req.raw.clone().body ?? []) {
    size += chunk.byteLength
    if (size > MAX_DOCUMENT_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function hashOf(...parts: readonly string[]): string {
  return toBase64Url(digestText('sha256', JSON.stringify(parts)))
}

function nameOf({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method} ${path}`
}
