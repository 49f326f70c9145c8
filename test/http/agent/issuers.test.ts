import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { fromBase64Url, toHex } from '../../../src/base/encoding.ts'
import { fingerprintOf } from '../../../src/evidence/x509/fingerprint.ts'
import type { VirtualDevice } from '../../../src/simulator/virtual-device.ts'
import { type AiaServer, startAiaServer } from '../../support/aia-server.ts'
import { describeMicrosoftChains } from '../../support/microsoft-chains.ts'
import {
  copyMicrosoftHierarchy,
  type MicrosoftHierarchy,
} from '../../support/microsoft-hierarchy.ts'
import { expectOk, expectRefusal, noteReason } from '../../support/refusal.ts'
import { createTestService, START, startDevice, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/**
 * The whole way over HTTP, under a hierarchy of the form of Microsoft's: agents send the certificate of
 * their key alone, the service knows the root by its fingerprint and no certificate at all.
 */
const AUTHORITY = '/eus-ntc-keyid-copy/e01c2062.cer'
const ROOT = '/pkiops/certs/Another%20TPM%20Root.crt'

describeMicrosoftChains('a device whose key Microsoft would have certified', () => {
  let server: AiaServer
  let hierarchy: MicrosoftHierarchy
  let device: VirtualDevice
  let database: TestDatabase
  let env: Readonly<Record<string, string>>

  beforeAll(async () => {
    server = await startAiaServer()
    const here = `http://localhost:${server.port}`
    const urls = { ofAuthority: here + AUTHORITY, ofRoot: here + ROOT }
    hierarchy = await copyMicrosoftHierarchy({ now: START, urls })
    device = await startDevice({ issuer: hierarchy.issueAk })
    const root = fromBase64Url(fingerprintOf(hierarchy.root)) ?? new Uint8Array()
    env = { AK_TRUST_ANCHORS: `sha256:${toHex(root)}`, AIA_HOSTS: `localhost:${server.port}` }
  })
  afterAll(() => server?.close())

  beforeEach(async () => {
    database = await openTestDatabase()
    server.asked.length = 0
    server.serve(AUTHORITY, hierarchy.authority.der)
    server.serve(ROOT, hierarchy.root.der)
    return () => database.close()
  })

  const claimsOf = async (service: TestService, of = device) =>
    decodeJwt(expectOk(await service.agentOf(of).obtainToken('AQID')))
  const VOUCHED_FOR = () => ({
    aikValidated: true,
    aikTrustAnchor: fingerprintOf(hierarchy.root),
  })

  test('is vouched for by the root, and becomes a record', async () => {
    const service = await createTestService({ database, env })
    expect(await claimsOf(service)).toMatchObject(VOUCHED_FOR())
    expect(server.asked).toEqual([AUTHORITY, ROOT])
    expectOk(await service.agentOf(device).attest())
    const { record } = await service.services.store.trustRecord(device.deviceId)
    expect(record?.attestation?.claims).toMatchObject(VOUCHED_FOR())
    expect(service.logs.join('')).not.toContain('hardware_unproven')
  })

  test('is vouched for at the next process without a fetch, and at this one without a read', async () => {
    const service = await createTestService({ database, env })
    await claimsOf(service)
    server.asked.length = 0
    expect(await claimsOf(service)).toMatchObject(VOUCHED_FOR())
    const other = await createTestService({ database, env })
    expect(await claimsOf(other)).toMatchObject(VOUCHED_FOR())
    other.calls.length = 0
    expect(await claimsOf(other)).toMatchObject(VOUCHED_FOR())
    expect(other.calls).not.toContain('issuerCertificates')
    expect(other.calls).not.toContain('keepIssuerCertificate')
    expect(server.asked).toEqual([])
  })

  test('may bring the chain itself', async () => {
    const service = await createTestService({ database, env: { ...env, AIA_HOSTS: 'none' } })
    const attestationChain = [hierarchy.authority.der, hierarchy.root.der]
    expect(await claimsOf(service, { ...device, attestationChain })).toMatchObject(VOUCHED_FOR())
    // And has taught it to the service.
    expect(await claimsOf(service)).toMatchObject(VOUCHED_FOR())
  })

  test('is told to come back while its authority cannot be had, and nothing is recorded', async () => {
    const service = await createTestService({ database, env })
    server.serve(AUTHORITY, (_, response) => response.writeHead(500).end())
    const refused = await service.agentOf(device).attest()
    expect(expectRefusal(refused, 'agent_request_refused')).toMatchObject({ status: 503 })
    expect(service.logs.join('')).toContain('certificate_issuer_unavailable')
    noteReason('certificate_issuer_unavailable')
    expect(
      await database.query('select 1 from attestation union all select 1 from refusal'),
    ).toEqual([])
    expect(await database.query('select 1 from device')).toEqual([])
    server.serve(AUTHORITY, hierarchy.authority.der)
    service.clock.advance(10)
    expectOk(await service.agentOf(device).attest())
  })

  test('is told how long to wait', async () => {
    const service = await createTestService({ database, env })
    server.serve(AUTHORITY, (_, response) => response.writeHead(404).end())
    const answers: Response[] = []
    const fetching = async (request: Request) => {
      const answer = await service.app.fetch(request)
      answers.push(answer.clone())
      return answer
    }
    await service.agentOf(device, { fetch: fetching }).obtainToken('AQID')
    const last = answers.at(-1)
    expect([last?.status, last?.headers.get('retry-after')]).toEqual([503, '60'])
    expect(await last?.json()).toMatchObject({ error: { code: 'ServiceUnavailable' } })
  })

  test('is refused where its authority publishes elsewhere than the list says', async () => {
    const elsewhere = { ...env, AIA_HOSTS: 'default' }
    const service = await createTestService({ database, env: elsewhere })
    const refused = await service.agentOf(device).attest()
    expect(expectRefusal(refused, 'agent_request_refused')).toMatchObject({ status: 400 })
    expect(server.asked).toEqual([])
  })

  test('is not vouched for by the genuine root of Microsoft, of whatever form its own is', async () => {
    const service = await createTestService({
      database,
      env: { ...env, AK_TRUST_ANCHORS: 'microsoft' },
    })
    const refused = await service.agentOf(device).attest()
    expect(expectRefusal(refused, 'agent_request_refused')).toMatchObject({ status: 400 })
    expect(await database.query('select 1 from issuer_certificate')).toEqual([])
  })
})
