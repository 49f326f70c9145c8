import { afterAll, describe, expect, test } from 'vitest'
import { runControl } from '../../../src/compose/jobs.ts'
import { readPosition, writePosition } from '../../../src/operations/jobs/fleet-tally.ts'
import { sweepFleet } from '../../../src/operations/jobs/sweep.ts'
import { createStateStream } from '../../../src/operations/signals/create-state-stream.ts'
import { EXTENSION_ATTRIBUTES, type ExtensionAttribute } from '../../../src/signals/state-target.ts'
import { VALIDITY_SECONDS } from '../../store/fixtures.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { policyWith } from '../release/documents.ts'
import { attestAll, openSubject, type Subject } from './swept-fleet.ts'

const opened: Subject[] = []
afterAll(async () => {
  for (const fleet of opened) await fleet.close()
})
async function begin(): Promise<Subject> {
  const fleet = await openSubject(openTestDatabase)
  opened.push(fleet)
  return fleet
}

type Series = Readonly<Record<string, number>>

/** The series of one metric as Prometheus reads them: values of labels to number. */
async function gauge({ service }: Pick<Subject, 'service'>, name: string): Promise<Series> {
  const text = await (await service.request('/metrics')).text()
  const lines = text.matchAll(new RegExp(`^countersign_${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))
  return Object.fromEntries(
    [...lines].map(([, labels = '', value]) => [
      [...labels.matchAll(/"([^"]*)"/g)].map(([, one]) => one).join(' '),
      Number(value),
    ]),
  )
}

const STRICT = policyWith('attestation.enclaveSvn >= 1000')
const REPORTING = policyWith('attestation.enclaveSvn >= 1000', { severity: 'report' })

describe('devices by verdict and failing clause', () => {
  test('are those of the last sweep that ended, and of the clauses in force then', async () => {
    const fleet = await begin()
    const round = () => runControl(fleet.service.services)
    const ids = await attestAll(fleet, 7)
    await round()
    expect(await gauge(fleet, 'devices')).toMatchObject({ trusted: 7, untrusted: 0, stale: 0 })
    const clauses = Object.keys(await gauge(fleet, 'devices_failing'))
    expect(clauses).toContain('secure_boot_on enforce')
    expect(clauses).not.toContain('added enforce')

    await fleet.activate(STRICT)
    await fleet.store.quarantineDevice({
      ...{ deviceId: ids[0] ?? '', by: 'test', reason: 'lost' },
      now: fleet.service.clock.now(),
    })
    await round()
    expect(await gauge(fleet, 'devices')).toMatchObject({ untrusted: 6, quarantined: 1 })
    expect(await gauge(fleet, 'devices_failing')).toMatchObject({ 'added enforce': 6 })

    await fleet.activate(REPORTING)
    await round()
    expect(await gauge(fleet, 'devices')).toMatchObject({ trusted: 6 })
    const failing = await gauge(fleet, 'devices_failing')
    expect(failing).toMatchObject({ 'added report': 6 })
    expect(failing).not.toHaveProperty('added enforce')

    fleet.service.clock.advance(VALIDITY_SECONDS)
    await round()
    expect(await gauge(fleet, 'devices')).toMatchObject({ stale: 6 })
    expect(Object.values(await gauge(fleet, 'devices_failing')).filter((n) => n > 0)).toEqual([])
    const { now } = fleet.service.clock
    expect(await gauge(fleet, 'sweep_ended_timestamp_seconds')).toEqual({
      '': now().getTime() / 1000,
    })
  })

  test('are counted on by whichever process has the next round', async () => {
    const fleet = await begin()
    const ids = (await attestAll(fleet, 4)).toSorted()
    const since = fleet.service.clock.now().getTime()
    const counts = { verdicts: { trusted: 100 }, failing: { 'enforce:gone': 5 } }
    const position = writePosition({ since, after: ids[1] ?? '', counts })
    expect(await sweepFleet(fleet.service.services, position)).toBe('')
    const kept = await fleet.store.fleetSummary()
    expect(kept?.counts.verdicts).toEqual({ trusted: 102 })
    expect(kept?.counts.failing).toMatchObject({ 'enforce:gone': 5 })
  })

  test('a position of an earlier version begins the cycle anew, and one of ours does so there', () => {
    const now = new Date(7)
    const anew = { since: 7, after: '', counts: { verdicts: {}, failing: {} } }
    expect(readPosition('', now)).toEqual(anew)
    expect(readPosition('1795370217331 dev_abc', now)).toEqual(anew)
    const position = { since: 1, after: 'dev_x', counts: { verdicts: {}, failing: { 'a:b': 1 } } }
    const text = writePosition(position)
    expect(readPosition(text, now)).toEqual(position)
    // What earlier versions read: `const [since, after] = position.split(' ')`.
    expect(text.split(' ')).toHaveLength(1)
  })
})

describe('what steers and waits', () => {
  test('is shown: holds, rollouts, events, and what ends next', async () => {
    const fleet = await begin()
    const { clock } = fleet.service
    await attestAll(fleet, 3)
    await runControl(fleet.service.services)
    expect(await gauge(fleet, 'holds_active')).toMatchObject({ clause: 0, stale: 0 })
    expect(await gauge(fleet, 'rollouts_open')).toMatchObject({ 'policy audit running': 0 })
    expect(await gauge(fleet, 'rollout_stage')).toEqual({ policy: 0, 'reference-values': 0 })

    await fleet.hold({ kind: 'clause', clause: 'secure_boot_on' }, 600)
    clock.advance(60)
    await runControl(fleet.service.services)
    expect(await gauge(fleet, 'holds_active')).toMatchObject({ clause: 1, stale: 0 })
    expect(await gauge(fleet, 'expiry_timestamp_seconds')).toMatchObject({
      hold: clock.now().getTime() / 1000 + 540,
    })
    const waiting = await gauge(fleet, 'outbox_events')
    expect(waiting['']).toBeGreaterThanOrEqual(3)
    expect((await gauge(fleet, 'outbox_age_seconds'))['']).toBe(60)
    expect(await gauge(fleet, 'observed_timestamp_seconds')).toEqual({
      '': clock.now().getTime() / 1000,
    })
  })

  test('is shown: streams that deliver, fail or were paused', async () => {
    const fleet = await begin()
    const { clock } = fleet.service
    const making = { store: fleet.store, clock: clock.now }
    const make = (attribute: ExtensionAttribute) =>
      createStateStream(
        { ...making, newStreamId: () => `str_${attribute}` },
        ...([{ kind: 'entra', attribute }, 'test'] as const),
      )
    for (const attribute of EXTENSION_ATTRIBUTES.slice(0, 4)) await make(attribute)
    const failing = { failure: '503', retryAt: clock.now() }
    for (const streamId of ['str_extensionAttribute1', 'str_extensionAttribute2']) {
      await fleet.store.noteStreamHealth({ streamId, failing, now: clock.now() })
    }
    await fleet.store.setStreamStatus({
      ...{ streamId: 'str_extensionAttribute2', clientId: null, status: 'paused', reason: 'x' },
      ...{ by: 'test', now: clock.now() },
    })
    await runControl(fleet.service.services)
    expect(await gauge(fleet, 'streams')).toEqual({
      enabled: 2,
      paused: 1,
      disabled: 0,
      failing: 1,
    })
  })

  test('is no number once the database cannot be read, and is one again after it', async () => {
    const fleet = await begin()
    await attestAll(fleet, 2)
    await runControl(fleet.service.services)
    const away = () => Promise.reject(new Error('away'))
    await runControl(fleet.servicesWith({ fleetSummary: away }))
    expect(await gauge(fleet, 'devices')).toMatchObject({ trusted: NaN })
    expect(await gauge(fleet, 'devices_failing')).toEqual({})
    expect(await gauge(fleet, 'outbox_events')).toEqual({ '': NaN })
    expect(await gauge(fleet, 'streams')).toMatchObject({ failing: NaN })
    await runControl(fleet.service.services)
    expect(await gauge(fleet, 'devices')).toMatchObject({ trusted: 2 })
  })
})
