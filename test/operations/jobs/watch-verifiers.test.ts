import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { RECOMMENDED_POLICY } from '../../../src/azure/provider-policy/recommended.ts'
import { createAzureRelay } from '../../../src/azure/relay.ts'
import type { Services } from '../../../src/compose/services.ts'
import { watchVerifiers } from '../../../src/operations/jobs/watch-verifiers.ts'
import { openEmbeddedDatabase } from '../../support/embedded-database.ts'
import { expectRefusal } from '../../support/refusal.ts'
import { startDevice, type TestService } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import {
  GRACE,
  INTERVAL,
  openWatchedFleet,
  sendMessage,
  VALIDITY,
  type WatchedFleet,
} from './watched-fleet.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const DATABASES = [
  ['PostgreSQL', openTestDatabase],
  ['PGlite', openEmbeddedDatabase],
] as const

describe.each(DATABASES)('processes on one store, %s', (_, open) => {
  let fleet: WatchedFleet
  beforeAll(async () => {
    fleet = await openWatchedFleet(open)
    // Decisions of an outage are about evidence that was good before.
    expect(await fleet.attest(fleet.a)).toBe('trusted')
    await fleet.pass(INTERVAL)
  })
  afterAll(() => fleet.close())

  /** Well again, with fresh evidence and nothing held. */
  async function recover(): Promise<void> {
    fleet.provider.recover()
    fleet.provider.setPolicy(RECOMMENDED_POLICY)
    fleet.clock.advance(3600)
    expect(await fleet.attest(fleet.b)).toBe('trusted')
    await fleet.pass(2 * INTERVAL)
    expect(await fleet.openHolds()).toEqual([])
  }

  test('that all find the provider away let evidence count longer, for so long, and no longer than the outage', async () => {
    await recover()
    fleet.provider.fail({ kind: 'refuse_connections' })
    // Whoever has attested lately may have done so a moment before.
    await fleet.pass(360)
    expect(await fleet.openHolds()).toMatchObject([
      {
        cause: { kind: 'stale', issuer: fleet.provider.url },
        evidence: { sign: 'answers', processes: 2 },
      },
    ])
    fleet.clock.advance(VALIDITY - 300)
    await fleet.pass(2 * INTERVAL)
    for (const through of [fleet.a, fleet.b]) {
      const { decision, context } = await fleet.ask(through)
      expect(decision).toBe(true)
      expect(context.relief).toEqual([
        { kind: 'outage_grace', reason: 'stale', until: expect.any(String) },
      ])
      const end = Date.parse(context.valid_until) + GRACE * 1000
      expect(Date.parse(context.relief[0].until)).toBeLessThanOrEqual(end)
    }
    // The first process that gets an answer ends it for all of them.
    fleet.provider.recover()
    await fleet.pass(INTERVAL, [fleet.b])
    expect(await fleet.openHolds()).toEqual([])
    for (const through of [fleet.a, fleet.b]) {
      expect(await fleet.ask(through)).toMatchObject({
        decision: false,
        context: { verdict: 'stale' },
      })
    }
    expect(fleet.b.logs.join('')).toMatch(/"event":"hold_ended","cause":"stale https/)
  })

  test('of which one is cut off from the provider take that for no outage', async () => {
    await recover()
    const cutOff = await fleet.startProcess(withoutNetwork)
    await fleet.pass(10 * INTERVAL, [cutOff, fleet.a])
    expect(cutOff.services.verifierStates()).toEqual({ [fleet.provider.url]: false })
    expect(await fleet.openHolds()).toEqual([])
    // Nor while the others say nothing any more, as long as anybody gets in.
    await fleet.attest(fleet.a)
    await fleet.pass(4 * INTERVAL, [cutOff])
    expect(await fleet.openHolds()).toEqual([])
  })

  describe('are not led to an outage by', () => {
    test('a flood of forged tokens to one process, whether the fleet attests or sleeps', async () => {
      await recover()
      for (let minutes = 0; minutes < 40; minutes += 5) {
        for (let forged = 0; forged < 30; forged++) await submitForged(fleet.b, forged)
        if (minutes < 20) await fleet.attest(fleet.a)
        await fleet.pass(INTERVAL)
        fleet.clock.advance(240)
      }
      expect(await fleet.openHolds()).toEqual([])
      fleet.clock.advance(VALIDITY)
      await submitForged(fleet.b, 1)
      await fleet.pass(INTERVAL)
      expect(await fleet.ask(fleet.a)).toMatchObject({
        decision: false,
        context: { verdict: 'stale' },
      })
    })

    test('one client whose requests the provider cannot answer, nor are agents kept from it', async () => {
      await recover()
      for (let round = 0; round < 8; round++) {
        for (let poisoned = 0; poisoned < 6; poisoned++) {
          fleet.provider.fail({ kind: 'status', status: 500 }, { path: /^\/attest/, times: 1 })
          const request = await fleet.strangeRequest()
          expect((await sendMessage(fleet.b, { request })).status).toBe(503)
        }
        await fleet.pass(INTERVAL)
      }
      expect(await fleet.openHolds()).toEqual([])
      expect(fleet.b.services.verifierStates()).toEqual({ [fleet.provider.url]: true })
      expect(await fleet.attest(fleet.b)).toBe('trusted')
    })
  })

  // What follows asks nothing else of a store.
  if (open !== openTestDatabase) return

  test('end to let it count when the grace is over, however long the outage', async () => {
    await recover()
    fleet.provider.fail({ kind: 'status', status: 503 })
    await fleet.pass(360)
    fleet.clock.advance(VALIDITY + GRACE)
    await fleet.pass(2 * INTERVAL)
    expect(await fleet.openHolds()).toHaveLength(1)
    expect(await fleet.ask(fleet.a)).toMatchObject({
      decision: false,
      context: { verdict: 'stale' },
    })
  })

  test('of which each has failed once take that for no outage', async () => {
    await recover()
    fleet.provider.fail({ kind: 'refuse_connections' })
    await fleet.pass(INTERVAL)
    fleet.provider.recover()
    await fleet.pass(400)
    expect(await fleet.openHolds()).toEqual([])
  })

  test('notice a provider whose tokens none of them believes, by what it gives themselves', async () => {
    await recover()
    const before = fleet.provider.attestationPolicyHash()
    fleet.provider.setPolicy(`${RECOMMENDED_POLICY}\n`)
    for (let tries = 0; tries < 4; tries++) {
      for (const through of [fleet.a, fleet.b]) {
        const failure = expectRefusal(
          await through.agentOf(fleet.device).attest(),
          'agent_request_refused',
        )
        expect(failure).toMatchObject({ step: 'submission', code: 'policy_not_pinned' })
      }
      await fleet.pass(120)
    }
    expect(await fleet.openHolds()).toMatchObject([
      { evidence: { sign: 'believed', failures: ['policy_not_pinned'] } },
    ])
    fleet.clock.advance(VALIDITY - 600)
    await fleet.pass(INTERVAL)
    // An administrator pins it, and the next device that attests ends the grace.
    await fleet.pin(before, fleet.provider.attestationPolicyHash())
    fleet.clock.advance(2)
    for (const through of [fleet.a, fleet.b]) await fleet.attest(through, await startDevice())
    await fleet.pass(INTERVAL)
    expect(await fleet.openHolds()).toEqual([])
  })

  test('are not led to an outage by requests that make the provider hang', async () => {
    await recover()
    for (let poisoned = 0; poisoned < 6; poisoned++) {
      fleet.provider.fail({ kind: 'hang' }, { path: /^\/attest/, times: 1 })
      const request = await fleet.strangeRequest()
      expect((await sendMessage(fleet.b, { request })).status).toBe(503)
    }
    await fleet.pass(3 * INTERVAL)
    expect(await fleet.openHolds()).toEqual([])
    expect(await fleet.attest(fleet.b)).toBe('trusted')
  })

  test('are not led to an outage by so many messages that the provider turns some away', async () => {
    await recover()
    fleet.provider.fail({ kind: 'status', status: 429, headers: { 'retry-after': '300' } })
    await fleet.pass(5 * INTERVAL)
    expect(await fleet.openHolds()).toEqual([])
    fleet.provider.recover()
    expect(await fleet.attest(fleet.a)).toBe('trusted')
  })
})

test('a process that goes down while a provider hangs does not wait for it', async () => {
  const fleet = await openWatchedFleet(openTestDatabase)
  fleet.provider.fail({ kind: 'hang' })
  const stopping = new AbortController()
  const round = watchVerifiers(fleet.a.services, stopping.signal)
  stopping.abort()
  await round
  expect(await fleet.a.query('select * from verifier_observation')).toEqual([])
  await fleet.close()
})

function withoutNetwork(services: Services): Services {
  const { azure } = services.config
  const relays = new Map(
    [...services.relays.keys()].map((url) => {
      const fetch = () => Promise.reject(new TypeError('fetch failed'))
      const { scope, timeoutMs } = azure
      const wait = async () => {}
      const { clock } = services
      const input = { url, credential: undefined, scope, timeoutMs, clock, random: () => 0, wait }
      return [url, createAzureRelay({ ...input, fetch })]
    }),
  )
  const verifierStates = () =>
    Object.fromEntries([...relays].map(([url, relay]) => [url, relay.state().available]))
  return { ...services, relays, verifierStates }
}

async function submitForged(through: TestService, device: number): Promise<void> {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
  const [issuer = ''] = through.services.relays.keys()
  const header = part({ alg: 'RS256', typ: 'JWT', kid: 'nobody' })
  const token = `${header}.${part({ iss: issuer, aikPubHash: `fake ${device}` })}.AAAA`
  const answer = await through.post('/v1/attestations', { token })
  expect([401, 503]).toContain(answer.status)
}
