import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Environment } from '../../../src/config/config.ts'
import { HEALTHY } from '../../policy/healthy-device.ts'
import { createTestService, readOk, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { openSmallFleet, type SmallFleet } from '../release/small-fleet.ts'

/** Lines are read as whoever collects logs reads them, with `JSON.parse`, and held against the answers. */

let database: TestDatabase
let fleet: SmallFleet
let good: string
let bad: string
beforeAll(async () => {
  database = await openTestDatabase()
  fleet = await openSmallFleet({ open: async () => database })
  good = (await fleet.makeDevices(1))[0] ?? ''
  bad = (await fleet.makeDevices(1, { claims: { ...HEALTHY, secureBootEnabled: false } }))[0] ?? ''
})
afterAll(() => fleet?.close())

const start = (env: Environment) => createTestService({ database, clock: fleet.service.clock, env })

const questionOf = (id: string, context: object = {}) => ({
  subject: { type: 'user', id: 'alice', properties: { device_id: id } },
  action: { name: 'signin' },
  resource: { type: 'application', id: 'payroll' },
  context,
})

async function ask(service: TestService, id: string, context: object = {}) {
  const client = await service.as('access.evaluate')
  const headers = { ...client, 'x-request-id': `request about ${id}` }
  return readOk(await service.post('/access/v1/evaluation', questionOf(id, context), { headers }))
}

const linesOf = ({ logs }: TestService) =>
  logs.map((line) => JSON.parse(line)).filter(({ event }) => event === 'decision')

describe('the log of decisions', () => {
  test('is off unless the configuration says otherwise', async () => {
    const service = await start({})
    await ask(service, bad)
    expect(linesOf(service)).toEqual([])
  })

  test('says who asked, about whom, what, what came of it and why', async () => {
    const service = await start({ DECISION_LOG: 'all' })
    const answers = [
      await ask(service, good),
      await ask(service, bad),
      await ask(service, 'dev_no'),
    ]
    const common = {
      ...{ level: 'info', event: 'decision', time: service.clock.now().toISOString() },
      ...{ subject_type: 'user', subject_id: 'alice', action: 'signin' },
      ...{ resource_type: 'application', resource_id: 'payroll' },
      client: expect.stringMatching(/^cli_/),
      policy: fleet.policy.hash,
    }
    expect(linesOf(service)).toEqual([
      {
        ...common,
        ...{ request_id: `request about ${good}`, device_id: good },
        ...{ decision: true, verdict: 'trusted', reasons: '' },
      },
      {
        ...common,
        ...{ request_id: `request about ${bad}`, device_id: bad },
        ...{ decision: false, verdict: 'untrusted', reasons: 'secure_boot_on' },
      },
      {
        ...common,
        request_id: 'request about dev_no',
        ...{ decision: false, verdict: 'unknown', reasons: 'device_unknown' },
      },
    ])
    expect(answers.map(({ decision }) => decision)).toEqual([true, false, false])
  })

  test('names the receipt of the decision', async () => {
    const service = await start({ DECISION_LOG: 'all' })
    const { context } = await ask(service, good, { receipt: true })
    const payload = JSON.parse(Buffer.from(context.receipt.split('.')[1], 'base64url').toString())
    expect(linesOf(service)).toMatchObject([{ receipt: payload.jti }])
    expect(payload.jti).toMatch(/^rcp_/)
  })

  test('has each question of a batch', async () => {
    const service = await start({ DECISION_LOG: 'all' })
    const headers = await service.as('access.evaluate')
    const body = { ...questionOf(good), evaluations: [{}, questionOf(bad)] }
    await readOk(await service.post('/access/v1/evaluations', body, { headers }))
    expect(linesOf(service).map(({ device_id }) => device_id)).toEqual([good, bad])
  })

  test('of denials has denials alone', async () => {
    const service = await start({ DECISION_LOG: 'denials' })
    for (const id of [good, bad, good]) await ask(service, id)
    expect(linesOf(service).map(({ device_id }) => device_id)).toEqual([bad])
  })

  test('of a sample has every Nth', async () => {
    const service = await start({ DECISION_LOG: 'sample:3' })
    for (const id of [good, bad, good, bad, good, bad, good]) await ask(service, id)
    expect(linesOf(service).map(({ device_id }) => device_id)).toEqual([good, bad, good])
  })

  test('has no property, no context and no secret, wherever it stands', async () => {
    const service = await start({ DECISION_LOG: 'all' })
    const client = await service.as('access.evaluate')
    // RFC 7515 appendix A.1.1, its beginning.
    const secret =
      'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAi.dBjftJeZ4CVP'
    const body = {
      subject: { type: 'user', id: secret, properties: { device_token: secret, note: 'hunter2' } },
      action: { name: 'signin', properties: { note: 'hunter2' } },
      resource: { type: secret, id: `${'x'.repeat(300)}hunter2` },
      context: { note: 'hunter2', dpop: secret },
    }
    const headers = { ...client, dpop: secret }
    await readOk(await service.post('/access/v1/evaluation', body, { headers }))
    const [line] = linesOf(service)
    expect(line).toMatchObject({
      ...{ subject_id: '(not shown)', resource_type: '(not shown)' },
      ...{ resource_id: 'x'.repeat(256), reasons: 'device_token_refused' },
    })
    const text = JSON.stringify(line)
    for (const one of [secret, 'hunter2', client.authorization ?? '?']) {
      expect(text).not.toContain(one)
    }
  })

  test('goes where it is sent whatever the level of the log, and what is not taken is counted', async () => {
    const lines: string[] = []
    let isFull = false
    const service = await createTestService({
      ...{ database, clock: fleet.service.clock },
      env: { DECISION_LOG: 'all', LOG_LEVEL: 'silent' },
      writeDecision(line) {
        if (!isFull) lines.push(line)
        return !isFull
      },
    })
    await ask(service, bad)
    isFull = true
    await ask(service, bad)
    expect(service.logs).toEqual([])
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ device_id: bad }])
    const metrics = await service.services.metrics.registry.metrics()
    expect(metrics).toContain('countersign_decision_lines_left_out_total 1')
  })
})
