import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BLOCK_ENTRIES } from '../../../src/access/status-list/shuffle.ts'
import { runStatusList } from '../../../src/compose/jobs.ts'
import type { Services } from '../../../src/compose/services.ts'
import { keepStatusList } from '../../../src/operations/status-list/keep-list.ts'
import { createStatusListServer } from '../../../src/operations/status-list/serve-list.ts'
import type { Store } from '../../../src/store/store.ts'
import { newDeviceId, VALIDITY_SECONDS } from '../../store/fixtures.ts'
import { openEmbeddedDatabase } from '../../support/embedded-database.ts'
import { describePostgres } from '../../support/postgres.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { allow, attestAll, openSubject, type Subject } from '../jobs/swept-fleet.ts'
import { policyWith } from '../release/documents.ts'

/**
 * The witness of what the list says is `@sd-jwt/jwt-status-list`, which reads it and the index that a
 * device token names, and of its signature `jose`.
 */
describe('the list of statuses on PGlite', () => listing(openEmbeddedDatabase))
describePostgres('the list of statuses on PostgreSQL', () => listing(openTestDatabase))

const [VALID, INVALID, SUSPENDED, UNKNOWN] = [0, 1, 2, 3]
const TTL = 900
/** One round and a list anew. */
const ROUND = TTL / 4

function listing(open: () => Promise<TestDatabase>): void {
  let fleet: Subject
  beforeAll(async () => {
    fleet = await openSubject(open)
  })
  afterAll(() => fleet?.close())

  const round = (services: Services = fleet.service.services) => keepStatusList(services)
  /** What a relying party reads of devices, or `undefined` where it is refused the list. */
  const listNow = async () => {
    const server = createStatusListServer(fleet.service.services)
    return expectOk(await server.read()).token
  }
  const indexOf = async (deviceId: string) => {
    const rows = await fleet.service.query(
      `select status_place from device where device_id = '${deviceId}'`,
    )
    return fleet.service.services.statusIndexOf(Number(rows[0]?.status_place))
  }
  const statusOf = async (deviceId: string) => {
    return getListFromStatusListJWT(await listNow()).getStatus(await indexOf(deviceId))
  }
  /** Time for the list to be signed anew. */
  const later = async (seconds = ROUND) => {
    fleet.service.clock.advance(seconds)
    await round()
  }
  const says = (deviceId: string) => {
    return { deviceId, by: 'admin', reason: 'because', now: fleet.service.clock.now() }
  }

  test('there is none before it is built, and it begins with everything unknown', async () => {
    const server = createStatusListServer(fleet.service.services)
    expectRefusal(await server.read(), 'status_list_unavailable')
    await round()
    const list = getListFromStatusListJWT(await listNow())
    expect(list.getBitsPerStatus()).toBe(2)
    expect(list.statusList).toHaveLength(BLOCK_ENTRIES)
    expect(new Set(list.statusList)).toEqual(new Set([UNKNOWN]))
  })

  test('it is signed by the key of device tokens, for its address, and ends with its ttl', async () => {
    const { services, clock, url } = fleet.service
    const token = await listNow()
    const keys = createLocalJWKSet(await services.publishedKeys())
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      ...{ algorithms: ['ES256'], typ: 'statuslist+jwt', issuer: url },
      ...{ subject: `${url}/v1/status-list`, currentDate: clock.now() },
    })
    const { iat = 0, exp, ttl } = payload
    expect(protectedHeader.alg).toBe('ES256')
    expect(new Date(iat * 1000)).toEqual(clock.now())
    expect([exp, ttl]).toEqual([iat + TTL, TTL])
  })

  test('each verdict has its status', async () => {
    const [trusted = '', quarantined = ''] = await attestAll(fleet, 2)
    const [untrusted = ''] = await attestAll(fleet, 1, { verdict: 'untrusted' })
    await fleet.store.quarantineDevice(says(quarantined))
    expect(await statusOf(trusted)).toBe(UNKNOWN)
    await later()
    expect(await statusOf(trusted)).toBe(VALID)
    expect(await statusOf(untrusted)).toBe(INVALID)
    expect(await statusOf(quarantined)).toBe(SUSPENDED)
    await fleet.store.releaseDevice(says(quarantined))
    await fleet.attest(untrusted)
    await later()
    for (const id of [trusted, quarantined, untrusted]) expect(await statusOf(id)).toBe(VALID)
  })

  test('the end of evidence is in the list within its ttl, and no attestation is overlooked', async () => {
    const [silent = '', active = ''] = await attestAll(fleet, 2)
    await later()
    for (let passed = ROUND; passed < VALIDITY_SECONDS; passed += 300) {
      fleet.service.clock.advance(300)
      await round()
      if (passed > VALIDITY_SECONDS / 2) await fleet.attest(active)
    }
    await later(60)
    await later()
    expect(await fleet.told(silent)).toEqual(['unknown trusted', 'trusted stale'])
    expect(await statusOf(silent)).toBe(INVALID)
    expect(await fleet.told(active)).toEqual(['unknown trusted'])
    expect(await statusOf(active)).toBe(VALID)
    await fleet.attest(silent)
    await later()
    expect(await statusOf(silent)).toBe(VALID)
    // The one that went on is seen when it stops.
    await later(VALIDITY_SECONDS + 60)
    await later()
    expect(await statusOf(active)).toBe(INVALID)
  })

  test('a device whose evidence has ended and that counts all the same stays in the list', async () => {
    const [id = ''] = await attestAll(fleet, 1)
    await later()
    await allow(fleet, id, VALIDITY_SECONDS + 1800)
    await later(VALIDITY_SECONDS + 60)
    await later(120)
    expect(await statusOf(id)).toBe(VALID)
    await later(1800)
    await later()
    expect(await statusOf(id)).toBe(INVALID)
  })

  test('other documents are in the list as the sweep tells of them', async () => {
    const [old = ''] = await attestAll(fleet, 1, { svn: 7 })
    await later()
    await fleet.activate(policyWith('attestation.enclaveSvn >= 8'))
    await fleet.sweep()
    await later()
    expect(await statusOf(old)).toBe(INVALID)
  })

  test('what changes while a round is under way is in the next list', async () => {
    const [id = ''] = await attestAll(fleet, 1)
    let hasHappened = false
    const unlistedDevices: Store['unlistedDevices'] = async (most) => {
      const devices = await fleet.store.unlistedDevices(most)
      if (!hasHappened) await fleet.store.quarantineDevice(says(id))
      hasHappened = true
      return devices
    }
    fleet.service.clock.advance(ROUND)
    await round(fleet.servicesWith({ unlistedDevices }))
    expect(await statusOf(id)).toBe(VALID)
    await later()
    expect(await statusOf(id)).toBe(SUSPENDED)
  })

  test('an older look never overwrites what somebody wrote after it', async () => {
    const [id = ''] = await attestAll(fleet, 1)
    let hasHappened = false
    const patchStatusList: Store['patchStatusList'] = async (patch) => {
      if (!hasHappened) {
        hasHappened = true
        await fleet.store.quarantineDevice(says(id))
        await round()
      }
      return fleet.store.patchStatusList(patch)
    }
    fleet.service.clock.advance(ROUND)
    await round(fleet.servicesWith({ patchStatusList }))
    await later()
    expect(await statusOf(id)).toBe(SUSPENDED)
  })

  const STEPS = [
    'dueStatuses',
    'announceVerdicts',
    'unlistedDevices',
    'patchStatusList',
    'noteListed',
    'statusChunks',
    'keepStatusList',
  ] as const

  test.each(STEPS)(
    'a process that is killed before or after %s leaves all to the next',
    async (step) => {
      const [stays = '', falls = ''] = await attestAll(fleet, 2)
      await later()
      fleet.service.clock.advance(VALIDITY_SECONDS)
      await fleet.attest(stays)
      const [fresh = ''] = await attestAll(fleet, 1)
      fleet.service.clock.advance(60)
      for (const when of ['before', 'after'] as const) {
        const method = fleet.store[step] as (...args: unknown[]) => Promise<unknown>
        const killed = async (...args: unknown[]) => {
          if (when === 'after') await method(...args)
          throw new Error('killed')
        }
        // A step that has nothing left to do is not come to.
        await round(fleet.servicesWith({ [step]: killed })).catch(() => {})
      }
      await later()
      expect(await statusOf(stays)).toBe(VALID)
      expect(await statusOf(falls)).toBe(INVALID)
      expect(await statusOf(fresh)).toBe(VALID)
      expect(await fleet.told(falls)).toEqual(['unknown trusted', 'trusted stale'])
    },
  )

  test('processes that do it at once do it once', async () => {
    const ids = await attestAll(fleet, 5)
    await later()
    fleet.service.clock.advance(VALIDITY_SECONDS + 60)
    await Promise.all(Array.from({ length: 4 }, () => round().catch(() => {})))
    await later()
    for (const id of ids) {
      expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted stale'])
      expect(await statusOf(id)).toBe(INVALID)
    }
  })

  test('a device that becomes a name of another one is valid under its own name no more', async () => {
    const [id = ''] = await attestAll(fleet, 1)
    await later()
    const index = await indexOf(id)
    await fleet.store.linkDevice({
      ...{ deviceId: newDeviceId(), keyKind: 'tpm', identity: 'identity', ring: 7, key: 'key' },
      ...{ names: [{ deviceId: id, keyKind: 'aik', keyHash: 'hash' }], enrolmentMode: 'open' },
      ...{ ticket: null, detail: {}, now: fleet.service.clock.now() },
    })
    await later()
    expect(getListFromStatusListJWT(await listNow()).getStatus(index)).toBe(INVALID)
  })

  test('while statuses are left to be written no list is signed, and an old one is not served', async () => {
    const { services, clock } = fleet.service
    await later()
    const server = createStatusListServer(services)
    await attestAll(fleet, 1)
    // Somebody else writes again and again before it can.
    const busy = fleet.servicesWith({ patchStatusList: async () => 'superseded' })
    const { token } = expectOk(await server.read())
    clock.advance(TTL - 1)
    await round(busy)
    expect(expectOk(await server.read())).toMatchObject({ token, secondsLeft: 1 })
    clock.advance(1)
    await round(busy)
    expectRefusal(await server.read(), 'status_list_unavailable')
    await round()
    expect(expectOk(await server.read()).secondsLeft).toBe(TTL)
  })

  test('a round that has nothing to do signs no list before it is time', async () => {
    const { calls } = fleet.service
    await later()
    const signed = () => calls.filter((name) => name === 'keepStatusList').length
    const before = signed()
    for (let turn = 0; turn < 3; turn++) await later(15)
    expect(signed()).toBe(before)
    await later(ROUND - 45)
    expect(signed()).toBe(before + 1)
  })

  test('no round is run while another process has the lease', async () => {
    const { services, calls } = fleet.service
    const other = { ...services, processId: 'another' }
    const now = fleet.service.clock.now()
    const until = new Date(now.getTime() + 60_000)
    await fleet.store.claimJob({ job: 'status_list', holder: 'another', now, until })
    calls.length = 0
    await runStatusList(services)
    expect(calls).toEqual(['claimJob'])
    await runStatusList(other)
    expect(calls).toContain('unlistedDevices')
  })

  test('the index of a device token is that of its device', async () => {
    const { url, services } = fleet.service
    const deviceToken = await services.issueDeviceToken({
      ...{ deviceId: 'dev_x', confirmationKey: 'key', generation: 1, jti: 'att_1' },
      ...{ issuedAt: new Date(0), expiresAt: new Date(1000), statusIndex: 77 },
    })
    expect(getStatusListFromJWT(deviceToken)).toEqual({ idx: 77, uri: `${url}/v1/status-list` })
    expect(decodeJwt(deviceToken)).toMatchObject({ sub: 'dev_x' })
  })
}
