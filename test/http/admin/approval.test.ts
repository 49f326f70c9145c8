import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { ROLES, type Role } from '../../../src/oauth/roles.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'
import type { Json } from '../../support/json.ts'
import { noteReason } from '../../support/refusal.ts'
import { createTestService, expectProblem, readOk } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

/** What one administrator asks for, and another one, who could not ask for it, has carried out. */

const database = await openTestDatabase()
const service = await createTestService({ database, env: { SECOND_ADMINISTRATOR: 'required' } })
afterAll(() => database.close())
beforeEach(() => service.clock.advance(3700))

const as = (role: Role) => service.as(...ROLES[role])
let labels = 0
const allowance = () => {
  labels += 1
  return {
    action: 'allow',
    target: { kind: 'label', name: `label-${labels}` },
    reason: 'the update broke them',
    expires_at: new Date(service.clock.now().getTime() + 3_600_000).toISOString(),
  }
}
const waiting = async (): Promise<Json> => {
  const answer = await service.request('/v1/second-requests', { headers: await as('approver') })
  return (await readOk(answer)).second_requests
}
const approve = async (id: string, role: Role = 'approver') =>
  service.post(
    `/v1/second-requests/${id}/approve`,
    { reason: 'I see it' },
    {
      headers: await as(role),
    },
  )
const overrides = async (): Promise<Json[]> =>
  (await readOk(await service.request('/v1/overrides', { headers: await as('viewer') }))).overrides

/** Somebody asks, and waits. */
async function ask(body = allowance()): Promise<string> {
  const headers = await as('operator')
  await readOk(await service.post('/v1/overrides', body, { headers }), 202)
  return (await waiting())[0].id
}

describe('whoever approves', () => {
  test('has carried out what an operator asked for, as it was asked, once', async () => {
    const body = allowance()
    const id = await ask(body)
    const headers = await as('approver')
    const shown = await readOk(await service.request(`/v1/second-requests/${id}`, { headers }))
    expect(shown).toMatchObject({ id, request: 'POST /v1/overrides', body })
    const made = await readOk(await approve(id), 201)
    expect(made.target).toEqual(body.target)
    expect((await overrides()).map(({ target }) => target)).toContainEqual(body.target)
    const audit = await service.query(
      "select actor, action from audit where action in ('request.seconded', 'override.created') order by at desc, action desc limit 2",
    )
    expect(new Set(audit.map(({ actor }) => actor)).size).toBe(1)
    expect(audit[0]?.actor).toMatch(/approve$/)
    await expectProblem(await approve(id), 404, 'second_request_not_found')
    noteReason('second_request_not_found')
  })

  test('may ask for nothing themselves, nor do the same by sending it', async () => {
    const body = allowance()
    await ask(body)
    const headers = await as('approver')
    await expectProblem(await service.post('/v1/overrides', body, { headers }), 403, 'forbidden')
    expect(await waiting()).toHaveLength(1)
  })

  test('is not the one who asked, whatever else they may', async () => {
    const headers = await as('owner')
    await readOk(await service.post('/v1/overrides', allowance(), { headers }), 202)
    const [{ id }] = await waiting()
    await expectProblem(await approve(id, 'owner'), 409, 'second_request_own')
    noteReason('second_request_own')
    await readOk(await approve(id), 201)
  })

  test.each(['viewer', 'operator', 'policy-author'] as const)('is no %s', async (role) => {
    await expectProblem(await approve(await ask(), role), 403, 'forbidden')
    expect(await waiting()).toHaveLength(1)
  })

  test('is nobody who only asks for the same: two operators are no two administrators', async () => {
    const body = allowance()
    const id = await ask(body)
    const other = await service.as('admin.operate', 'admin.read', 'access.evaluate')
    await readOk(await service.post('/v1/overrides', body, { headers: other }), 202)
    expect(await overrides()).toEqual([])
    await readOk(await approve(id), 201)
  })

  test('does so within the time, and of what is as it was', async () => {
    const late = await ask()
    service.clock.advance(3601)
    await expectProblem(await approve(late), 404, 'second_request_not_found')
    const headers = { ...(await as('policy-author')), 'content-type': 'application/json' }
    const values = listSimulatorReferenceValues() as Json
    const propose = async (minimum_svn: number): Promise<string> => {
      const document = { ...values, enclaves: [{ ...values.enclaves[0], minimum_svn }] }
      const body = JSON.stringify({ reason: 'r', document, at_once: true })
      const answer = await service.request('/v1/reference-values', { method: 'PUT', headers, body })
      await readOk(answer, 202)
      service.clock.advance(1)
      return (await waiting())[0].id
    }
    const id = await propose(4)
    // Meanwhile another one comes into force.
    await readOk(await approve(await propose(5), 'owner'))
    await expectProblem(await approve(id), 409, 'second_not_awaited')
    noteReason('second_not_awaited')
  })
})
