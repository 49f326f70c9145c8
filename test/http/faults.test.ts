import { afterAll, describe, expect, test } from 'vitest'
import { claimSecureBoot } from '../../src/simulator/tampering.ts'
import type { Store } from '../../src/store/store.ts'
import { StoreError } from '../../src/store/store-error.ts'
import { expectRefusal } from '../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  startDevice,
  testClock,
} from '../support/service.ts'
import {
  attestMinted,
  makeProof,
  mintedClaims,
  mintToken,
  newDeviceKey,
  rememberHealthy,
  requestNonce,
  submit,
} from '../support/submission.ts'
import { openTestDatabase } from '../support/test-database.ts'

/** What a store that fails would say, and nobody outside may read. */
const SECRET = 'password authentication failed for user "countersign"'

const database = await openTestDatabase()
const clock = testClock()
let failing: readonly string[] = []

/** The store, whose methods fail while their names are in `failing`. */
function failWhenTold(store: Store): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        if (failing.includes(String(name))) return Promise.reject(new StoreError(new Error(SECRET)))
        return Reflect.apply(member, target, args)
      }
    },
  })
}

const service = await createTestService({ database, clock, wrap: failWhenTold })
const device = await startDevice()
await rememberHealthy(service, device)
const pep = await service.as('access.evaluate')
const admin = await service.as('admin.read', 'admin.write')
const { deviceId } = await attestMinted(service)
afterAll(() => database.close())

/** While these methods of the store fail, and never longer. */
async function whileFailing<T>(methods: readonly string[], run: () => Promise<T>): Promise<T> {
  failing = methods
  try {
    return await run()
  } finally {
    failing = []
  }
}

const question = {
  subject: { type: 'device', id: deviceId },
  resource: { type: 'application', id: 'payroll' },
  action: { name: 'signin' },
}
const evaluate = () => service.post('/access/v1/evaluation', question, { headers: pep })
await readOk(await evaluate())

function expectLogged(requestId: string): void {
  const line = service.logs.find((one) => one.includes(requestId) && one.includes('"fault"'))
  expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 'error', event: 'fault' })
}

async function expectNothingTold(answer: Response): Promise<string> {
  const requestId = answer.headers.get('x-request-id') ?? ''
  expect(answer.status).toBe(500)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const text = await answer.clone().text()
  expect(text).toContain(requestId)
  expect(text).not.toContain('password')
  expect(text).not.toContain('StoreError')
  expect(text).not.toContain('.ts')
  expectLogged(requestId)
  return requestId
}

describe('when the store fails', () => {
  test('a decision is an error and no denial, in the form of AuthZEN', async () => {
    const answer = await whileFailing(['trustRecord'], evaluate)
    await expectNothingTold(answer)
    expect(await answer.json()).toMatch(/^the service failed; ask its operator about request /)
    expect((await readOk(await evaluate())).decision).toBe(true)
  })

  test('a batch of decisions too', async () => {
    const body = { evaluations: [question, question] }
    const answer = await whileFailing(['trustRecords'], () =>
      service.post('/access/v1/evaluations', body, { headers: pep }),
    )
    await expectNothingTold(answer)
    expect(typeof (await answer.json())).toBe('string')
  })

  test('a submission is not recorded, and its nonce stays good', async () => {
    const deviceKey = newDeviceKey()
    const nonce = await requestNonce(service, deviceKey)
    const token = await mintToken(service, mintedClaims(service, { deviceKey, nonce }))
    const proof = await makeProof(service, { nonce })
    clock.advance(2)
    for (const method of ['recordAttestation', 'inForce']) {
      clock.advance(2)
      const before = await everythingStored(service.query)
      const answer = await whileFailing([method], () => submit(service, { token, proof }))
      await expectNothingTold(answer)
      await expectProblem(answer, 500, 'internal')
      expect(await everythingStored(service.query)).toEqual(before)
    }
    await readOk(await submit(service, { token, proof }), 201)
  })

  test('a refusal that cannot be kept says that the service failed, and changes nothing', async () => {
    const deviceKey = newDeviceKey()
    const nonce = 'AQID'
    const token = await mintToken(service, mintedClaims(service, { deviceKey, nonce }))
    const proof = await makeProof(service, { nonce })
    const before = await everythingStored(service.query)
    const answer = await whileFailing(['recordRefusal'], () => submit(service, { token, proof }))
    await expectNothingTold(answer)
    expect(await everythingStored(service.query)).toEqual(before)
  })

  test('evidence cannot be attributed, in the form of Azure', async () => {
    const bad = await startDevice({ boot: { secureBoot: false } })
    const answers: Response[] = []
    const agent = service.agentOf(claimSecureBoot(bad, 'recomputed'), {
      fetch: async (request) => {
        const answer = await service.app.fetch(request)
        answers.push(answer.clone())
        return answer
      },
    })
    expectRefusal(
      await whileFailing(['recordRefusal'], () => agent.obtainToken('AQID')),
      'agent_request_refused',
    )
    const answer = answers.at(-1) ?? expect.unreachable()
    await expectNothingTold(answer)
    expect(await answer.json()).toEqual({
      error: {
        code: 'InternalError',
        message: expect.stringContaining('the service failed'),
        innererror: { code: 'internal', request_id: answer.headers.get('x-request-id') },
      },
    })
  })

  test('a challenge and a device token need no store', async () => {
    const all = Object.keys(database.store)
    await whileFailing(all, async () => {
      await requestNonce(service, newDeviceKey())
      await readOk(await service.request('/certs'))
      await readOk(await service.request('/healthz'))
      await readOk(await service.request('/readyz'), 503)
    })
  })

  test('an administrator is told to ask by the id of the request, and no change is made', async () => {
    await readOk(await service.request('/v1/devices', { headers: admin }))
    const before = await everythingStored(service.query)
    const attempts: readonly [string, () => Promise<Response>][] = [
      ['listDevices', () => service.request('/v1/devices', { headers: admin })],
      ['deviceDetail', () => service.request(`/v1/devices/${deviceId}`, { headers: admin })],
      [
        'quarantineDevice',
        () =>
          service.post(`/v1/devices/${deviceId}/quarantine`, { reason: 'x' }, { headers: admin }),
      ],
      ['activeDocument', () => service.request('/v1/policy', { headers: admin })],
    ]
    for (const [method, attempt] of attempts) {
      const answer = await whileFailing([method], attempt)
      await expectNothingTold(answer)
      const problem = await expectProblem(answer, 500, 'internal')
      expect(problem.instance).toBe(`urn:countersign:request:${answer.headers.get('x-request-id')}`)
    }
    expect(await everythingStored(service.query)).toEqual(before)
  })

  test('credentials cannot be checked: that is an error and no refusal', async () => {
    const other = await createTestService({ database, clock, wrap: failWhenTold })
    const headers = await other.as('access.evaluate')
    const answer = await whileFailing(['findClient'], () =>
      other.post('/access/v1/evaluation', question, { headers }),
    )
    expect(answer.status).toBe(500)
    await readOk(await other.post('/access/v1/evaluation', question, { headers }))
  })

  test('faults are counted by surface', async () => {
    const text = await (await service.request('/metrics')).text()
    expect(text).toMatch(/countersign_faults_total\{surface="authzen"\} [1-9]/)
    expect(text).toMatch(/countersign_faults_total\{surface="azure"\} 1/)
    expect(text).toMatch(/countersign_faults_total\{surface="api"\} [1-9]/)
  })

  test('nothing of it moved the verdict on the device', async () => {
    const { decision, context } = await readOk(await evaluate())
    expect({ decision, verdict: context.verdict }).toEqual({ decision: true, verdict: 'trusted' })
  })
})
