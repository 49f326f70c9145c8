import { afterAll, describe, expect, test } from 'vitest'
import { toBase64 } from '../../../src/base/encoding.ts'
import { runControl } from '../../../src/compose/jobs.ts'
import type { Store } from '../../../src/store/store.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, readOk, startDevice } from '../../support/service.ts'
import { makeProof, obtainHonestToken, submit } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
const device = await startDevice()
afterAll(() => database.close())

const unreachable = (): Promise<never> =>
  Promise.reject(new Error('connect ECONNREFUSED 10.1.2.3:5432'))

function withoutDatabase(store: Store): Store {
  return { ...store, ping: unreachable, fleetSummary: unreachable }
}

describe('health', () => {
  test('says that the process runs, whatever the database does', async () => {
    service.calls.length = 0
    expect(await readOk(await service.request('/healthz'))).toEqual({ status: 'ok' })
    expect(service.calls).toEqual([])
  })
})

describe('readiness', () => {
  test('is given while the database answers', async () => {
    expect(await readOk(await service.request('/readyz'))).toEqual({
      status: 'ready',
      database: 'ok',
      verifiers: { 'built-in': 'ok' },
    })
  })

  test('ends when the process is on its way down', async () => {
    const other = await createTestService({ database })
    other.services.lifecycle.draining = true
    expect(await readOk(await other.request('/readyz'), 503)).toEqual({ status: 'draining' })
    await readOk(await other.request('/healthz'))
  })

  test('ends when the database does not answer, and says no more than that', async () => {
    const other = await createTestService({ database, wrap: withoutDatabase })
    const answer = await other.request('/readyz')
    expect(await readOk(answer, 503)).toEqual({ status: 'not ready', database: 'unreachable' })
    expect(other.logs.join('')).toContain('ECONNREFUSED')
  })
})

describe('metrics', () => {
  const scrape = async (at = service) => {
    const answer = await at.request('/metrics')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    return answer.text()
  }

  test('count what happened, by route and reason, and name no device and no client', async () => {
    const admin = await service.as('admin.read')
    expectOk(await service.agentOf(device).attest())
    await service.request(`/v1/devices/${device.deviceId}`, { headers: admin })
    await submit(service, { token: 'x' })
    await service.post('/access/v1/evaluation', {}, { headers: admin })
    await runControl(service.services)
    const text = await scrape()
    expect(text).toContain('countersign_attestations_total{verdict="trusted"} 1')
    expect(text).toContain(
      'countersign_refusals_total{stage="submission",reason="token_malformed"} 1',
    )
    expect(text).toMatch(
      /countersign_http_request_duration_seconds_count\{route="\/v1\/devices\/:id",status="2xx"\} 1/,
    )
    expect(text).toMatch(/countersign_devices\{verdict="trusted"\} 1/)
    expect(text).not.toContain(device.deviceId)
    expect(text).not.toContain('cli_')
  })

  test('read no database', async () => {
    service.calls.length = 0
    await scrape()
    // The pools of this process say by themselves what they have.
    expect(service.calls.filter((name) => name !== 'pools')).toEqual([])
  })

  test('of which the labels are known begin at 0', async () => {
    const text = await scrape(await createTestService({ database }))
    for (const series of [
      'decisions_total{decision="false",verdict="stale"}',
      'attestations_total{verdict="untrusted"}',
      'refusals_total{stage="submission",reason="nonce_spent"}',
      'refusals_total{stage="evidence",reason="message_too_large"}',
      'client_refusals_total{reason="client_secret_wrong"}',
      'break_glass_total{outcome="granted"}',
      'relieved_decisions_total{kind="hold"}',
      'rollout_steps_total{step="halt"}',
      'faults_total{surface="authzen"}',
      'shared_request_keys_total',
    ]) {
      expect(text).toContain(`\ncountersign_${series} 0\n`)
    }
    expect(text).toMatch(/^countersign_build_info\{version="\d+\.\d+\.\d+"\} 1$/m)
  })

  test('have one route for everything that is not there', async () => {
    for (let i = 0; i < 20; i++) await service.request(`/guess/${i}`)
    const routes = new Set(
      [...(await scrape()).matchAll(/route="([^"]*)"/g)].map((match) => match[1]),
    )
    expect([...routes].filter((route) => route?.includes('guess'))).toEqual([])
  })

  test('are given while the database is away, when they are wanted most', async () => {
    const other = await createTestService({ database, wrap: withoutDatabase })
    await other.request('/readyz')
    await runControl(other.services)
    const text = await scrape(other)
    expect(text).toContain('countersign_devices{verdict="trusted"} Nan')
    expect(text).toContain('countersign_http_request_duration_seconds_count{route="/readyz"')
  })
})

describe('the log', () => {
  test('tells of an attestation by ids, without tokens, secrets, nonces or evidence', async () => {
    const fresh = await startDevice()
    const pep = await service.as('access.evaluate', 'admin.read')
    const from = service.logs.length
    const { token, nonce } = await obtainHonestToken(service, fresh)
    const proof = await makeProof(service, { key: fresh.requestKey, nonce })
    const answer = await readOk(await submit(service, { token, proof }), 201)
    await submit(service, { token, proof })
    const another = await makeProof(service, { key: fresh.requestKey, nonce })
    await submit(service, { token, proof: another })
    await submit(service, { token: `${token}x`, proof })
    const subject = { type: 'user', id: 'alice', properties: { device_token: answer.device_token } }
    const question = { subject, resource: { type: 'a', id: 'b' }, action: { name: 'c' } }
    await service.post('/access/v1/evaluation', question, { headers: pep })
    await service.request(`/v1/devices?search=alice`, { headers: pep })

    const lines = service.logs.slice(from)
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    for (const entry of entries) {
      expect(entry).toMatchObject({ time: expect.any(String), level: expect.any(String) })
      expect(entry.request_id).toEqual(expect.stringMatching(/^[\w-]{16}$/))
    }
    const events = new Set(entries.map(({ event }) => event))
    expect([...events].sort()).toEqual([
      'attestation_answered_again',
      'attestation_recorded',
      'attestation_refused',
      'request',
    ])
    expect(entries).toContainEqual(
      expect.objectContaining({ event: 'attestation_refused', reason: 'nonce_spent' }),
    )

    const text = lines.join('')
    const credentials = Buffer.from(pep.authorization?.slice(6) ?? '', 'base64').toString()
    const secrets = {
      ...Object.fromEntries(token.split('.').map((part, index) => [`token ${index}`, part])),
      ...Object.fromEntries(proof.split('.').map((part, index) => [`proof ${index}`, part])),
      'device token': answer.device_token.split('.')[2],
      nonce,
      'client secret': credentials.split(':')[1],
      authorization: pep.authorization,
      'boot log': toBase64(fresh.bootLog.bytes).slice(0, 64),
      'device key': fresh.deviceKey,
      user: 'alice',
    }
    for (const [name, secret] of Object.entries(secrets)) {
      expect(secret?.length, name).toBeGreaterThan(4)
      expect(text.includes(String(secret)), name).toBe(false)
    }
  })
})
