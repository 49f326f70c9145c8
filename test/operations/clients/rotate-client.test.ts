import { afterAll, describe, expect, test } from 'vitest'
import { createRandomSource } from '../../../src/base/random.ts'
import { runControl } from '../../../src/compose/jobs.ts'
import { disableClient } from '../../../src/operations/clients/disable-client.ts'
import { MAX_OVERLAP_MS, rotateClient } from '../../../src/operations/clients/rotate-client.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { basic, createTestService, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
afterAll(() => database.close())
const DAY_MS = 86_400_000

/** A service whose clock is its own, and one client of it. */
async function begin() {
  const clock = testClock()
  const service = await createTestService({ database, clock })
  const headers = await service.as('admin.read')
  const [clientId = '', first = ''] = Buffer.from(headers.authorization?.slice(6) ?? '', 'base64')
    .toString()
    .split(':')
  await database.query(`update client set created_at = '${clock.now().toISOString()}',
    disabled_at = null, secret_used_at = null, previous_secret_hash = null,
    previous_secret_until = null, previous_secret_used_at = null where client_id = '${clientId}'`)
  const ask = async (secret: string) => {
    const answer = await service.request('/v1/policy', {
      headers: { authorization: basic(clientId, secret) },
    })
    return answer.status
  }
  const rotate = (overlapMs: number) =>
    rotateClient(
      { store: database.store, random: createRandomSource() },
      { clientId, overlapMs, by: 'alice', now: clock.now() },
    )
  const listed = async () =>
    (await database.store.listClients()).find((client) => client.clientId === clientId)
  /** The directory keeps what it read for five seconds. */
  const later = (seconds: number) => clock.advance(seconds)
  const round = () => runControl(service.services)
  return { service, clock, clientId, first, ask, rotate, listed, later, round }
}

describe('the secret of a client', () => {
  test('is followed by another one, and both count until the overlap ends', async () => {
    const { first, ask, rotate, later } = await begin()
    const { secret, previousUntil } = expectOk(await rotate(DAY_MS))
    later(6)
    expect(await ask(first)).toBe(200)
    expect(await ask(secret)).toBe(200)
    expect(await ask('')).toBe(401)
    later(86_400 - 7)
    expect(await ask(first)).toBe(200)
    later(1)
    expect(await ask(first)).toBe(401)
    expect(await ask(secret)).toBe(200)
    expect(previousUntil.getTime() % 1000).toBe(0)

    // Alone again, it has no secret beside it that an empty one could be.
    expect(await ask('')).toBe(401)
    const { secret: third } = expectOk(await rotate(0))
    later(6)
    expect(await ask(secret)).toBe(401)
    expect(await ask('')).toBe(401)
    expect(await ask(third)).toBe(200)
  })

  test('is not followed twice in one overlap, unless both are to end', async () => {
    const { first, ask, rotate, later } = await begin()
    const second = expectOk(await rotate(DAY_MS)).secret
    expectRefusal(await rotate(DAY_MS), 'client_rotation_under_way')
    later(6)
    expect(await ask(first)).toBe(200)
    const third = expectOk(await rotate(0)).secret
    later(6)
    expect([await ask(first), await ask(second), await ask(third)]).toEqual([401, 401, 200])
    expectOk(await rotate(DAY_MS))
  })

  test('is not rotated of a client that there is not or that is disabled, nor for too long', async () => {
    const { clientId, rotate, clock } = await begin()
    const dependencies = { store: database.store, random: createRandomSource() }
    const nobody = { clientId: 'cli_nobody', overlapMs: 0, by: 'alice', now: clock.now() }
    expectRefusal(await rotateClient(dependencies, nobody), 'client_to_rotate_not_found')
    await expect(rotate(MAX_OVERLAP_MS + 1)).rejects.toThrow(TypeError)
    await disableClient(database.store, { clientId, by: 'alice', now: clock.now() })
    expectRefusal(await rotate(0), 'client_to_rotate_disabled')
  })

  test('leaves with the change a row in the audit log, which holds no secret', async () => {
    const { clientId, rotate, clock } = await begin()
    const { secret } = expectOk(await rotate(DAY_MS))
    const rows = await database.query(`select actor, detail from audit
      where action = 'client.secret-rotated' and detail->>'clientId' = '${clientId}'
      order by audit_id desc limit 1`)
    const previousUntil = new Date(clock.now().getTime() + DAY_MS).toISOString()
    expect(rows).toEqual([{ actor: 'alice', detail: { clientId, previousUntil } }])
    expect(JSON.stringify(await database.query('select * from audit'))).not.toContain(secret)
  })
})

describe('the last use of a secret', () => {
  test('is kept for each of them, beside the requests and once an hour', async () => {
    const { service, clock, first, ask, rotate, listed, later, round } = await begin()
    const began = clock.now()
    service.calls.length = 0
    await ask(first)
    expect(service.calls).not.toContain('noteClientUse')
    expect(await listed()).toMatchObject({ secretUsedAt: null, previousSecretUsedAt: null })
    await round()
    expect(await listed()).toMatchObject({ secretUsedAt: began })
    // Within the hour nothing more is written.
    later(3599)
    await ask(first)
    service.calls.length = 0
    await round()
    expect(service.calls).not.toContain('noteClientUse')

    const { secret } = expectOk(await rotate(DAY_MS))
    expect(await listed()).toMatchObject({ secretUsedAt: null, previousSecretUsedAt: began })
    later(6)
    const used = clock.now()
    await ask(secret)
    await ask(first)
    await ask('css_wrong')
    await round()
    expect(await listed()).toMatchObject({ secretUsedAt: used, previousSecretUsedAt: used })
  })

  test('of two processes that noted it the first one is kept for the hour', async () => {
    const { clock, clientId, listed, later } = await begin()
    const [row] = await database.query(
      `select secret_hash as hash from client where client_id = '${clientId}'`,
    )
    const note = () =>
      database.store.noteClientUse({ clientId, secretHash: String(row?.hash), at: clock.now() })
    const began = clock.now()
    await note()
    later(3600)
    await note()
    expect(await listed()).toMatchObject({ secretUsedAt: began })
    later(1)
    await note()
    expect(await listed()).toMatchObject({ secretUsedAt: clock.now() })
    await database.store.noteClientUse({ clientId, secretHash: 'of nobody', at: new Date() })
    expect(await listed()).toMatchObject({ secretUsedAt: clock.now() })
  })
})
