import { Hono } from 'hono'
import { z } from 'zod'
import { parseCheckpoint } from '../../audit/checkpoint.ts'
import { HASH_BYTES } from '../../audit/merkle.ts'
import { parseNote } from '../../audit/note.ts'
import { TILE_WIDTH } from '../../audit/tiles.ts'
import { toBase64 } from '../../base/encoding.ts'
import { auditKeysOf } from '../../operations/audit/audit-keys.ts'
import { proveConsistency, proveInclusion } from '../../operations/audit/prove-entry.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'
import { parseForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import type { AdminServices } from './services.ts'

const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

export const proofQuery = z
  .object({ index: count.optional(), old_size: count.optional(), size: count })
  .refine(
    ({ index, old_size }) => (index === undefined) !== (old_size === undefined),
    'must have index or old_size, one of them',
  )

export const tileQuery = z.object({
  width: z.coerce.number().int().min(1).max(TILE_WIDTH).default(TILE_WIDTH),
})

/** Of a tree of 2^53 leaves. */
const MOST_LEVEL = 6

const NO_CHECKPOINT = 'the log has no checkpoint yet: the first entry gets one within seconds'

/** What proves the audit log: its checkpoint and keys, its tiles, and proofs made of them. */
export function adminAuditLogRoutes(services: AdminServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .get('/v1/audit/log', (c) => show(c, services))
    .get('/v1/audit/log/checkpoint', (c) => checkpoint(c, services))
    .get('/v1/audit/log/tiles/:level/:tile', (c) => tile(c, services))
    .get('/v1/audit/log/proof', (c) => proof(c, services))
}

async function show(c: HttpContext, { store }: AdminServices): Promise<Response> {
  const { origin, size, checkpoint, signedAt } = await store.auditLog()
  const note = parseNote(checkpoint ?? '')
  const read = note.ok ? parseCheckpoint(note.value.text) : note
  if (origin === null || !read.ok) return answerProblem(c, 'not_found', NO_CHECKPOINT)
  return c.json({
    origin,
    size,
    root: toBase64(read.value.root),
    signed_at: signedAt,
    checkpoint,
    keys: await auditKeysOf(store, origin),
    // Whether PostgreSQL itself keeps this service from changing what is in the log.
    append_only: !(await store.mayChangeAudit()),
  })
}

/** As C2SP tlog-tiles has it: a signed note, and nothing else. */
async function checkpoint(c: HttpContext, { store }: AdminServices): Promise<Response> {
  const { checkpoint: note } = await store.auditLog()
  return note === null ? answerProblem(c, 'not_found', NO_CHECKPOINT) : c.text(note)
}

const PLACE = /^(?:0|[1-9]\d{0,14})$/

/** The hashes of a tile, one after the other, as C2SP tlog-tiles has them: all of them, or the first `width`. */
async function tile(c: HttpContext, { store }: AdminServices): Promise<Response> {
  const query = parseForm(tileQuery, c.req.query())
  if (!query.ok) return answerFailure(c, query.failure)
  const { width } = query.value
  const [level = '', index = ''] = [c.req.param('level'), c.req.param('tile')]
  const isPlace = PLACE.test(level) && PLACE.test(index) && Number(level) <= MOST_LEVEL
  const place = { level: Number(level), tile: Number(index) }
  const [found] = isPlace ? await store.auditTiles([place]) : []
  const hashes = found?.hashes.subarray(0, width * HASH_BYTES)
  if (hashes?.length !== width * HASH_BYTES) {
    return answerProblem(c, 'not_found', 'the log has no such tile, or not so many hashes in it')
  }
  c.header('cache-control', 'private, max-age=31536000, immutable')
  c.header('content-type', 'application/octet-stream')
  return c.body(new Uint8Array(hashes))
}

async function proof(c: HttpContext, { store }: AdminServices): Promise<Response> {
  const query = parseForm(proofQuery, c.req.query())
  if (!query.ok) return answerFailure(c, query.failure)
  const { index, old_size: oldSize = 0, size } = query.value
  const proven =
    index === undefined
      ? await proveConsistency(store, { oldSize, size })
      : await proveInclusion(store, { index, size })
  if (proven === undefined) {
    return answerProblem(c, 'not_found', 'the log has not been of that size, or had no such leaf')
  }
  return c.json({ hashes: proven.map(toBase64) })
}
