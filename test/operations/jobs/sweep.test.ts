import { describe, expect, onTestFinished, test } from 'vitest'
import { runControl } from '../../../src/compose/jobs.ts'
import { SWEEP_DEVICES_A_ROUND, sweepFleet } from '../../../src/operations/jobs/sweep.ts'
import type { Store } from '../../../src/store/store.ts'
import { newDeviceId, VALIDITY_SECONDS } from '../../store/fixtures.ts'
import { openEmbeddedDatabase } from '../../support/embedded-database.ts'
import { describePostgres } from '../../support/postgres.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { policyWith } from '../release/documents.ts'
import {
  allow,
  attestAll,
  meanwhile,
  openSubject,
  recordingOf,
  type Subject,
} from './swept-fleet.ts'

describe('the sweep on PGlite', () => sweeping(openEmbeddedDatabase))
describePostgres('the sweep on PostgreSQL', () => sweeping(openTestDatabase))

const OLD = policyWith('attestation.enclaveSvn < 1000')
const STRICT = policyWith('attestation.enclaveSvn >= 8')
const GRACEFUL = policyWith('attestation.enclaveSvn >= 8', { grace_seconds: 600 })
/** Seconds from the attestations of a test to the end of their evidence. */
const UNTIL_EXPIRY = VALIDITY_SECONDS

function sweeping(open: () => Promise<TestDatabase>): void {
  const begin = async () => {
    const fleet = await openSubject(open)
    onTestFinished(fleet.close)
    return fleet
  }

  describe('the end of evidence', () => {
    test('is announced once, though two processes sweep at once', async () => {
      const fleet = await begin()
      const ids = await attestAll(fleet, 40)
      fleet.service.clock.advance(UNTIL_EXPIRY - 1)
      await fleet.sweep()
      expect(await fleet.told(ids[0] ?? '')).toEqual(['unknown trusted'])
      fleet.service.clock.advance(1)
      for (let round = 0; round < 3; round++) {
        await Promise.all([fleet.sweep(), fleet.sweep(), fleet.sweep()])
      }
      for (const id of ids) {
        expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted stale'])
      }
      const [event] = await fleet.service.query(`select payload from outbox
        where device_id = '${ids[0]}' order by created_at desc limit 1`)
      expect(event?.payload).toMatchObject({
        cause: 'sweep',
        at: fleet.service.clock.now().toISOString(),
        previousStatus: 'compliant',
        currentStatus: 'not-compliant',
        reasons: [{ code: 'stale' }],
        attestationId: expect.any(String),
      })
      await fleet.attest(ids[0] ?? '')
      expect(await fleet.told(ids[0] ?? '')).toContain('stale trusted')
    })

    test('is announced once by processes that are killed between the page and the announcement, and after it', async () => {
      const fleet = await begin()
      const ids = await attestAll(fleet, 3)
      fleet.service.clock.advance(UNTIL_EXPIRY)
      const { announceVerdicts } = fleet.store
      const deaths: readonly Store['announceVerdicts'][] = [
        () => Promise.reject(new Error('killed')),
        async (input) => {
          await announceVerdicts(input)
          throw new Error('killed')
        },
      ]
      for (const death of deaths) {
        await expect(fleet.sweep(fleet.servicesWith({ announceVerdicts: death }))).rejects.toThrow(
          'killed',
        )
      }
      for (const id of ids) {
        expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted stale'])
      }
      await fleet.sweep()
      for (const id of ids) expect(await fleet.told(id)).toHaveLength(2)
    })

    test('that comes while the device attests again is not announced', async () => {
      const fleet = await begin()
      const [id = '', other = ''] = await attestAll(fleet, 2)
      fleet.service.clock.advance(UNTIL_EXPIRY)
      const afterPage = meanwhile(fleet, () => fleet.attest(id))
      await fleet.sweep(afterPage)
      expect(await fleet.told(id)).toEqual(['unknown trusted'])
      expect(await fleet.told(other)).toEqual(['unknown trusted', 'trusted stale'])
    })

    test('in a fleet of more than a round is announced in as many rounds as it takes', async () => {
      const fleet = await begin()
      const [id = ''] = await attestAll(fleet, 1)
      const { query } = fleet.service
      const copies = SWEEP_DEVICES_A_ROUND + 600
      await query(`insert into device select (jsonb_populate_record(d,
          jsonb_build_object('device_id', 'dev_' || md5(i::text)))).*
        from device d, generate_series(1, ${copies}) as i where d.device_id = '${id}'`)
      fleet.service.clock.advance(UNTIL_EXPIRY)
      const events = async () => {
        const rows =
          await query(`select count(*)::integer as events, count(distinct device_id)::integer
          as devices from outbox where payload ->> 'currentVerdict' = 'stale'`)
        return rows[0]
      }
      const position = await sweepFleet(fleet.service.services, '')
      expect(await events()).toEqual({
        events: SWEEP_DEVICES_A_ROUND,
        devices: SWEEP_DEVICES_A_ROUND,
      })
      fleet.service.clock.advance(15)
      expect(await sweepFleet(fleet.service.services, position)).toBe('')
      expect(await events()).toEqual({ events: copies + 1, devices: copies + 1 })
      const metrics = await fleet.service.services.metrics.registry.metrics()
      expect(metrics).toContain('countersign_sweep_cycle_seconds 15')
      expect(metrics).toContain(`countersign_announced_changes_total ${copies + 1}`)
    })
  })

  describe('an activation', () => {
    test('of a stricter policy is announced for all whom it affects, and only them', async () => {
      const fleet = await begin()
      const good = await attestAll(fleet, 5, { svn: 8 })
      const bad = await attestAll(fleet, 6, { svn: 7 })
      await fleet.activate(STRICT)
      await fleet.sweep()
      await fleet.sweep()
      for (const id of good) expect(await fleet.told(id)).toEqual(['unknown trusted'])
      for (const id of bad) {
        expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted untrusted'])
      }
      await fleet.activate(OLD)
      await fleet.sweep()
      for (const id of bad) {
        expect((await fleet.told(id)).slice(1)).toEqual(['trusted untrusted', 'untrusted trusted'])
      }
    })

    test('between the page and the announcement leaves nothing to announce by the old rules', async () => {
      const fleet = await begin()
      const [id = ''] = await attestAll(fleet, 1, { svn: 7 })
      await fleet.activate(STRICT)
      await fleet.sweep(meanwhile(fleet, () => fleet.activate(OLD)))
      expect(await fleet.told(id)).toEqual(['unknown trusted'])
    })

    test('between the page and the announcement counts for that page already', async () => {
      const fleet = await begin()
      const [expired = ''] = await attestAll(fleet, 1)
      fleet.service.clock.advance(UNTIL_EXPIRY)
      const [id = ''] = await attestAll(fleet, 1, { svn: 7 })
      await fleet.sweep(meanwhile(fleet, () => fleet.activate(STRICT)))
      expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted untrusted'])
      expect(await fleet.told(expired)).toEqual(['unknown trusted', 'trusted stale'])
    })
  })

  describe('relief', () => {
    test('grace is over when it ends and not before', async () => {
      const fleet = await begin()
      const [id = ''] = await attestAll(fleet, 1, { svn: 7 })
      await fleet.activate(GRACEFUL)
      for (const seconds of [0, 599]) {
        fleet.service.clock.advance(seconds)
        await fleet.sweep()
        expect(await fleet.told(id)).toEqual(['unknown trusted'])
      }
      fleet.service.clock.advance(1)
      await fleet.sweep()
      await fleet.sweep()
      expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted untrusted'])
    })

    test('of a device that the recording left to the sweep is found by it', async () => {
      const fleet = await begin()
      await fleet.activate(GRACEFUL)
      const id = newDeviceId()
      await fleet.attest(id, { svn: 7, verdict: null })
      expect(await fleet.told(id)).toEqual([])
      await fleet.sweep()
      expect(await fleet.told(id)).toEqual(['unknown trusted'])
    })

    test('by a hold is announced when it begins and when it ends', async () => {
      const fleet = await begin()
      const [id = ''] = await attestAll(fleet, 1, { svn: 7 })
      fleet.service.clock.advance(60)
      await fleet.activate(STRICT)
      await fleet.sweep()
      await fleet.hold({ kind: 'clause', clause: 'added' }, 300)
      await fleet.sweep()
      await fleet.sweep()
      fleet.service.clock.advance(300)
      await fleet.sweep()
      expect((await fleet.told(id)).slice(1)).toEqual([
        'trusted untrusted',
        'untrusted trusted',
        'trusted untrusted',
      ])
    })

    test('while the verifier is away nobody is told that evidence ended, until it is over', async () => {
      const fleet = await begin()
      const [id = ''] = await attestAll(fleet, 1)
      fleet.service.clock.advance(UNTIL_EXPIRY)
      await fleet.hold({ kind: 'stale', issuer: 'https://verifier.example' }, 120)
      await fleet.sweep()
      expect(await fleet.told(id)).toEqual(['unknown trusted'])
      fleet.service.clock.advance(120)
      await fleet.sweep()
      expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted stale'])
    })

    test('by an allowance is announced, and its end', async () => {
      const fleet = await begin()
      const [id = ''] = await attestAll(fleet, 1, { svn: 7 })
      await fleet.activate(STRICT)
      await fleet.sweep()
      await allow(fleet, id, 300)
      await fleet.sweep()
      fleet.service.clock.advance(300)
      await fleet.sweep()
      expect((await fleet.told(id)).slice(1)).toEqual([
        'trusted untrusted',
        'untrusted trusted',
        'trusted untrusted',
      ])
    })
  })

  describe('what an administrator said', () => {
    const change = (fleet: Subject, deviceId: string) => {
      return { deviceId, by: 'cli_admin', reason: 'stolen', now: fleet.service.clock.now() }
    }

    test('stays: nobody is told that a quarantined device is trusted', async () => {
      const fleet = await begin()
      const [id = ''] = await attestAll(fleet, 1, { svn: 7 })
      await fleet.activate(STRICT)
      await fleet.sweep()
      fleet.service.clock.advance(1)
      await fleet.store.quarantineDevice(change(fleet, id))
      const quarantined = ['unknown trusted', 'trusted untrusted', 'untrusted quarantined']
      const temptations: readonly (() => Promise<unknown>)[] = [
        () => allow(fleet, id, 900),
        () => fleet.hold({ kind: 'clause', clause: 'added' }, 900),
        () => fleet.attest(id, { svn: 8 }),
        () => fleet.activate(OLD),
      ]
      for (const tempt of temptations) {
        await tempt()
        fleet.service.clock.advance(1)
        await fleet.sweep()
        expect(await fleet.told(id)).toEqual(quarantined)
      }
      await fleet.store.releaseDevice(change(fleet, id))
      await fleet.sweep()
      expect(await fleet.told(id)).toEqual([...quarantined, 'quarantined trusted'])
    })

    test('counts for a device that was quarantined while the sweep looked at it', async () => {
      const fleet = await begin()
      const [id = ''] = await attestAll(fleet, 1, { svn: 7 })
      await fleet.activate(STRICT)
      await fleet.sweep()
      await fleet.activate(OLD)
      fleet.service.clock.advance(1)
      await fleet.sweep(meanwhile(fleet, () => fleet.store.quarantineDevice(change(fleet, id))))
      expect((await fleet.told(id)).at(-1)).toBe('untrusted quarantined')
    })

    test('is waited for: a device that nobody admitted is announced once somebody has', async () => {
      const fleet = await begin()
      const id = newDeviceId()
      const { clock } = fleet.service
      const input = recordingOf(fleet, id, { svn: 7 })
      await fleet.store.recordAttestation({ ...input, enrolmentMode: 'approval' })
      await fleet.sweep()
      expect(await fleet.told(id)).toEqual([])
      await fleet.activate(STRICT)
      clock.advance(UNTIL_EXPIRY)
      await fleet.store.admitDevice(change(fleet, id))
      expect(await fleet.told(id)).toEqual([])
      await fleet.sweep()
      expect(await fleet.told(id)).toEqual(['unknown stale'])
    })
  })

  test('a round of control sweeps, in one process at a time', async () => {
    const fleet = await begin()
    const [id = ''] = await attestAll(fleet, 1)
    const { clock, services } = fleet.service
    clock.advance(UNTIL_EXPIRY)
    const now = clock.now()
    const until = new Date(now.getTime() + 10_000)
    await fleet.store.claimJob({ job: 'sweep', holder: 'another', now, until })
    await runControl(services)
    expect(await fleet.told(id)).toEqual(['unknown trusted'])
    clock.advance(10)
    await runControl(services)
    expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted stale'])
  })
}
