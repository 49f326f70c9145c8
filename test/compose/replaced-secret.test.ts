import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseMasterSecret } from '../../src/keys/master-secret.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { createTestService, startDevice, type TestService } from '../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts'

/** Processes of one deployment while `SECRET_KEY` is replaced; both sides of it are ours. */
const secretOf = (byte: number) =>
  parseMasterSecret(Buffer.alloc(32, byte).toString('base64')) ?? expect.unreachable()
const [OLD, NEW] = [secretOf(1), secretOf(2)]

describe('a deployment whose SECRET_KEY is replaced', () => {
  let database: TestDatabase
  let before: TestService
  let between: TestService
  let after: TestService

  beforeAll(async () => {
    database = await openTestDatabase()
    before = await createTestService({ database, secrets: [OLD] })
    between = await createTestService({ database, secrets: [NEW, OLD] })
    after = await createTestService({ database, secrets: [NEW] })
  })
  afterAll(() => database?.close())

  /** The challenges are made by one process, and answered by another. */
  const attest = async (maker: TestService, answerer: TestService) => {
    let turn = 0
    // Challenge and initial message, and then request and submission.
    const fetch = (request: Request) => (turn++ < 2 ? maker : answerer).app.fetch(request)
    return maker.agentOf(await startDevice(), { fetch }).attest()
  }

  test('ends what was begun under the old one, while both are given', async () => {
    expectOk(await attest(before, between))
    expectOk(await attest(between, after))
    const refused = expectRefusal(await attest(before, after), 'agent_request_refused')
    expect(refused).toMatchObject({ step: 'request' })
    expectRefusal(await attest(between, before), 'agent_request_refused')
  })

  test('has the same keys all the time, so that no device token ends', async () => {
    const { device_token } = expectOk(await attest(before, before))
    for (const { services } of [before, between, after]) {
      expectOk(await services.verifyDeviceToken(device_token))
    }
    const sets = [before, between, after].map(({ services }) => services.publishedKeys())
    const [first, ...others] = await Promise.all(sets)
    for (const other of others) expect(other).toEqual(first)
  })

  test('moves no device into another ring, known or new', async () => {
    const names = Array.from({ length: 200 }, () => randomBytes(32))
    const rings = [before, between, after].map(({ services }) => names.map(services.ringOf))
    expect(rings[1]).toEqual(rings[0])
    expect(rings[2]).toEqual(rings[0])
    expect(new Set(rings[0]).size).toBeGreaterThan(50)
  })

  test('says that the old one still counts, for as long as it does', () => {
    const said = ({ logs }: TestService) => logs.join().includes('previous_secret_key_accepted')
    expect([before, between, after].map(said)).toEqual([false, true, false])
  })
})
