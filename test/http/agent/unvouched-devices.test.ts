import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal, noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  START,
  startDevice,
  testClock,
} from '../../support/service.ts'
import { attestMinted, newDeviceKey, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const authority = await createAkAuthority(START)
const database = await openTestDatabase()
const clock = testClock()
const env = { UNVOUCHED_DEVICES_PER_MINUTE: '6', DEVICE_ATTESTATIONS_PER_MINUTE: '1000' }
const service = await createTestService({ database, clock, env })
await rememberHealthy(service, await startDevice())
const pep = await service.as('access.evaluate')
afterAll(() => database.close())
beforeEach(() => clock.advance(120))

const attest = (deviceKey?: Uint8Array, claims: object = {}, at = service) =>
  attestMinted(at, { claims: { ...claims }, ...(deviceKey && { deviceKey }) })

async function spendBudget(at = service): Promise<Uint8Array> {
  let known: Uint8Array | undefined
  for (let i = 0; i < 6; i++) {
    const { answer, deviceKey } = await attest(undefined, {}, at)
    await readOk(answer, 201)
    known = deviceKey
  }
  return known ?? newDeviceKey()
}

describe('software keys that enrol without end', () => {
  test('come to an end at the rate of new devices, which is told with when to come back', async () => {
    await spendBudget()
    const before = await everythingStored(service.query)
    const { answer } = await attest()
    await expectProblem(answer, 429, 'enrolment_rate_limited')
    expect(answer.headers.get('retry-after')).toBe('10')
    noteReason('enrolment_rate_limited')
    expect(await everythingStored(service.query)).toEqual(before)
    clock.advance(10)
    await readOk((await attest()).answer, 201)
    await expectProblem((await attest()).answer, 429, 'enrolment_rate_limited')
  })

  test('keep nobody out who is known, or for whom somebody vouches', async () => {
    const known = await spendBudget()
    await expectProblem((await attest()).answer, 429, 'enrolment_rate_limited')
    await readOk((await attest(known)).answer, 201)
    await readOk((await attest(undefined, { aikValidated: true })).answer, 201)
  })

  test('come to an end at the number of devices, whichever process records them', async () => {
    const [row] = await service.query(
      'select count(*)::int as n from device where not vouched and seen_on is not null',
    )
    const most = { UNVOUCHED_DEVICES_MOST: String(Number(row?.n) + 1) }
    const [one, other] = [
      await createTestService({ database, clock, env: most }),
      await createTestService({ database, clock, env: most }),
    ]
    const { answer, deviceKey } = await attest(undefined, {}, one)
    await readOk(answer, 201)
    for (const at of [one, other]) {
      const refused = (await attest(undefined, {}, at)).answer
      await expectProblem(refused, 503, 'enrolment_full')
      expect(refused.headers.get('retry-after')).toBe('3600')
      await readOk((await attest(deviceKey, {}, at)).answer, 201)
      expect(at.logs.join('')).toContain('"event":"enrolment_full"')
    }
    noteReason('enrolment_full')
  })

  test('by one request key for all of them are counted', async () => {
    await readOk((await attest()).answer, 201)
    await readOk((await attest()).answer, 201)
    const metrics = await (await service.request('/metrics')).text()
    expect(metrics).toMatch(/^countersign_shared_request_keys_total [1-9]/m)
  })
})

describe('refusals of keys that nobody knows', () => {
  const refused = async (deviceKey: Uint8Array, claims: object = {}) => {
    const { answer } = await attest(deviceKey, { ...claims, secureBootEnabled: 'text' })
    await expectProblem(answer, 400, 'claims_wrong_type')
  }
  const attempts = async () =>
    Number((await service.query('select count(*) as n from refusal'))[0]?.n)

  test('leave no row, however many they are, and no line of the log each', async () => {
    const before = await everythingStored(service.query)
    const lines = service.logs.length
    for (let i = 0; i < 100; i++) await refused(newDeviceKey())
    expect(await everythingStored(service.query)).toEqual(before)
    const told = service.logs.slice(lines).filter((line) => line.includes('attestation_refused'))
    expect(told).toHaveLength(60)
    clock.advance(60)
    await refused(newDeviceKey())
    expect(
      JSON.parse(service.logs.findLast((line) => line.includes('_refused')) ?? ''),
    ).toMatchObject({
      left_out: 40,
    })
    const metrics = await (await service.request('/metrics')).text()
    expect(metrics).toMatch(/^countersign_refusals_not_kept_total\{stage="submission"\} 1\d\d$/m)
  })

  test('are kept of a device that is known, and of a key that somebody vouches for', async () => {
    const known = await spendBudget()
    const before = await attempts()
    await refused(known)
    await refused(newDeviceKey(), { aikValidated: true })
    expect(await attempts()).toBe(before + 2)
  })
})

describe('turning trust anchors on', () => {
  const anchored = { AK_TRUST_ANCHORS: authority.anchorPem }
  const decide = async (at: typeof service, id: string): Promise<Json> => {
    const body = {
      subject: { type: 'device', id },
      action: { name: 'signin' },
      resource: { type: 'application', id: 'payroll' },
      context: { receipt: true },
    }
    return readOk(await at.post('/access/v1/evaluation', body, { headers: pep }))
  }

  test('ends the trust in software TPMs that were recorded before', async () => {
    const software = await startDevice()
    expectOk(await service.agentOf(software).attest())
    expect((await decide(service, software.deviceId)).decision).toBe(true)
    const later = await createTestService({ database, clock, env: anchored })
    const denied = await decide(later, software.deviceId)
    expect(denied).toMatchObject({
      decision: false,
      context: { verdict: 'unknown', reasons: [{ code: 'hardware_unproven' }] },
    })
    expect(denied.context.reasons[0].repair).toMatch(/TPM/)
    const claims = JSON.parse(
      Buffer.from(denied.context.receipt.split('.')[1], 'base64url').toString(),
    )
    expect(claims).toMatchObject({ hardware_required: true, reasons: ['hardware_unproven'] })
  })

  test('lets no new device in for which nobody vouches, and leaves no row of it', async () => {
    const later = await createTestService({ database, clock, env: anchored })
    const { refusal: _, ...before } = await everythingStored(service.query)
    const failure = expectRefusal(
      await later.agentOf(await startDevice()).attest(),
      'agent_request_refused',
    )
    expect(failure).toMatchObject({ status: 400 })
    // Nor where a verifier made a token for it all the same.
    await expectProblem((await attest(undefined, {}, later)).answer, 403, 'device_not_vouched')
    noteReason('device_not_vouched')
    // But among what strangers tried, where an administrator finds it.
    const { refusal: __, ...after } = await everythingStored(service.query)
    expect(after).toEqual(before)
    const good = await startDevice({ issuer: authority.issue })
    expect(expectOk(await later.agentOf(good).attest()).verdict).toBe('trusted')
  })
})
