import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog } from '../../src/base/log.ts'
import { createServices } from '../../src/compose/services.ts'
import { parseConfig } from '../../src/config/config.ts'
import { parseMasterSecret } from '../../src/keys/master-secret.ts'
import { createAkAuthority } from '../../src/simulator/ak-authority.ts'
import { listSimulatorReferenceValues } from '../../src/simulator/virtual-enclave.ts'
import { issueChain } from '../support/certificates.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { createTestService, readOk, START, startDevice } from '../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts'

/** Two databases: what a first start writes differs by whether hardware is proven. */
let trying: TestDatabase
let proving: TestDatabase
const authority = await createAkAuthority(START)

beforeAll(async () => {
  trying = await openTestDatabase()
  proving = await openTestDatabase()
})
afterAll(async () => {
  await trying?.close()
  await proving?.close()
})

describe('a first start without trust anchors', () => {
  test('lets the simulator in, and says loudly what that means', async () => {
    const service = await createTestService({ database: trying })
    const warning = service.logs
      .map((line) => JSON.parse(line))
      .find(({ level }) => level === 'warn')
    expect(warning).toMatchObject({ event: 'hardware_unproven' })
    const values = await service.services.store.activeDocument('reference-values')
    expect(values?.body).toEqual(listSimulatorReferenceValues())
    const answer = expectOk(await service.agentOf(await startDevice()).attest())
    expect(answer.verdict).toBe('trusted')
  })
})

describe('a first start with trust anchors', () => {
  const env = { AK_TRUST_ANCHORS: authority.anchorPem }

  test('lists no enclave, so that nothing is trusted that nobody named', async () => {
    const service = await createTestService({ database: proving, env })
    expect(service.logs.join('')).not.toContain('hardware_unproven')
    const values = await service.services.store.activeDocument('reference-values')
    expect(values?.body).toMatchObject({ enclaves: [] })
    const certified = await startDevice({ issuer: authority.issue })
    const answer = expectOk(await service.agentOf(certified).attest())
    expect(answer.verdict).not.toBe('trusted')
  })

  test('warns if its authorities may leave the purpose of attestation keys out', async () => {
    const event = 'certificates_of_any_purpose_accepted'
    const strict = await createTestService({ database: proving, env })
    expect(strict.logs.join('')).not.toContain(event)
    const lax = { ...env, AK_CERTIFICATE_PURPOSE: 'lax' }
    const service = await createTestService({ database: proving, env: lax })
    expect(service.logs.join('')).toContain(event)
  })

  test('accepts no attestation key that no anchor vouches for', async () => {
    const service = await createTestService({ database: proving, env })
    const stranger = await createAkAuthority(START)
    for (const device of [await startDevice(), await startDevice({ issuer: stranger.issue })]) {
      const failure = expectRefusal(await service.agentOf(device).attest(), 'agent_request_refused')
      expect(failure).toMatchObject({ status: 400 })
    }
  })

  test('trusts a certified device once an administrator has listed its enclave', async () => {
    const service = await createTestService({ database: proving, env })
    const headers = await service.as('admin.write')
    const body = { reason: 'our agent', document: listSimulatorReferenceValues() }
    await readOk(await service.post('/v1/reference-values', body, { method: 'PUT', headers }))
    service.clock.advance(2)
    const device = await startDevice({ issuer: authority.issue })
    expect(expectOk(await service.agentOf(device).attest()).verdict).toBe('trusted')
  })
})

describe('a later start', () => {
  test('keeps the documents in force and the keys', async () => {
    const first = await createTestService({ database: trying })
    const second = await createTestService({ database: trying })
    for (const kind of ['policy', 'reference-values'] as const) {
      const before = await first.services.store.activeDocument(kind)
      expect(await second.services.store.activeDocument(kind)).toEqual(before)
    }
    expect(await second.services.verifier.published()).toEqual(
      await first.services.verifier.published(),
    )
    expect(await second.services.publishedKeys()).toEqual(await first.services.publishedKeys())
  })

  test('lets what one process began be ended by another', async () => {
    const [first, second] = [
      await createTestService({ database: trying }),
      await createTestService({ database: trying }),
    ]
    const device = await startDevice()
    let turn = 0
    const fetch = (request: Request) => (turn++ % 2 === 0 ? first : second).app.fetch(request)
    const answer = expectOk(await first.agentOf(device, { fetch }).attest())
    expect(turn).toBe(4)
    const verified = await second.services.verifyDeviceToken(answer.device_token)
    expect(expectOk(verified).deviceId).toBe(device.deviceId)
  })

  test('with another master secret is refused, and replaces no key', async () => {
    const secret = parseMasterSecret(Buffer.alloc(32, 1).toString('base64'))
    const input = {
      config: expectOk(parseConfig({})),
      log: createLog({ level: 'silent', write: () => {}, clock: () => START }),
      store: trying.store,
      secrets: [secret ?? expect.unreachable()] as const,
      clock: () => START,
    }
    const before = await trying.query('select * from signing_key order by kid')
    await expect(createServices(input)).rejects.toThrow(/another master secret/)
    expect(await trying.query('select * from signing_key order by kid')).toEqual(before)
  })
})

describe('trust anchors that are of no use', () => {
  test.each([
    ['text', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
    ['no root', async () => (await issueChain()).intermediate.pem],
  ])('keep the service from starting: %s', async (_name, pem) => {
    const anchors = typeof pem === 'string' ? pem : await pem()
    const start = createTestService({ database: trying, env: { AK_TRUST_ANCHORS: anchors } })
    await expect(start).rejects.toThrow(/AK_TRUST_ANCHORS: /)
  })
})
