import { afterAll, test } from 'vitest'
import { expectOk, noteReason } from '../../support/refusal.ts'
import { createTestService, expectProblem, startDevice, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const env = { DEVICE_ATTESTATIONS_PER_MINUTE: '3' }
const one = await createTestService({ database, env, clock })
const two = await createTestService({ database, env, clock })
afterAll(() => database.close())

test('whoever sends what a device has submitted again, to any process, keeps it from nothing', async () => {
  const device = await startDevice()
  const submitted: Request[] = []
  const agent = one.agentOf(device, {
    fetch: async (request) => {
      if (request.url.endsWith('/v1/attestations')) submitted.push(request.clone())
      return one.app.fetch(request)
    },
  })
  expectOk(await agent.attest())
  clock.advance(60)
  expectOk(await one.agentOf(device).attest())
  clock.advance(60)
  for (let time = 0; time < 20; time++) {
    for (const { app } of [one, two]) {
      for (const request of submitted) {
        await expectProblem(await app.fetch(request.clone()), 409, 'nonce_spent')
      }
    }
  }
  noteReason('nonce_spent')
  for (const service of [one, two]) {
    clock.advance(1)
    expectOk(await service.agentOf(device).attest())
  }
})
