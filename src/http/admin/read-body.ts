import { z } from 'zod'
import { type JsonTree, plainValueOf } from '../../base/json/tree.ts'
import { ok, type Result } from '../../base/result.ts'
import { ANY_DENIALS } from '../../operations/release/gates.ts'
import type { ListPosition } from '../../store/list-position.ts'
import { formatPosition, parseListPosition } from '../../views/list-position.ts'
import type { HttpContext } from '../environment.ts'
import { parseForm, type RequestFailure, readForm, readJsonWithPlaces } from '../read-json.ts'

/** A whole document and what goes with it. */
export const MAX_DOCUMENT_BYTES = 1024 * 1024
/** Anything else that an administrator sends. */
const MAX_CHANGE_BYTES = 8 * 1024

export const reasonText = z.string().trim().min(1).max(500)

/** `rol_…`, whether or not there is one. */
export const rolloutName = z.string().min(1).max(64)

/** What is accepted by whoever takes a document back. */
export const acceptedMembers = {
  /** How many devices may lose their access by it. */
  accept_denials: z.int().min(0).default(0),
  /** DANGER: however many do, and without counting them first. */
  accept_all_denials: z.boolean().default(false),
}

export function readAccepted(body: {
  readonly accept_denials?: number
  readonly accept_all_denials?: boolean
}): number {
  return body.accept_all_denials === true ? ANY_DENIALS : (body.accept_denials ?? 0)
}

/** A reason and nothing else. */
export const reasonBody = z.strictObject({ reason: reasonText })

/** The body of a request in the form of `schema`. */
export function readBody<T>(
  c: HttpContext,
  schema: z.ZodType<T>,
): Promise<Result<T, RequestFailure>> {
  return readForm(c, schema, MAX_CHANGE_BYTES)
}

/** A body that may carry a document, and where everything in it stands. */
export type DocumentBody<T> = { readonly body: T; readonly tree: JsonTree }

export async function readDocumentBody<T>(
  c: HttpContext,
  schema: z.ZodType<T>,
): Promise<Result<DocumentBody<T>, RequestFailure>> {
  const tree = await readJsonWithPlaces(c, MAX_DOCUMENT_BYTES)
  if (!tree.ok) return tree
  const body = parseForm(schema, plainValueOf(tree.value.root))
  return body.ok ? ok({ body: body.value, tree: tree.value }) : body
}

/** A time as ISO 8601 has it, with an offset, or a day in UTC. */
export const moment = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    'must be a time, such as 2026-12-01T08:00:00Z',
  )
  .transform((text) => new Date(text))

export const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  before: z
    .string()
    .transform((text, issues) => {
      const position = parseListPosition(text)
      if (position !== undefined) return position
      issues.addIssue('must be the next_before of a page')
      return z.NEVER
    })
    .optional(),
})

/** A page of a list that has the newest first, and where the next one begins. */
export async function readPage<Row>(
  c: HttpContext,
  read: (rows: number, before: ListPosition | undefined) => Promise<readonly Row[]>,
  positionOf: (row: Row) => ListPosition,
): Promise<
  Result<{ readonly rows: readonly Row[]; readonly next_before: string | null }, RequestFailure>
> {
  const query = parseForm(listQuery, c.req.query())
  if (!query.ok) return query
  const { limit, before } = query.value
  const found = await read(limit + 1, before)
  const rows = found.slice(0, limit)
  const last = rows.at(-1)
  if (found.length === rows.length || last === undefined) return ok({ rows, next_before: null })
  const { at, id } = positionOf(last)
  return ok({ rows, next_before: formatPosition(at, id) })
}
