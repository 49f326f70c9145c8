import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { toBase64, toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { runControl } from '../../../src/compose/jobs.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { DEFAULT_PLAN } from '../../../src/rollout/rollout.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'
import type { Json as StoredJson } from '../../../src/store/json.ts'
import { issueCertificate } from '../../support/certificates.ts'
import { namedHash } from '../../support/document-hash.ts'
import { openEmbeddedDatabase } from '../../support/embedded-database.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { besideOf } from '../../support/recorded-fleet.ts'
import {
  createTestService,
  readOk,
  startDevice,
  type TestClock,
  type TestService,
  testClock,
} from '../../support/service.ts'
import { attestMinted, newDeviceKey, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { bodyOf } from '../release/documents.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** More than the least that a cause has to be one of, and more than the default budget. */
const MANY = 12
const HOUR = 3600

/**
 * A fleet that attests through one process while another runs control. Tokens are made with the
 * verifier's own key: what they say of the hardware is what an attacker with software TPMs gets, or
 * what real devices do.
 */
type Fleet = {
  readonly database: TestDatabase
  readonly clock: TestClock
  readonly a: TestService
  readonly b: TestService
  /** Attests each of the devices, which are good unless something is told of them. */
  readonly attest: (keys: readonly Uint8Array[], claims?: object) => Promise<void>
  readonly decide: (key: Uint8Array) => Promise<boolean>
  readonly holds: () => Promise<readonly unknown[]>
}

async function openFleet(
  open: () => Promise<TestDatabase>,
  env: Readonly<Record<string, string>>,
): Promise<Fleet> {
  const [database, clock] = [await open(), testClock()]
  // A limit of its own: the devices of a test attest often in no time.
  const settings = { DEVICE_ATTESTATIONS_PER_MINUTE: '6000', ...env }
  const start = () => createTestService({ database, clock, env: settings })
  const [a, b] = [await start(), await start()]
  // One that was not told of anchors yet, and lets in what the others refuse.
  const { AK_TRUST_ANCHORS: _, ...unaware } = settings as Record<string, string>
  const lax = await createTestService({ database, clock, env: unaware })
  const { body, ...document } = bodyOf('reference-values', listSimulatorReferenceValues())
  const names = { author: 'test', reason: 'test', now: clock.now() }
  await putInForce(database.store, { ...document, body: body as StoredJson, ...names })
  return {
    database,
    clock,
    a,
    b,
    async attest(keys, claims = {}) {
      for (const deviceKey of keys) {
        const service = 'aikValidated' in claims && claims.aikValidated === false ? lax : a
        const minted = await attestMinted(service, { deviceKey, claims: { ...claims } })
        await readOk(minted.answer, 201)
      }
    },
    async decide(deviceKey) {
      const { device_id: id } = await readOk(
        await a.post('/v1/challenge', { device_key: toBase64(deviceKey) }),
      )
      const question = {
        subject: { type: 'device', id },
        action: { name: 'signin' },
        resource: { type: 'application', id: 'payroll' },
      }
      const headers = await a.as('access.evaluate')
      return (await readOk(await a.post('/access/v1/evaluation', question, { headers }))).decision
    },
    holds: async () => (await database.store.listHolds(10)).map(({ cause }) => cause),
  }
}

const make = (count: number) => Array.from({ length: count }, newDeviceKey)
const VOUCHED = { aikValidated: true }
const UNVOUCHED = { aikValidated: false }
const BAD = { testSigningDisabled: false }

/**
 * Good devices of which one then does what the policy forbids, and so do `many`; whether that one has
 * access in the end.
 */
async function provokeHold(fleet: Fleet, crowd: object): Promise<boolean> {
  const real = make(40)
  const many = make(MANY)
  const [mallory = new Uint8Array()] = real
  await fleet.attest(real, VOUCHED)
  await fleet.attest(many, crowd)
  // The rules are older than any evidence that counts, so that what fails is new.
  fleet.clock.advance(9 * HOUR)
  await fleet.attest(real, VOUCHED)
  await fleet.attest(many, crowd)
  await fleet.attest([mallory], { ...VOUCHED, ...BAD })
  await runControl(fleet.b.services)
  expect(await fleet.decide(mallory)).toBe(false)
  await fleet.attest(many, { ...crowd, ...BAD })
  await runControl(fleet.b.services)
  return await fleet.decide(mallory)
}

const HELD = [{ kind: 'clause', clause: 'test_signing_off' }]

let anchors = ''
beforeAll(async () => {
  anchors = (await issueCertificate({ subject: 'maker', ca: true })).pem
  const database = await openTestDatabase()
  await rememberHealthy(await createTestService({ database }), await startDevice())
  await database.close()
})

describe.each([
  ['PostgreSQL', openTestDatabase],
  ['PGlite', openEmbeddedDatabase],
] as const)('on %s', (_, open) => {
  const opened: Fleet[] = []
  const openWith = async (env: Readonly<Record<string, string>> = {}) => {
    const fleet = await openFleet(open, env)
    opened.push(fleet)
    return fleet
  }
  afterAll(() => Promise.all(opened.map(({ database }) => database.close())))

  describe('a device that wants its own fault to be passed over', () => {
    test('gets no hold by a crowd of software devices where there are no anchors', async () => {
      const fleet = await openWith()
      expect(await provokeHold(fleet, UNVOUCHED)).toBe(false)
      expect(await fleet.holds()).toEqual([])
    })

    test('gets none where there are anchors', async () => {
      const fleet = await openWith({ AK_TRUST_ANCHORS: anchors, UNVOUCHED_STEERING: 'accept' })
      expect(await provokeHold(fleet, UNVOUCHED)).toBe(false)
      expect(await fleet.holds()).toEqual([])
    })

    test('is held with as many devices that are vouched for: those speak against the clause', async () => {
      const fleet = await openWith({ AK_TRUST_ANCHORS: anchors })
      expect(await provokeHold(fleet, VOUCHED)).toBe(true)
      expect(await fleet.holds()).toEqual(HELD)
    })

    test('is held with any crowd only where that is accepted by name, and the start warns of it', async () => {
      const fleet = await openWith({ UNVOUCHED_STEERING: 'accept' })
      expect(fleet.a.logs.join('')).toContain('"event":"unvouched_steering_accepted"')
      expect(await provokeHold(fleet, UNVOUCHED)).toBe(true)
      expect(await fleet.holds()).toEqual(HELD)
    })
  })

  describe('a rollout', () => {
    test('is not halted by software devices where there are anchors', async () => {
      const fleet = await openWith({ AK_TRUST_ANCHORS: anchors })
      await fleet.attest(make(20), VOUCHED)
      expect(await haltedBy(fleet, UNVOUCHED)).toBe('running')
    })

    test('is halted by devices that are vouched for', async () => {
      const fleet = await openWith({ AK_TRUST_ANCHORS: anchors })
      await fleet.attest(make(20), VOUCHED)
      expect(await haltedBy(fleet, VOUCHED)).toBe('halted')
    })

    test('is halted by any devices where there are no anchors, so that no fleet is locked out', async () => {
      const fleet = await openWith()
      await fleet.attest(make(20), UNVOUCHED)
      expect(await haltedBy(fleet, UNVOUCHED)).toBe('halted')
    })

    test('is not halted in its first ring by keys that were ground to fall into it', async () => {
      const fleet = await openWith()
      const ground = grind(MANY, (key) => new DataView(key.buffer).getUint32(0) % 100 === 0)
      await fleet.attest(ground, UNVOUCHED)
      const rings = await fleet.a.query('select ring from device')
      expect(rings).toHaveLength(MANY)
      expect(rings.filter(({ ring }) => ring === 0).length).toBeLessThan(MANY / 2)
    })
  })
})

test('a device has one ring, whoever names it: it attests, or an administrator lists it elsewhere', async () => {
  const fleet = await openFleet(openTestDatabase, {})
  const headers = await fleet.b.as('admin.write')
  for (const key of make(5)) {
    const listed = await fleet.b.post('/v1/devices', { device_key: toBase64(key) }, { headers })
    const { ring } = await readOk(listed, 201)
    expect(ring).toBe(fleet.a.services.ringOf(key))
    await fleet.attest([key], VOUCHED)
  }
  const key = newDeviceKey()
  await fleet.attest([key], VOUCHED)
  const hash = toBase64Url(key)
  const rows = await fleet.a.query(`select ring from device where device_key_hash = '${hash}'`)
  expect(rows).toEqual([{ ring: fleet.b.services.ringOf(key) }])
  await fleet.database.close()
})

function grind(count: number, isWanted: (key: Uint8Array) => boolean): readonly Uint8Array[] {
  const found: Uint8Array[] = []
  for (let tried = 0; found.length < count; tried += 1) {
    const key = Uint8Array.from(digest('sha256', toUtf8(`ground ${tried}`)))
    if (isWanted(key)) found.push(key)
  }
  return found
}

/** How a rollout of a stricter policy stands after a crowd that it would deny has come to its stage. */
async function haltedBy(fleet: Fleet, crowd: object): Promise<string | undefined> {
  const { store } = fleet.database
  const clauses = BASELINE_POLICY.clauses.map((clause) => {
    return clause.id === 'bitlocker_on' ? { ...clause, severity: 'enforce' } : clause
  })
  const { kind, hash, body } = bodyOf('policy', { ...BASELINE_POLICY, clauses })
  const names = { author: 'test', reason: 'test', now: fleet.clock.now() }
  await store.proposeDocument({ kind, hash, body: body as StoredJson, ...names })
  const from = (await store.activeDocument(kind))?.hash ?? namedHash('')
  const beside = await besideOf(store, kind)
  const plan = { ...DEFAULT_PLAN, stages: [{ percent: 100, labels: [] }] }
  const rolloutId = 'rol_attacked'
  await store.startRollout({ rolloutId, kind, from, to: hash, beside, plan, note: '', ...names })
  await fleet.attest(make(MANY), { ...crowd, bitlockerEnabled: false })
  await runControl(fleet.b.services)
  return (await store.rollout(rolloutId))?.state
}
