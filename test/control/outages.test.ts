import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runControl } from '../../src/control/run.ts'
import { createTestService, readOk, startDevice, type TestService } from '../support/service.ts'
import { attestMinted, rememberHealthy } from '../support/submission.ts'
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts'

const HOUR = 3600
const VALIDITY_HOURS = 8
const GRACE_HOURS = 4

let database: TestDatabase
let service: TestService
let deviceId: string
/** Whether the verifier answers, as relays would say. */
let isAvailable = true

beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({
    database,
    alter: (services) => ({
      ...services,
      verifierStates: () => ({ [services.config.publicUrl]: isAvailable }),
    }),
  })
  await rememberHealthy(service, await startDevice())
  const attested = await attestMinted(service)
  await readOk(attested.answer, 201)
  deviceId = attested.deviceId
})
afterAll(() => database.close())

async function ask() {
  const headers = await service.as('access.evaluate')
  const question = {
    subject: { type: 'device', id: deviceId },
    action: { name: 'signin' },
    resource: { type: 'application', id: 'payroll' },
  }
  return await readOk(await service.post('/access/v1/evaluation', question, { headers }))
}

/** Rounds of control, as often as there would be, in less time. */
async function pass(hours: number): Promise<void> {
  for (let minutes = 0; minutes < hours * 60; minutes += 4) {
    service.clock.advance(240)
    await runControl(service.services)
  }
}

describe('evidence past its end', () => {
  test('counts while its verifier cannot be reached, for so long and no longer, and says so', async () => {
    await pass(VALIDITY_HOURS - 0.5)
    isAvailable = false
    await pass(0.4)
    expect(await ask()).toMatchObject({ decision: true, context: { verdict: 'trusted' } })
    expect((await ask()).context.relief).toBeUndefined()
    await pass(0.2)
    const late = await ask()
    expect(late.decision).toBe(true)
    expect(late.context.relief).toEqual([
      { kind: 'outage_grace', reason: 'stale', until: expect.any(String) },
    ])
    const end = Date.parse(late.context.valid_until) + GRACE_HOURS * HOUR * 1000
    expect(Date.parse(late.context.relief[0].until)).toBeLessThanOrEqual(end)
    await pass(GRACE_HOURS)
    expect(await ask()).toMatchObject({ decision: false, context: { verdict: 'stale' } })
    const metrics = await (await service.request('/metrics')).text()
    expect(metrics).toMatch(/countersign_relieved_decisions_total\{kind="outage_grace"\} [1-9]/)
  })

  test('ends to count soon after the verifier is back', async () => {
    isAvailable = true
    await pass(0.2)
    const [hold] = await service.services.store.listHolds(1)
    expect(hold).toMatchObject({ cause: { kind: 'stale' }, endedAt: expect.any(Date) })
    const reattested = await attestMinted(service)
    deviceId = reattested.deviceId
    await pass(VALIDITY_HOURS + 0.1)
    expect(await ask()).toMatchObject({ decision: false, context: { verdict: 'stale' } })
  })
})
