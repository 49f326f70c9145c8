import { afterAll, expect, test } from 'vitest'
import { reviewUnproven } from '../../../src/operations/jobs/review-unproven.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import type { Json } from '../../support/json.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  START,
  startDevice,
  testClock,
} from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const authority = await createAkAuthority(START)
const database = await openTestDatabase()
const clock = testClock()
const before = await createTestService({ database, clock })
await rememberHealthy(before, await startDevice())
const pep = await before.as('access.evaluate')
afterAll(() => database.close())

const anchored = (env: object = {}) =>
  createTestService({ database, clock, env: { AK_TRUST_ANCHORS: authority.anchorPem, ...env } })
type Service = Awaited<ReturnType<typeof anchored>>

const warning = ({ logs }: Service): Json =>
  logs.map((line) => JSON.parse(line)).find(({ event }) => event === 'records_unproven')

async function decide(at: Service, id: string): Promise<Json> {
  const subject = { type: 'device', id }
  const question = { subject, action: { name: 'a' }, resource: { type: 'app', id: 'b' } }
  return readOk(await at.post('/access/v1/evaluation', question, { headers: pep }))
}

async function attest(): Promise<string> {
  const { answer, deviceId } = await attestMinted(before)
  await readOk(answer, 201)
  return deviceId
}

test('nothing is said where no anchors are configured, or no record is unproven', async () => {
  await reviewUnproven(before.services)
  expect(warning(before)).toBeUndefined()
  const later = await anchored()
  await reviewUnproven(later.services)
  expect(warning(later)).toBeUndefined()
})

test('a few records are told of, and nothing holds their denial', async () => {
  const id = await attest()
  const later = await anchored()
  await reviewUnproven(later.services)
  expect(warning(later)).toMatchObject({
    level: 'warn',
    unvouched_devices: 1,
    newly_refused: 1,
    share: 1,
    hold: 'none',
  })
  expect((await decide(later, id)).decision).toBe(false)
})

test('a fleet is told of and not locked out at once, and new evidence is not covered', async () => {
  const ids: string[] = []
  for (let i = 0; i < 10; i++) ids.push(await attest())
  const [first = ''] = ids
  clock.advance(1)
  const without = await anchored({ HOLD_SECONDS: '0' })
  await reviewUnproven(without.services)
  expect(warning(without)).toMatchObject({ newly_refused: 11, hold: 'none' })
  expect((await decide(without, first)).decision).toBe(false)

  const later = await anchored()
  await reviewUnproven(later.services)
  expect(warning(later)).toMatchObject({ newly_refused: 11, hold: 'applied' })
  const held = await decide(later, first)
  expect(held).toMatchObject({
    decision: true,
    context: { relief: [{ kind: 'hold', reason: 'hardware_unproven' }] },
  })
  clock.advance(1)
  const { answer } = await attestMinted(later)
  await expectProblem(answer, 403, 'device_not_vouched')
})

test('it is held once: neither another start nor the end of its time holds it again', async () => {
  clock.advance(14_400)
  const later = await anchored()
  await reviewUnproven(later.services)
  expect(['unchanged', 'used_up', undefined]).toContain(warning(later)?.hold)
  const [row] = await before.query('select device_id from device order by 1 limit 1')
  expect((await decide(later, String(row?.device_id))).decision).toBe(false)
})
