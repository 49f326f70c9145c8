import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { announceExpired } from '../../../src/operations/jobs/announce-expired.ts'
import { createExpiries } from '../../../src/operations/jobs/expiries.ts'
import { createChangeSweep } from '../../../src/operations/jobs/sweep-after-change.ts'
import { newDeviceId, VALIDITY_SECONDS } from '../../store/fixtures.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { policyWith } from '../release/documents.ts'
import { attestAll, openSubject, type Subject } from './swept-fleet.ts'

const NEVER = new AbortController().signal
let fleet: Subject
beforeAll(async () => {
  fleet = await openSubject(openTestDatabase)
})
afterAll(() => fleet.close())

describe('the end of evidence that a sweep saw coming', () => {
  test('is told when it comes, without another sweep, and once', async () => {
    const [id = '', renewed = ''] = await attestAll(fleet, 2)
    const { services, clock } = fleet.service
    clock.advance(VALIDITY_SECONDS - 30)
    await fleet.sweep()
    await announceExpired(services)
    expect(await fleet.told(id)).toEqual(['unknown trusted'])
    await fleet.attest(renewed)
    clock.advance(30)
    await Promise.all([announceExpired(services), announceExpired(services)])
    expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted stale'])
    expect(await fleet.told(renewed)).toEqual(['unknown trusted'])
    await fleet.sweep()
    expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted stale'])
  })

  test('costs the database nothing where there is none', async () => {
    const { services, calls } = fleet.service
    const before = calls.length
    await announceExpired({ ...services, expiries: createExpiries() })
    expect(calls.slice(before)).toEqual([])
  })
})

describe('expiries', () => {
  const now = new Date('2026-03-01T12:00:00Z')
  const at = (seconds: number) => new Date(now.getTime() + seconds * 1000)

  test('are noted within a minute, once a device, and given out once', () => {
    const expiries = createExpiries()
    const notes: readonly (readonly [string, number])[] = [
      ...[['over', -1] as const, ['now', 0] as const, ['far', 61] as const],
      ...[['moved', 5] as const, ['moved', 50] as const, ['soon', 10] as const],
    ]
    for (const [deviceId, seconds] of notes) expiries.note(deviceId, { until: at(seconds), now })
    expect(expiries.due(at(9), 10)).toEqual([])
    expect(expiries.due(at(20), 10)).toEqual(['soon'])
    expect(expiries.due(at(60), 10)).toEqual(['moved'])
    expect(expiries.due(at(60), 10)).toEqual([])
  })

  test('are bounded, and given out in parts', () => {
    const expiries = createExpiries()
    for (let device = 0; device < 30_000; device++) {
      expiries.note(`dev_${device}`, { until: at(1), now })
    }
    let given = 0
    for (;;) {
      const part = expiries.due(at(1), 500)
      expect(part.length).toBeLessThanOrEqual(500)
      if (part.length === 0) break
      given += part.length
    }
    expect(given).toBe(20_000)
  })
})

describe('a change of the rules', () => {
  test('is swept for at once, by one process, and only once', async () => {
    const ids = await attestAll(fleet, 3)
    const { services, calls } = fleet.service
    const mine = createChangeSweep(services)
    const other = createChangeSweep({ ...services, processId: 'other' })
    await Promise.all([mine(NEVER), other(NEVER)])
    const pages = () => calls.filter((name) => name === 'fleetPage').length
    const before = pages()
    await mine(NEVER)
    expect(pages()).toBe(before)
    await fleet.activate(policyWith('attestation.enclaveSvn >= 1000'))
    await Promise.all([mine(NEVER), other(NEVER)])
    for (const id of ids) {
      expect(await fleet.told(id)).toEqual(['unknown trusted', 'trusted untrusted'])
    }
    await mine(NEVER)
    await other(NEVER)
    const after = pages()
    await mine(NEVER)
    await other(NEVER)
    expect(pages()).toBe(after)
  })

  test('is not swept for when the process is told to stop', async () => {
    const deviceId = newDeviceId()
    await fleet.attest(deviceId)
    const sweep = createChangeSweep(fleet.service.services)
    await sweep(NEVER)
    await fleet.activate(policyWith('attestation.enclaveSvn >= 9'))
    const before = fleet.service.calls.length
    await sweep(AbortSignal.abort())
    expect(fleet.service.calls.slice(before)).toEqual(['inForce'])
  })
})
