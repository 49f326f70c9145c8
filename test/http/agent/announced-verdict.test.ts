import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sweepFleet } from '../../../src/operations/jobs/sweep.ts'
import type { VirtualDevice } from '../../../src/simulator/virtual-device.ts'
import { bodyOf } from '../../operations/release/documents.ts'
import { TEXTS } from '../../policy/healthy-device.ts'
import { newId } from '../../store/fixtures.ts'
import type { Json } from '../../support/json.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, startDevice, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
const { store } = service.services
afterAll(() => database.close())

const PASSES = 'attestation.secureBootEnabled'
const FAILS = 'attestation.enclaveSvn > 1000000'

async function activate(...clauses: readonly object[]): Promise<void> {
  const { body, ...document } = bodyOf('policy', {
    name: 'Test',
    clauses: clauses.map((clause, index) => {
      return { id: `clause_${index}`, severity: 'enforce', texts: TEXTS, ...clause }
    }),
  })
  const names = { author: 'test', reason: 'test', now: clock.now() }
  await putInForce(store, { ...document, body: body as Json, ...names })
  // What was in force is remembered for a second.
  clock.advance(2)
}

/** What others are told of a device when it attests, and in the next round of the sweep. */
async function attestAndSweep(device?: VirtualDevice) {
  const attesting = device ?? (await startDevice())
  const told = async () => {
    const rows = await service.query(`select payload ->> 'cause' as cause,
      payload ->> 'currentVerdict' as verdict from outbox
      where device_id = '${attesting.deviceId}' order by created_at`)
    return rows.map(({ cause, verdict }) => `${cause} ${verdict}`)
  }
  const before = (await told()).length
  clock.advance(1)
  expectOk(await service.agentOf(attesting).attest())
  const atOnce = (await told()).slice(before)
  clock.advance(1)
  await sweepFleet(service.services, '')
  return { atOnce, later: (await told()).slice(before + atOnce.length) }
}

describe('others are told of an attestation', () => {
  test('at once, where it makes the device trusted', async () => {
    await activate({ require: PASSES, grace_seconds: 600 }, { require: FAILS, severity: 'report' })
    expect(await attestAndSweep()).toEqual({ atOnce: ['attestation trusted'], later: [] })
  })

  test('at once, where nothing can relieve the device', async () => {
    await activate({ require: FAILS }, { require: PASSES, grace_seconds: 600 })
    expect(await attestAndSweep()).toEqual({ atOnce: ['attestation untrusted'], later: [] })
  })

  test('by the sweep, where a clause gives grace', async () => {
    await activate({ require: FAILS, grace_seconds: 600 })
    expect(await attestAndSweep()).toEqual({ atOnce: [], later: ['sweep trusted'] })
  })

  test('by the sweep, where one of the clauses that it fails gives grace', async () => {
    await activate({ require: FAILS }, { require: FAILS, grace_seconds: 600 })
    expect(await attestAndSweep()).toEqual({ atOnce: [], later: ['sweep untrusted'] })
  })

  test('by the sweep, while the device is allowed', async () => {
    await activate({ require: PASSES })
    const device = await startDevice()
    await attestAndSweep(device)
    const now = clock.now()
    const expiresAt = new Date(now.getTime() + 3_600_000)
    const target = { kind: 'device', name: device.deviceId } as const
    const names = { overrideId: newId('ovr_'), reason: 'because', author: 'test' }
    await store.createOverride({ ...names, target, what: { action: 'allow' }, expiresAt, now })
    await activate({ require: FAILS })
    expect(await attestAndSweep(device)).toEqual({ atOnce: [], later: [] })
    clock.advance(3600)
    expect(await attestAndSweep(device)).toEqual({ atOnce: ['attestation untrusted'], later: [] })
  })

  describe('by the sweep, while a cause is held', () => {
    beforeAll(async () => {
      const now = clock.now()
      const until = new Date(now.getTime() + 3_600_000)
      const cause = { kind: 'clause', clause: 'other' } as const
      const bounds = { most: 3, restMs: 0, lengthen: false, evidence: {} }
      const hold = { holdId: newId('hld_'), cause, covers: now, until, now }
      expect(await store.beginHold({ ...hold, ...bounds })).toBe('applied')
    })

    test('whether or not it covers the device', async () => {
      await activate({ require: FAILS })
      expect(await attestAndSweep()).toEqual({ atOnce: [], later: ['sweep untrusted'] })
    })

    test('but not a device that is trusted', async () => {
      await activate({ require: PASSES })
      expect(await attestAndSweep()).toEqual({ atOnce: ['attestation trusted'], later: [] })
    })
  })
})
