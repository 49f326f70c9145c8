import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deviceIdOf } from '../../../src/access/device-id.ts'
import { fromBase64Url, toBase64 } from '../../../src/base/encoding.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  START,
  startDevice,
  type TestService,
} from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/**
 * The authority is the simulator's, and so are the TPMs: that a certificate names its machine as
 * RFC 4108 has it is checked in test/evidence/x509/hardware-name.test.ts by other means, and that a
 * real TPM is one device in enrolment-swtpm.test.ts.
 */
const authority = await createAkAuthority(START)
let database: TestDatabase
let service: TestService
let admin: Readonly<Record<string, string>>
let machines = 0

beforeAll(async () => {
  database = await openTestDatabase()
  const pem = authority.anchorPem
  const env = { AK_TRUST_ANCHORS: pem, EK_TRUST_ANCHORS: pem, DEVICE_ATTESTATIONS_PER_MINUTE: '99' }
  service = await createTestService({ database, env })
  admin = await service.as('admin.read', 'admin.write')
  const body = { reason: 'our agent', document: listSimulatorReferenceValues() }
  await readOk(await service.post('/v1/reference-values', body, { method: 'PUT', headers: admin }))
  service.clock.advance(2)
  await rememberHealthy(service, await startDevice({ issuer: authority.issue }))
})
afterAll(() => database?.close())

const newMachine = () => {
  machines += 1
  return `machine ${machines}`
}
const start = (machine: string) => startDevice({ machine, issuer: authority.issue })
const attest = async (device: Awaited<ReturnType<typeof start>>) => {
  service.clock.advance(1)
  return expectOk(await service.agentOf(device).attest())
}
const change = async (deviceId: string, verb: string) =>
  readOk(
    await service.post(`/v1/devices/${deviceId}/${verb}`, { reason: 'test' }, { headers: admin }),
  )
const show = async (id: string) =>
  readOk(await service.request(`/v1/devices/${id}`, { headers: admin }))

describe('the next attestation key of a quarantined machine', () => {
  test('is that machine, where the authority names it', async () => {
    const machine = newMachine()
    const first = await attest(await start(machine))
    expect(first.verdict).toBe('trusted')
    await change(first.device_id, 'quarantine')
    const next = await start(machine)
    const answer = await attest(next)
    expect(answer).toMatchObject({ verdict: 'quarantined', device_id: first.device_id })
    const idp = await service.as('access.evaluate')
    for (const id of [answer.device_id, next.deviceId]) {
      const question = {
        subject: { type: 'device', id },
        action: { name: 'signin' },
        resource: { type: 'application', id: 'payroll' },
      }
      const decision = await readOk(
        await service.post('/access/v1/evaluation', question, { headers: idp }),
      )
      expect(decision).toMatchObject({ decision: false, context: { verdict: 'quarantined' } })
    }
  })

  test('is that machine, where it enrols itself, in either order', async () => {
    const machine = newMachine()
    const endorsed = await startDevice({ machine, endorser: authority.endorse })
    const agent = service.agentOf(endorsed)
    const enrolled = expectOk(await agent.enrol())
    const first = await attest(agent.device)
    expect(first).toMatchObject({ verdict: 'trusted', device_id: enrolled.device_id })
    await change(first.device_id, 'quarantine')
    // The same key with a certificate of the authority, which names the machine in another way.
    const certificate = await authority.issue(endorsed.tpm.attestationKey, machine)
    const certified = { ...endorsed, attestationCertificate: certificate }
    expect(await attest(certified)).toMatchObject({
      verdict: 'quarantined',
      device_id: first.device_id,
    })
    // And from now on any further key that is certified for it.
    expect(await attest(await start(machine))).toMatchObject({ verdict: 'quarantined' })
  })

  test('is another device where its authority names no machine', async () => {
    const first = await startDevice({ issuer: (key) => authority.issue(key) })
    const { device_id: id } = await attest(first)
    expect(id).toBe(first.deviceId)
    await change(id, 'quarantine')
    const next = await startDevice({ issuer: (key) => authority.issue(key) })
    expect(await attest(next)).toMatchObject({ verdict: 'trusted', device_id: next.deviceId })
  })
})

test.each(['quarantine', 'release', 'admit', 'sign-out'])(
  'whoever asks for %s by the name of one of its keys means the device',
  async (verb) => {
    const device = await start(newMachine())
    const { device_id: id } = await attest(device)
    expect(device.deviceId).not.toBe(id)
    expect(await change(device.deviceId, verb)).toMatchObject({ device_id: id })
  },
)

test('what was said of a device before its key was linked to its TPM stays with it', async () => {
  const machine = newMachine()
  const device = await startDevice({ machine, endorser: authority.endorse })
  const plain = {
    ...device,
    attestationCertificate: await authority.issue(device.tpm.attestationKey),
  }
  const before = await attest(plain)
  expect(before.device_id).toBe(device.deviceId)
  const attributes = { owner: 'ada', labels: ['finance'], entra_device_id: 'entra' }
  const init = { method: 'PATCH', headers: admin }
  await readOk(await service.post(`/v1/devices/${before.device_id}`, attributes, init))
  await change(before.device_id, 'quarantine')
  const agent = service.agentOf(device)
  const enrolled = expectOk(await agent.enrol())
  expect(enrolled.device_id).not.toBe(before.device_id)
  expect(await attest(agent.device)).toMatchObject({
    verdict: 'quarantined',
    device_id: enrolled.device_id,
  })
  // Back to the certificate that names no machine, with the old key: the device is the same.
  expect(await attest(plain)).toMatchObject({
    verdict: 'quarantined',
    device_id: enrolled.device_id,
  })
  expect(await show(before.device_id)).toMatchObject({
    ...attributes,
    device_id: enrolled.device_id,
  })
  const history = await readOk(
    await service.request(`/v1/devices/${before.device_id}/attestations`, { headers: admin }),
  )
  expect(history.attestations).toHaveLength(3)
})

test('a token that names a key alone, as Azure gives it, is of the TPM that the key was linked to', async () => {
  const device = await start(newMachine())
  const { device_id: id } = await attest(device)
  await change(id, 'quarantine')
  const deviceKey = new Uint8Array(Buffer.from(device.deviceKey, 'base64'))
  const claims = { tpmIdentity: undefined, aikPubHash: toBase64(deviceKey) }
  service.clock.advance(1)
  const { answer } = await attestMinted(service, { deviceKey, claims })
  expect(await readOk(answer, 201)).toMatchObject({ device_id: id, verdict: 'quarantined' })
})

test('a device token by the old name of a device ends when its key is linked', async () => {
  const device = await startDevice({ endorser: authority.endorse })
  const plain = {
    ...device,
    attestationCertificate: await authority.issue(device.tpm.attestationKey),
  }
  const before = await attest(plain)
  const agent = service.agentOf(device)
  expectOk(await agent.enrol())
  const idp = await service.as('access.evaluate')
  const decide = async (token: string) => {
    const subject = { type: 'user', id: 'ada', properties: { device_token: token } }
    const resource = { type: 'application', id: 'payroll' }
    const question = { subject, action: { name: 'signin' }, resource }
    return readOk(await service.post('/access/v1/evaluation', question, { headers: idp }))
  }
  expect(await decide(before.device_token)).toMatchObject({ decision: false })
  expect(await decide((await attest(agent.device)).device_token)).toMatchObject({ decision: true })
})

test('nobody but the built-in verifier says which TPM a key lives in', async () => {
  const device = await start(newMachine())
  const agent = service.agentOf(device)
  const { nonce } = expectOk(await agent.requestChallenge())
  const claims = decodeJwt(expectOk(await agent.obtainToken(nonce)))
  const identity = fromBase64Url(String(claims.tpmIdentity)) ?? new Uint8Array()
  const { device_id: id } = await attest(device)
  expect(id).toBe(deviceIdOf(identity))
  // Uncertified, the same machine says nothing about itself that counts.
  const { tpmIdentity, aikEnrolled } = claims
  expect({ tpmIdentity: typeof tpmIdentity, aikEnrolled }).toEqual({
    tpmIdentity: 'string',
    aikEnrolled: false,
  })
})

test('a TPM with too many keys gets no further one', async () => {
  const device = await start(newMachine())
  const { device_id: id } = await attest(device)
  const most = Array.from({ length: 64 }, (_, at) => `key-${at}`)
  await database.query(
    `update device set linked_keys = array['${most.join("','")}'] where device_id = '${id}'`,
  )
  service.clock.advance(1)
  const agent = service.agentOf(device)
  const { nonce } = expectOk(await agent.requestChallenge())
  const token = expectOk(await agent.obtainToken(nonce))
  const answer = await agent.submitToken({ token, nonce })
  expect(answer).toMatchObject({ ok: false, failure: { code: 'device_keys_exhausted' } })
  noteReason('device_keys_exhausted')
})

test('an enrolment needs bytes where it says so', async () => {
  const bodies = [{}, { ek_certificate: 'AQ==', ak_public: 'AQ' }, { ek_certificate: 'AQ' }, []]
  for (const body of bodies) {
    await expectProblem(await service.post('/v1/enrolments', body), 400, 'request_malformed')
    const answer = await service.post('/v1/enrolments/activate', body)
    await expectProblem(answer, 400, 'request_malformed')
  }
})
