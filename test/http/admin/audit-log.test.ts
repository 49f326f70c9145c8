import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashEntry } from '../../../src/audit/entry.ts'
import { rootOfInclusion, rootsOfConsistency } from '../../../src/audit/merkle.ts'
import { parseNoteKey } from '../../../src/audit/note.ts'
import { openCheckpoint } from '../../../src/audit/verify-log.ts'
import { fromBase64, toBase64 } from '../../../src/base/encoding.ts'
import { growLog } from '../../operations/audit/audit-fixture.ts'
import type { Json } from '../../support/json.ts'
import { expectOk } from '../../support/refusal.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  startDevice,
  type TestService,
} from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/**
 * What proves the log, over HTTP. That these proofs and tiles are those of others `go-witness.test.ts` shows, by
 * libraries of Go.
 */
let database: TestDatabase
let service: TestService
let deviceId: string
let read: Readonly<Record<string, string>>
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
  deviceId = expectOk(await service.agentOf(await startDevice()).attest()).device_id
  read = await service.as('admin.read')
})
afterAll(() => database?.close())

const get = (path: string) => service.request(path, { headers: read })
const bytes = (text: string) => fromBase64(text) ?? new Uint8Array()

test('an entry says by which request it came, from where, and by whom it was passed on', async () => {
  const headers = {
    ...(await service.as('admin.operate')),
    'x-request-id': 'ticket-4711',
    'x-forwarded-for': '192.0.2.7',
  }
  const path = `/v1/devices/${deviceId}/quarantine`
  await readOk(await service.post(path, { reason: 'stolen' }, { headers }))
  const page: Json = await readOk(await get(`/v1/audit?device=${deviceId}`))
  expect(page.entries[0]).toMatchObject({
    action: 'device.quarantined',
    request: {
      ...{ id: 'ticket-4711', method: 'POST', path },
      ...{ address: 'unknown', forwarded_for: '192.0.2.7' },
    },
  })
})

test('there is nothing to prove before the first checkpoint', async () => {
  for (const path of [
    '/v1/audit/log',
    '/v1/audit/log/checkpoint',
    '/v1/audit/log/tiles/0/0?width=1',
  ]) {
    await expectProblem(await get(path), 404, 'not_found')
  }
})

test('the checkpoint is signed by a key that stands beside it, and its root is that of tiles and proofs', async () => {
  await growLog(service.services)
  const log: Json = await readOk(await get('/v1/audit/log'))
  expect(log).toMatchObject({ origin: 'localhost:8080/audit', append_only: false })
  const note = await get('/v1/audit/log/checkpoint')
  expect(note.headers.get('content-type')).toMatch(/^text\/plain/)
  expect(await note.text()).toBe(log.checkpoint)
  const keys = log.keys.map((key: string) => expectOk(parseNoteKey(key)))
  const { checkpoint } = expectOk(openCheckpoint(log.checkpoint, keys))
  expect([checkpoint.size, toBase64(checkpoint.root)]).toEqual([log.size, log.root])

  const tile = await get(`/v1/audit/log/tiles/0/0?width=${log.size}`)
  expect(tile.headers.get('cache-control')).toBe('private, max-age=31536000, immutable')
  const leaves = new Uint8Array(await tile.arrayBuffer())
  expect(leaves.length).toBe(32 * log.size)

  // Whoever has an entry finds its leaf, and proves that it is in the log.
  const page: Json = await readOk(await get(`/v1/audit?device=${deviceId}`))
  const leaf = hashEntry(page.entries[0]) ?? new Uint8Array()
  const index = Array.from({ length: log.size }, (_, at) =>
    toBase64(leaves.subarray(at * 32, at * 32 + 32)),
  ).indexOf(toBase64(leaf))
  expect(index).toBeGreaterThanOrEqual(0)
  const { size } = log
  const proof: Json = await readOk(await get(`/v1/audit/log/proof?index=${index}&size=${size}`))
  const root = rootOfInclusion({ index, size, leaf, hashes: proof.hashes.map(bytes) })
  expect(root && toBase64(root)).toBe(log.root)

  const operate = await service.as('admin.operate')
  await readOk(
    await service.post(
      `/v1/devices/${deviceId}/release`,
      { reason: 'found' },
      { headers: operate },
    ),
  )
  await growLog(service.services)
  const later: Json = await readOk(await get('/v1/audit/log'))
  expect(later.size).toBeGreaterThan(size)
  const between: Json = await readOk(
    await get(`/v1/audit/log/proof?old_size=${size}&size=${later.size}`),
  )
  const roots = rootsOfConsistency({
    ...{ oldSize: size, size: later.size, oldRoot: checkpoint.root },
    hashes: between.hashes.map(bytes),
  })
  expect(roots && [toBase64(roots.old), toBase64(roots.root)]).toEqual([log.root, later.root])
})

test.each([
  ['proof', 400],
  ['proof?index=1', 400],
  ['proof?index=0&old_size=1&size=1', 400],
  ['proof?index=-1&size=1', 400],
  ['proof?index=0&size=99999', 404],
  ['proof?index=5&size=5', 404],
  ['proof?old_size=0&size=5', 404],
  ['proof?old_size=6&size=5', 404],
  ['tiles/0/0?width=0', 400],
  ['tiles/0/0?width=257', 400],
  ['tiles/0/0', 404],
  ['tiles/0/00', 404],
  ['tiles/0/9', 404],
  ['tiles/7/0', 404],
  ['tiles/0/999999999999999999999', 404],
  ['tiles/a/b', 404],
] as const)('what is asked for as %s there is not', async (path, status) => {
  const code = status === 400 ? 'request_malformed' : 'not_found'
  await expectProblem(await get(`/v1/audit/log/${path}`), status, code)
})
