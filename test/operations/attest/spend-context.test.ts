import { randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { createDeviceLimiter } from '../../../src/operations/attest/device-limiter.ts'
import { createContextSpender } from '../../../src/operations/attest/spend-context.ts'
import type { Store } from '../../../src/store/store.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { createTestService, readOk, START, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
afterAll(() => database.close())

const A_MINUTE = 3

function startProcess(store: Pick<Store, 'spendContext' | 'trustRecord'> = database.store) {
  const clock = testClock()
  const limiter = createDeviceLimiter(A_MINUTE)
  return { clock, spend: createContextSpender({ store, limiter, clock: clock.now }) }
}

let contexts = 0
const deviceKey = () => new Uint8Array(randomBytes(32))
const useOf = (key: Uint8Array, isVouchedFor: boolean) => {
  contexts += 1
  const contextId = `context ${contexts}`
  return { contextId, expiresAt: new Date(START.getTime() + 300_000), deviceKey: key, isVouchedFor }
}
const rows = async () => (await database.query('select * from spent_context')).length

test('what a key that an anchor vouches for used up is used up for all processes', async () => {
  const [one, two] = [startProcess(), startProcess()]
  const use = useOf(deviceKey(), true)
  expectOk(await one.spend(use))
  expectRefusal(await one.spend(use), 'context_spent')
  expectRefusal(await two.spend(use), 'context_spent')
})

test('what somebody else used up is used up, too', async () => {
  const use = useOf(deviceKey(), true)
  expectOk(await startProcess().spend(use))
  expectRefusal(await startProcess().spend({ ...use, deviceKey: deviceKey() }), 'context_spent')
})

test('so it is with a key of a known device that nobody vouches for', async () => {
  const service = await createTestService({ database })
  const key = deviceKey()
  const body = { device_key: Buffer.from(key).toString('base64') }
  const headers = await service.as('admin.write')
  await readOk(await service.post('/v1/devices', body, { headers }), 201)
  const use = useOf(key, false)
  expectOk(await startProcess().spend(use))
  expectRefusal(await startProcess().spend(use), 'context_spent')
})

test('keys that anybody could have made up write nothing, and are refused the second time here', async () => {
  const before = await rows()
  const { spend } = startProcess()
  for (let attempt = 0; attempt < 20; attempt++) {
    const use = useOf(deviceKey(), false)
    expectOk(await spend(use))
    expectRefusal(await spend(use), 'context_spent')
  }
  expect(await rows()).toBe(before)
})

test('a device writes so many rows in a minute and no more; its context is not lost by that', async () => {
  const { spend, clock } = startProcess()
  const key = deviceKey()
  for (let use = 0; use < A_MINUTE; use++) expectOk(await spend(useOf(key, true)))
  const before = await rows()
  const late = useOf(key, true)
  const retryAfterSeconds = 60 / A_MINUTE
  const failure = expectRefusal(await spend(late), 'context_rate_limited')
  expect(failure).toMatchObject({ retryAfterSeconds })
  expect(await rows()).toBe(before)
  clock.advance(retryAfterSeconds)
  expectOk(await spend(late))
})

test('copies of a message cost the device nothing', async () => {
  const { spend } = startProcess()
  const key = deviceKey()
  const use = useOf(key, true)
  expectOk(await spend(use))
  for (let copy = 0; copy < 50; copy++) expectRefusal(await spend(use), 'context_spent')
  expectOk(await spend(useOf(key, true)))
})

test('a fault of the store is thrown, and leaves the context to be used', async () => {
  let isAway = true
  const { spend } = startProcess({
    trustRecord: database.store.trustRecord,
    async spendContext(context) {
      if (isAway) throw new Error('away')
      return database.store.spendContext(context)
    },
  })
  const use = useOf(deviceKey(), true)
  await expect(spend(use)).rejects.toThrow('away')
  isAway = false
  expectOk(await spend(use))
})

test('a process remembers as much as it can bear', async () => {
  const { spend } = startProcess({
    trustRecord: async () => ({ record: null }) as Awaited<ReturnType<Store['trustRecord']>>,
    spendContext: () => Promise.reject(new Error('nothing is to be written')),
  })
  const key = deviceKey()
  const first = useOf(key, false)
  expectOk(await spend(first))
  for (let more = 0; more < 50_000; more++) await spend(useOf(key, false))
  expectOk(await spend(first))
})
