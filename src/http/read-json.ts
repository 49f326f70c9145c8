import type { z } from 'zod'
import { fromUtf8 } from '../base/encoding.ts'
import { hasUnstorableText, MAX_JSON_DEPTH, measureJson } from '../base/json/parse.ts'
import { type JsonTree, readJsonTree } from '../base/json/tree.ts'
import { err, ok, type Result } from '../base/result.ts'
import type { HttpContext } from './environment.ts'
import { describeIssues } from './errors/describe-issues.ts'

/** What can be wrong with a request before any room has looked at it. */
export const REQUEST_REASONS = [
  'content_type_not_json',
  'body_too_large',
  'body_incomplete',
  'body_not_utf8',
  'body_too_deep',
  'body_not_json',
  'text_not_storable',
  'request_malformed',
] as const

export type RequestFailure = {
  readonly reason: (typeof REQUEST_REASONS)[number]
  readonly detail: string
  /** The first member of the body that is not as it should be. */
  readonly member?: string
  /** What that member has to be, where whoever reads it says so. */
  readonly expected?: string
}

/** `application/json` with any parameters, as RFC 9110 §8.3 allows. */
const JSON_TYPE = /^application\/json\s*(?:;|$)/i

/**
 * The JSON body of a request, at most `maxBytes` long whatever `Content-Length` says.
 * The value is unverified.
 */
export async function readJson(
  c: HttpContext,
  maxBytes: number,
): Promise<Result<unknown, RequestFailure>> {
  const text = await readJsonText(c, maxBytes)
  if (!text.ok) return text
  try {
    return ok(JSON.parse(text.value))
  } catch {
    return err({ reason: 'body_not_json', detail: 'the body is not JSON' })
  }
}

/** The same in the form of `schema`. */
export async function readForm<T>(
  c: HttpContext,
  schema: z.ZodType<T>,
  maxBytes: number,
): Promise<Result<T, RequestFailure>> {
  const body = await readJson(c, maxBytes)
  return body.ok ? parseForm(schema, body.value) : body
}

/** Anything that a client sent, in the form of `schema`. */
export function parseForm<T>(schema: z.ZodType<T>, value: unknown): Result<T, RequestFailure> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return ok(parsed.data)
  const detail = describeIssues(parsed.error, schema)
  const path = parsed.error.issues[0]?.path ?? []
  const member = path.length === 0 ? {} : { member: path.join('.') }
  return err({ reason: 'request_malformed', detail, ...member })
}

/**
 * The same with the places of everything in it, for who has to tell places or to keep a part as it
 * was written; `plainValueOf` gives the value. Repeated members are listed, and the last one counts.
 */
export async function readJsonWithPlaces(
  c: HttpContext,
  maxBytes: number,
): Promise<Result<JsonTree, RequestFailure>> {
  const text = await readJsonText(c, maxBytes)
  if (!text.ok) return text
  const limits = { maxDepth: MAX_JSON_DEPTH, repeatedMembers: 'report' } as const
  const tree = readJsonTree(text.value, limits)
  return tree.ok ? tree : err({ reason: 'body_not_json', detail: 'the body is not JSON' })
}

/**
 * The same before it is parsed, for a room that parses by rules of its own. It is UTF-8 as RFC 8259
 * §8.1 demands, not nested beyond measure, and none of its strings holds text that we could not keep
 * as it is.
 */
export async function readJsonText(
  c: HttpContext,
  maxBytes: number,
): Promise<Result<string, RequestFailure>> {
  if (!JSON_TYPE.test(c.req.header('content-type') ?? '')) {
    return err({
      reason: 'content_type_not_json',
      detail: 'the content type must be application/json',
    })
  }
  const body = await readText(c, maxBytes)
  if (!body.ok) return body
  const text = body.value
  if (measureJson(text) === undefined) {
    const detail = `the body is nested deeper than ${MAX_JSON_DEPTH} levels`
    return err({ reason: 'body_too_deep', detail })
  }
  return hasUnstorableText(text) ? err(notStorable('a string of the body')) : ok(text)
}

/** The body of a request as text, at most `maxBytes` long whatever `Content-Length` says. */
export async function readText(
  c: HttpContext,
  maxBytes: number,
): Promise<Result<string, RequestFailure>> {
  let bytes: Uint8Array | undefined
  try {
    bytes = await readBytes(c.req.raw, maxBytes)
  } catch {
    // The sender went away or broke the framing: nothing of ours has failed.
    return err({ reason: 'body_incomplete', detail: 'the body ended before it was complete' })
  }
  if (bytes === undefined) {
    return err({ reason: 'body_too_large', detail: `the body is longer than ${maxBytes} bytes` })
  }
  const text = fromUtf8(bytes)
  if (text === undefined) return err({ reason: 'body_not_utf8', detail: 'the body is not UTF-8' })
  c.set('bodyText', text)
  return ok(text)
}

/** `where`: what holds the text, for people. */
export function notStorable(where: string) {
  const detail = `${where} is not text that can be kept: it holds NUL, half a surrogate pair or no UTF-8`
  return { reason: 'text_not_storable', detail } as const satisfies RequestFailure
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array | undefined> {
  const declared = request.headers.get('content-length')
  if (declared !== null) {
    // A server never hands over more than the declared length, so the cap holds before reading.
    return Number(declared) <= maxBytes ? new Uint8Array(await request.arrayBuffer()) : undefined
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
