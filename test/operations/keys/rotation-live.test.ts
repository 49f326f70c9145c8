import { randomBytes } from 'node:crypto'
import { createRemoteJWKSet, customFetch, decodeProtectedHeader, importX509, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { toBase64 } from '../../../src/base/encoding.ts'
import { createLog } from '../../../src/base/log.ts'
import { hashClientSecret, newClientSecret } from '../../../src/keys/client-secret.ts'
import { openKeyRing } from '../../../src/keys/key-ring.ts'
import { KEY_MAX_AGE_MS } from '../../../src/keys/key-times.ts'
import { masterSecretsOf } from '../../../src/keys/master-secret.ts'
import { FIRST_KEY_USES, type SigningKey } from '../../../src/keys/signing-keys.ts'
import { ANNOUNCED_MS, CLOCKS_MS, COUNTS_MS } from '../../../src/operations/keys/key-lifetimes.ts'
import { type AgentAttestation, AttestationAgent } from '../../../src/simulator/agent.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import type { SigningKeyUse } from '../../../src/store/schema/system-schema.ts'
import type { Store } from '../../../src/store/store.ts'
import { runCli } from '../../cli/cli-process.ts'
import {
  describePostgres,
  FORGETFUL,
  type Postgres,
  startPostgres,
} from '../../support/postgres.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { basic, startDevice } from '../../support/service.ts'
import { type Environment, type Place, startProcess, startWorker } from './live-places.ts'
import { createThief } from './thief.ts'

/**
 * Two processes and a Worker on one database, under load, each with a clock of its own. Time is
 * moved, not waited for; the command that rotates and retires is a process too. Witness: jose in the
 * role of a gateway that verifies device tokens and receipts offline, with a cache of its own.
 */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 240_000 })

const PUBLIC_URL = 'https://verifier.example'
const SECRET_KEY = toBase64(randomBytes(32))
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** From place to place; between the first and the last it is less than `CLOCK_SKEW_SECONDS`. */
const SKEW_MS = 25_000
const JWKS = '/.well-known/jwks.json'

type Device = AttestationAgent['device']
type Made = AgentAttestation & { readonly attestationToken: string; readonly receipt: string }
type Kids = Readonly<Record<SigningKeyUse, string>>

describePostgres('two processes and a Worker', () => {
  let postgres: Postgres
  let store: Store
  let places: readonly [Place, Place, Place]
  let devices: readonly Device[]
  let client: string
  let environment: Environment
  let aheadMs = 0

  beforeAll(async () => {
    postgres = await startPostgres({ settings: FORGETFUL })
    const url = await postgres.createMigrated('rotation')
    store = openPostgresStore({ url, poolSize: 4 })
    const authority = await createAkAuthority(new Date())
    const settings = {
      ...{ PUBLIC_URL, SECRET_KEY, LOG_LEVEL: 'error', SIGNING_KEY_DAYS: '0' },
      ...{ EK_TRUST_ANCHORS: authority.anchorPem, DEVICE_ATTESTATIONS_PER_MINUTE: '6000' },
    }
    environment = { ...settings, DATABASE_URL: url }
    client = await createGateway()
    places = await Promise.all([
      startProcess('first', environment),
      startProcess('second', environment),
      startWorker(url, settings),
    ])
    await moveTo(0)
    const made = [0, 1, 2].map(() => startDevice({ endorser: authority.endorse }))
    devices = await Promise.all(made)
  })
  afterAll(async () => {
    await Promise.all((places ?? []).map((place) => place.close()))
    await store?.close()
    await postgres?.stop()
  })

  test('refuse what a retired key signed, and go on with another', async () => {
    const agents = await enrolAll()
    devices = agents.map(({ device }) => device)
    const before = await load(agents)
    const retired = decodeProtectedHeader(before[0]?.device_token ?? '').kid ?? ''
    const [said] = await Promise.all([
      command('retire', retired, '--reason', 'it leaked', '--yes'),
      load(devices.map((device, at) => agentOf(device, at))).catch(() => {
        // What a process has signed before it hears of it may be refused by another that has.
      }),
    ])
    expect(said).toContain(`${retired} has ended.`)

    // One process has read the keys again: what it signs is known to others by then, or read at once.
    const [first, ...others] = places
    await moveTo(KEY_MAX_AGE_MS + SKEW_MS, [first])
    const early = await attest(agentOf(devices[0] as Device, 0, [first]), first)
    for (const place of others) {
      await vi.waitFor(
        async () => expect(await isNamed(early.device_token, place)).toBe(true),
        20_000,
      )
    }

    await moveTo(3 * MINUTE_MS)
    for (const place of places) {
      expect(await kidsOf(place, JWKS)).not.toContain(retired)
      for (const { device_token } of before) {
        expect(await isNamed(device_token, place), place.name).toBe(false)
      }
    }
    const after = await load(devices.map((device, at) => agentOf(device, at)))
    expect(signersOf(after)).not.toContain(retired)
  })

  test('rotate every purpose: all that was signed verifies, and nothing of an ended key', async () => {
    const thieves = await stealKeys()
    const old = kidsIn(thieves)
    const thief = createThief(thieves, PUBLIC_URL)
    const agents = await enrolAll()
    const made = [...(await load(agents))]
    expect(signersOf(made)).toEqual(signing(old))
    const [, during] = await Promise.all([command('rotate'), load(agents)])
    made.push(...during)
    const next = await newestKids()
    for (const use of FIRST_KEY_USES) expect(next[use]).not.toBe(old[use])

    // Announced: it is published everywhere, and signs nothing.
    await moveTo(5 * MINUTE_MS)
    const gateways = places.map(createGatewayOf)
    for (const { place, verify } of gateways) {
      const published = [...(await kidsOf(place, JWKS)), ...(await kidsOf(place, '/certs'))]
      expect(published.sort()).toEqual([...signing(old), ...signing(next)].sort())
      for (const one of made) await verify(one)
    }
    made.push(...(await load(agents)))
    expect(signersOf(made)).toEqual(signing(old))

    // A process that is late still signs with the old key, which others accept.
    const [late, ...others] = places
    await moveTo(ANNOUNCED_MS + 10 * MINUTE_MS, others)
    const lately = await attest(agentOf(devices[0] as Device, 0, [late]), late)
    expect(signersOf([lately])).toEqual(signing(old))
    for (const place of others) expect(await isNamed(lately.device_token, place)).toBe(true)

    // The new one signs. Who fetched the key set while it was announced has no need to fetch it again.
    await moveTo(ANNOUNCED_MS + 10 * MINUTE_MS)
    const after = await load(agents)
    expect(signersOf(after)).toEqual(signing(next))
    made.push(lately, ...after)
    for (const { verify, fetched } of gateways) {
      for (const one of made) await verify(one)
      expect(fetched()).toBe(1)
    }
    for (const place of places) {
      for (const one of made) expect(await isNamed(one.device_token, place)).toBe(true)
      await verifyByCertificates(made, place)
    }

    // Whoever has the old keys can sign as we do, for as long as they are accepted and no longer.
    const stolen = after[0] as Made
    const device = agents[0]?.device as Device
    for (const place of places) {
      expect(await isNamed(await thief.deviceToken(stolen, now()), place)).toBe(true)
      const agent = agentOf(await thief.certified(device, now()), 0, [place])
      expectOk(await submitForged(agent))
    }
    await moveTo(ANNOUNCED_MS + COUNTS_MS.enrolment + CLOCKS_MS + DAY_MS)
    const again = await enrolAll()
    const later = await load(again)
    expect(signersOf(later)).toEqual(signing(next))
    for (const place of places) {
      expect(await isNamed(await thief.deviceToken(later[0] as Made, now()), place)).toBe(false)
      const refused = expectRefusal(
        await submitForged(agentOf((again[0] as AttestationAgent).device, 0, [place])),
        'agent_request_refused',
      )
      expect(refused).toMatchObject({ step: 'submission', code: 'token_key_unknown' })
      const uncertified = agentOf(await thief.certified(device, now()), 0, [place])
      const { nonce } = expectOk(await uncertified.requestChallenge())
      expectRefusal(await uncertified.obtainToken(nonce), 'agent_request_refused')
      expect(await kidsOf(place, '/certs')).toEqual([next.attestation])
      expect((await kidsOf(place, JWKS)).sort()).toEqual(
        [old.receipt, next.receipt, next['device-token']].sort(),
      )
    }

    // Receipts tell of the past for longer: as long as the audit does.
    for (const place of places) {
      const { keys } = createGatewayOf(place)
      for (const one of made) await jwtVerify(one.receipt, keys, { issuer: PUBLIC_URL })
    }
    await moveTo(ANNOUNCED_MS + COUNTS_MS.receipt + CLOCKS_MS + DAY_MS)
    for (const place of places) {
      expect((await kidsOf(place, JWKS)).sort()).toEqual(
        [next.receipt, next['device-token']].sort(),
      )
    }

    async function submitForged(agent: AttestationAgent) {
      const { nonce } = expectOk(await agent.requestChallenge())
      const token = await thief.attestationToken(expectOk(await agent.obtainToken(nonce)))
      return agent.submitToken({ token, nonce })
    }
  })

  /** All clocks, or some, are so far ahead of the machine's, give or take their skew. */
  async function moveTo(ms: number, some: readonly Place[] = places): Promise<void> {
    if (some === places) aheadMs = ms
    await Promise.all(
      some.map((place) => place.setClock(ms + (places.indexOf(place) - 1) * SKEW_MS)),
    )
  }

  function now(): Date {
    return new Date(Date.now() + aheadMs)
  }

  /** Each request goes to the next of `some`, so that what one began another one ends. */
  function agentOf(device: Device, at: number, some: readonly Place[] = places): AttestationAgent {
    let turn = at
    return new AttestationAgent({
      ...{ device, baseUrl: PUBLIC_URL, now, maxAttempts: 1 },
      fetch: (request) => (some[turn++ % some.length] as Place).fetch(request),
    })
  }

  function enrolAll(): Promise<AttestationAgent[]> {
    return Promise.all(
      devices.map(async (device, at) => {
        const agent = agentOf(device, at)
        expectOk(await agent.enrol())
        return agent
      }),
    )
  }

  /** Every device attests by way of all places and is asked about at each, all at the same time. */
  async function load(agents: readonly AttestationAgent[]): Promise<readonly Made[]> {
    const made = agents.map((agent) => Promise.all(places.map((place) => attest(agent, place))))
    return (await Promise.all(made)).flat()
  }

  async function attest(agent: AttestationAgent, asked: Place): Promise<Made> {
    const { nonce } = expectOk(await agent.requestChallenge())
    const attestationToken = expectOk(await agent.obtainToken(nonce))
    const answer = expectOk(await agent.submitToken({ token: attestationToken, nonce }))
    const { codes, receipt } = await ask(answer.device_token, asked)
    expect(codes).not.toContain('device_token_refused')
    return { ...answer, attestationToken, receipt }
  }

  async function ask(token: string, place: Place) {
    const question = {
      subject: { type: 'user', id: 'ada', properties: { device_token: token } },
      action: { name: 'signin' },
      resource: { type: 'application', id: 'payroll' },
      context: { receipt: true },
    }
    const headers = { 'content-type': 'application/json', authorization: client }
    const body = JSON.stringify(question)
    const url = `${PUBLIC_URL}/access/v1/evaluation`
    const answer = await place.fetch(new Request(url, { method: 'POST', headers, body }))
    expect(answer.status, place.name).toBe(200)
    const { context } = (await answer.json()) as {
      context: { reasons: { code: string }[]; receipt: string }
    }
    return { codes: context.reasons.map(({ code }) => code), receipt: context.receipt }
  }

  async function isNamed(token: string, place: Place): Promise<boolean> {
    return !(await ask(token, place)).codes.includes('device_token_refused')
  }

  type Jwk = { readonly kid: string; readonly x5c?: readonly string[] }

  async function setOf(place: Place, path: string): Promise<readonly Jwk[]> {
    const answer = await place.fetch(new Request(PUBLIC_URL + path))
    return ((await answer.json()) as { keys: Jwk[] }).keys
  }

  async function kidsOf(place: Place, path: string): Promise<string[]> {
    return (await setOf(place, path)).map(({ kid }) => kid)
  }

  /** What a library keeps of a key set that says `max-age=300`. */
  function createGatewayOf(place: Place) {
    let fetches = 0
    const keys = createRemoteJWKSet(new URL(PUBLIC_URL + JWKS), {
      cacheMaxAge: 300_000,
      cooldownDuration: 30_000,
      [customFetch]: (url: string) => {
        fetches += 1
        return place.fetch(new Request(url))
      },
    })
    const verify = async ({ device_token, receipt }: Made) => {
      await jwtVerify(device_token, keys, { issuer: PUBLIC_URL, currentDate: now() })
      await jwtVerify(receipt, keys, { issuer: PUBLIC_URL, currentDate: now() })
    }
    return { place, keys, verify, fetched: () => fetches }
  }

  /** As clients of Azure Attestation do: by the certificate that `/certs` has for the `kid`. */
  async function verifyByCertificates(made: readonly Made[], place: Place): Promise<void> {
    const published = await setOf(place, '/certs')
    for (const { attestationToken } of made) {
      const { kid } = decodeProtectedHeader(attestationToken)
      const [der] = published.find((key) => key.kid === kid)?.x5c ?? []
      const pem = `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----`
      const options = { issuer: PUBLIC_URL, currentDate: now() }
      await jwtVerify(attestationToken, await importX509(pem, 'RS256'), options)
    }
  }

  function signersOf(made: readonly Made[]): readonly string[] {
    const signed = made.flatMap((one) => [one.device_token, one.receipt, one.attestationToken])
    return [...new Set(signed.map((jws) => decodeProtectedHeader(jws).kid ?? ''))].sort()
  }

  /** Of the keys whose signatures `signersOf` sees. */
  function signing(kids: Kids): readonly string[] {
    return [kids['device-token'], kids.receipt, kids.attestation].sort()
  }

  async function newestKids(): Promise<Kids> {
    const rows = await store.listSigningKeys()
    const newest = FIRST_KEY_USES.map((use) => {
      return [use, rows.findLast((key) => key.use === use)?.kid ?? '']
    })
    return Object.fromEntries(newest) as Kids
  }

  /** Somebody has a copy of the database and the master secret. */
  async function stealKeys(): Promise<Readonly<Record<SigningKeyUse, SigningKey>>> {
    const log = createLog({ level: 'silent', write: () => {}, clock: now })
    const secrets = masterSecretsOf(SECRET_KEY, undefined)
    const ring = await openKeyRing({ store, secrets, issuer: PUBLIC_URL, log, clock: now })
    const keys = FIRST_KEY_USES.map((use) => [use, ring.latest().signingKey(use, now())])
    return Object.fromEntries(keys)
  }

  function kidsIn(keys: Readonly<Record<SigningKeyUse, SigningKey>>): Kids {
    return Object.fromEntries(Object.entries(keys).map(([use, { kid }]) => [use, kid])) as Kids
  }

  async function command(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runCli(['keys', ...args], environment)
    expect(code, stderr).toBe(0)
    return stdout
  }

  async function createGateway(): Promise<string> {
    const secret = newClientSecret(randomBytes(32))
    await store.createClient({
      ...{ clientId: 'cli_gateway', name: 'gateway', secretHash: hashClientSecret(secret) },
      ...{ scopes: ['access.evaluate'], by: 'test', now: new Date() },
    })
    return basic('cli_gateway', secret)
  }
})
