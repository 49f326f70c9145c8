import { afterAll, expect, test } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import {
  QueueFullError,
  STORE_FAULTS,
  StoreError,
  type StoreFault,
} from '../../src/store/store-error.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  startDevice,
  testClock,
} from '../support/service.ts'
import { attestMinted, rememberHealthy } from '../support/submission.ts'
import { openTestDatabase } from '../support/test-database.ts'

/**
 * What PostgreSQL, the network and our own queue say, each in the way it arrives; that these are their
 * words is shown by real servers in test/store/drivers/statement-limits.test.ts and test/faults/.
 */
const CODE_OF: Readonly<Record<StoreFault, string>> = {
  connection: 'ECONNREFUSED',
  timeout: '57014',
  lock: '55P03',
  too_many: '53300',
  queue_full: '',
}

const database = await openTestDatabase()
const clock = testClock()
let failing: Error | undefined

/** A store that can answer nothing, for whatever use. */
function failWhenTold(store: Store): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) =>
        failing === undefined ? Reflect.apply(member, target, args) : Promise.reject(failing)
    },
  })
}

const service = await createTestService({ database, clock, wrap: failWhenTold })
await rememberHealthy(service, await startDevice())
const pep = await service.as('access.evaluate')
const admin = await service.as('admin.read', 'admin.write')
const { deviceId } = await attestMinted(service)
const question = {
  subject: { type: 'device', id: deviceId },
  resource: { type: 'application', id: 'payroll' },
  action: { name: 'signin' },
}
const evaluate = () => service.post('/access/v1/evaluation', question, { headers: pep })
await readOk(await evaluate())
await readOk(await service.request('/v1/rollouts', { headers: admin }))
afterAll(() => database.close())

async function whileAway<T>(code: string, run: () => Promise<T>): Promise<T> {
  const said = Object.assign(new Error('connect 10.0.0.7 refused'), { code })
  failing = new StoreError(code === '' ? new QueueFullError() : said)
  try {
    return await run()
  } finally {
    failing = undefined
  }
}

test.each(STORE_FAULTS)(
  '%s is 503 with a time to come again, on every surface in its form',
  async (kind) => {
    await whileAway(CODE_OF[kind], async () => {
      const decision = await evaluate()
      const submission = await attestMinted(service)
      const list = await service.request('/v1/rollouts', { headers: admin })
      const keys = await service.request('/readyz')
      for (const answer of [decision, submission.answer, list, keys]) {
        expect(answer.status).toBe(503)
        const wait = Number(answer.headers.get('retry-after'))
        expect(wait).toBeGreaterThanOrEqual(1)
        expect(wait).toBeLessThanOrEqual(5)
        expect(await answer.clone().text()).not.toContain('10.0.0.7')
      }
      expect(await decision.json()).toMatch(/^the service cannot answer at the moment: /)
      await expectProblem(submission.answer, 503, 'unavailable')
      await expectProblem(list, 503, 'unavailable')
    })
    await readOk(await evaluate())
  },
)

test('the times to come again are spread', async () => {
  const waits = await whileAway('57P03', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, evaluate))
    return new Set(answers.map((answer) => answer.headers.get('retry-after')))
  })
  expect(waits.size).toBeGreaterThan(1)
})

test('one line a second tells of each kind, and how many it stands for', async () => {
  const ask = async (code: string, times: number) => {
    await whileAway(code, async () => {
      for (let time = 0; time < times; time++) await evaluate()
    })
  }
  for (const code of ['57P03', '57014']) {
    clock.advance(1)
    await ask(code, 1)
  }
  clock.advance(1)
  const before = service.logs.length
  await ask('57P03', 50)
  await ask('57014', 20)
  clock.advance(1)
  await ask('57P03', 1)
  const lines = service.logs.slice(before).map((line) => JSON.parse(line))
  const told = lines.filter(({ level }) => level === 'error')
  expect(told.map(({ event, kind, left_out }) => [event, kind, left_out])).toEqual([
    ['database_unavailable', 'connection', undefined],
    ['database_unavailable', 'timeout', undefined],
    ['database_unavailable', 'connection', 49],
  ])
})
