import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  createTestService,
  readOk,
  START,
  startDevice,
  type TestService,
} from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { readAnchor } from '../../support/trust-anchors.ts'

const authority = await createAkAuthority(START)
const stranger = await createAkAuthority(START)
const root = readAnchor(authority.anchorPem, 'authority')
const otherRoot = readAnchor(stranger.anchorPem, 'stranger')

/** No AK_TRUST_ANCHORS: reference values alone say whom to believe. */
let database: TestDatabase
let service: TestService

beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
})
afterAll(() => database?.close())

async function listAnchors(trust_anchors: readonly object[]): Promise<void> {
  const headers = await service.as('admin.write')
  const document = { ...listSimulatorReferenceValues(), trust_anchors }
  const body = { reason: 'roots of our devices', document, accept_denials: 10 }
  await readOk(await service.post('/v1/reference-values', body, { method: 'PUT', headers }))
  service.clock.advance(2)
}

const certified = () => startDevice({ issuer: authority.issue })

async function expectRefused(device: Awaited<ReturnType<typeof startDevice>>): Promise<void> {
  const failure = expectRefusal(await service.agentOf(device).attest(), 'agent_request_refused')
  expect(failure).toMatchObject({ status: 400 })
}

describe('without any anchors', () => {
  test('a certified key is as good as any other, and no root is named', async () => {
    await listAnchors([])
    const token = expectOk(await service.agentOf(await certified()).obtainToken('AQID'))
    expect(decodeJwt(token)).toMatchObject({ aikValidated: false })
    expect(decodeJwt(token)).not.toHaveProperty('aikTrustAnchor')
  })
})

describe('with the root of the authority among the reference values', () => {
  test('its devices are validated, by name of the root, and trusted', async () => {
    await listAnchors([root.entry()])
    const device = await certified()
    const token = expectOk(await service.agentOf(device).obtainToken('AQID'))
    expect(decodeJwt(token)).toMatchObject({
      aikValidated: true,
      aikTrustAnchor: root.fingerprint,
    })
    const answer = expectOk(await service.agentOf(device).attest())
    expect(answer.verdict).toBe('trusted')
    const record = await service.services.store.trustRecord(device.deviceId)
    expect(record.record?.attestation?.claims).toMatchObject({ aikTrustAnchor: root.fingerprint })
  })

  test('a key under no root, or under another one, is refused', async () => {
    await listAnchors([root.entry()])
    await expectRefused(await startDevice())
    await expectRefused(await startDevice({ issuer: stranger.issue }))
  })
})

describe('with another root among the reference values', () => {
  test('the devices of the authority are refused', async () => {
    await listAnchors([otherRoot.entry()])
    await expectRefused(await certified())
    expectOk(await service.agentOf(await startDevice({ issuer: stranger.issue })).attest())
  })

  test('and are not let in by the end of its time', async () => {
    const valid_until = new Date(service.clock.now().getTime() + 60_000).toISOString()
    await listAnchors([otherRoot.entry({ valid_until })])
    const device = await startDevice({ issuer: stranger.issue })
    expectOk(await service.agentOf(device).attest())
    service.clock.advance(60)
    await expectRefused(device)
    await expectRefused(await startDevice())
  })
})

describe('the warning that any key is accepted', () => {
  test('is silent once reference values list a root', async () => {
    expect(service.logs.join('')).toContain('hardware_unproven')
    await listAnchors([root.entry()])
    const later = await createTestService({ database, clock: service.clock })
    expect(later.logs.join('')).not.toContain('hardware_unproven')
  })
})
