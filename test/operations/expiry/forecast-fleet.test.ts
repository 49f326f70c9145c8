import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  FORECAST_DEVICES_A_ROUND,
  forecastFleet,
  forecastInRounds,
} from '../../../src/operations/expiry/forecast-fleet.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { FORECAST_DAYS } from '../../../src/replay/forecast/forecast.ts'
import type { FleetForecast } from '../../../src/store/system/fleet-summary.ts'
import { showForecast } from '../../../src/views/show-expiry.ts'
import { agent, TEXTS } from '../../policy/healthy-device.ts'
import { newId } from '../../store/fixtures.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { allow, attestAll, openSubject, type Subject } from '../jobs/swept-fleet.ts'
import { bodyOf } from '../release/documents.ts'

/*
 * The witness is the service itself: what was foreseen is held against what it decides when that day has come, for
 * each device, after the device has attested the same again.
 */

const DAY = 86_400
let fleet: Subject
const later = (days: number) => new Date(fleet.service.clock.now().getTime() + days * DAY * 1000)

beforeAll(async () => {
  fleet = await openSubject(openTestDatabase)
})
afterAll(() => fleet.close())

/** Enclaves of lower versions are listed for 5 and 20 days; one clause begins in 60 days, and one goes by a date. */
async function activate(): Promise<void> {
  const enclaves = [
    agent({ name: 'first', minimum_svn: 5, valid_until: later(5).toISOString() }),
    agent({ name: 'second', minimum_svn: 7, valid_until: later(20).toISOString() }),
    agent({ name: 'third', minimum_svn: 9 }),
  ]
  await fleet.activate(bodyOf('reference-values', { enclaves }))
  const clauses = [
    {
      id: 'newest',
      require: 'attestation.enclaveSvn >= 11',
      enforce_from: later(60).toISOString(),
    },
    {
      id: 'until_a_date',
      require: `attestation.enclaveSvn != 20 || now < timestamp("${later(25).toISOString()}")`,
    },
  ].map((clause) => ({ ...clause, severity: 'enforce', texts: TEXTS }))
  const policy = { ...BASELINE_POLICY, clauses: [...BASELINE_POLICY.clauses, ...clauses] }
  await fleet.activate(bodyOf('policy', policy))
}

type Device = { readonly id: string; readonly svn: number }

describe('what was foreseen', () => {
  const devices: Device[] = []

  beforeAll(async () => {
    await activate()
    for (const [svn, count] of [
      ...([
        [5, 3],
        [7, 4],
        [9, 2],
        [11, 5],
        [20, 2],
      ] as const),
    ]) {
      for (const id of await attestAll(fleet, count, { svn })) devices.push({ id, svn })
    }
    // Denied already, and so nothing that could be lost.
    await attestAll(fleet, 2, { svn: 4, verdict: 'untrusted' })
    // One of those that fail first is allowed for ten days, and fails then.
    await allow(fleet, devices[0]?.id ?? '', 10 * DAY)
  })

  test('is what is decided on each of the days', async () => {
    const { store, services, clock } = { ...fleet, ...fleet.service }
    const working = { ...services, store }
    const forecast = showForecast(await forecastFleet(working))
    expect(forecast).toMatchObject({ devices: 18, allowed: 16 })
    const found = forecast?.within.map(({ days, devices: failing }) => [days, failing])
    expect(found).toEqual([
      [7, 2],
      [30, 9],
      [90, 11],
    ])
    const began = clock.now()
    const decided: number[][] = []
    for (const days of FORECAST_DAYS) {
      clock.set(new Date(began.getTime() + days * DAY * 1000))
      for (const { id, svn } of devices) await fleet.attest(id, { svn })
      const answers = await fleet.askAll(devices.map(({ id }) => id))
      decided.push([days, answers.filter((isAllowed) => !isAllowed).length])
    }
    clock.set(began)
    expect(decided).toEqual(found)
  })

  test('says by what, when the first fails, and which', async () => {
    const forecast = showForecast(await fleet.store.fleetForecast())
    const causes = forecast?.by_cause.map(({ cause, within }) => [
      cause,
      ...within.map((one) => one.devices),
    ])
    expect(causes).toEqual([
      ['enclave_current', 2, 7, 7],
      ['until_a_date', 0, 2, 2],
      ['newest', 0, 0, 2],
    ])
    const [first] = forecast?.by_cause ?? []
    expect(first?.first).toEqual(later(5))
    expect(first?.examples).toHaveLength(5)
  })

  test('is the same where the fleet is gone through in rounds, each of which is put down in between', async () => {
    const { store } = fleet
    const { services } = fleet.service
    const whole = await store.fleetForecast()
    let kept: FleetForecast | undefined
    const anew = {
      ...store,
      fleetForecast: async () => null,
      keepForecast: async (made: FleetForecast) => {
        kept = made
      },
    }
    let position = ''
    let rounds = 0
    do {
      position = await forecastInRounds({ ...services, store: anew }, position, {
        devices: 4,
        page: 2,
      })
      rounds += 1
    } while (position !== '')
    expect(rounds).toBe(5)
    expect(kept).toEqual(whole)
  })
})

function never(): never {
  throw new TypeError('a full page has devices')
}

describe('rounds', () => {
  test('make no forecast while the last one is fresh, and one at once under other documents', async () => {
    const { services, clock } = fleet.service
    const { store } = fleet
    await forecastFleet({ ...services, store })
    const made = async () => (await store.fleetForecast())?.at
    const first = await made()
    clock.advance(3600)
    expect(await forecastInRounds({ ...services, store }, '')).toBe('')
    expect(await made()).toEqual(first)
    await fleet.activate(bodyOf('policy', BASELINE_POLICY))
    expect(await forecastInRounds({ ...services, store }, '')).toBe('')
    expect(await made()).toEqual(clock.now())
    clock.advance(DAY)
    await forecastInRounds({ ...services, store }, '')
    expect(await made()).toEqual(clock.now())
  })

  test('begin anew where the position is of other documents, or of no form of ours', async () => {
    const { services } = fleet.service
    const stale = { since: 0, documents: 'other', after: 'dev_z', counts: { devices: 1e9 } }
    for (const position of [JSON.stringify(stale), 'dev_z 7']) {
      expect(await forecastInRounds({ ...services, store: fleet.store }, position)).toBe('')
    }
    expect((await fleet.store.fleetForecast())?.counts.devices).toBe(18)
  })

  test('read no more devices each than their budget', async () => {
    const { services, clock } = fleet.service
    clock.advance(2 * DAY)
    let read = 0
    const [row] = await fleet.store.fleetPage({ after: '', limit: 1, leaveOut: [] })
    const endless = {
      ...fleet.store,
      async fleetPage({ limit }: { readonly limit: number }) {
        read += limit
        return Array.from({ length: limit }, () => row ?? never())
      },
    }
    const position = await forecastInRounds({ ...services, store: endless }, '')
    expect(read).toBe(FORECAST_DEVICES_A_ROUND)
    expect(JSON.parse(position)).toMatchObject({ counts: { devices: FORECAST_DEVICES_A_ROUND } })
    await forecastInRounds({ ...services, store: endless }, position)
    expect(read).toBe(2 * FORECAST_DEVICES_A_ROUND)
  })
})

test('a pin ends, and then what is in force decides', async () => {
  const { store, service } = fleet
  const now = service.clock.now()
  const strict = bodyOf('policy', {
    ...BASELINE_POLICY,
    clauses: [
      ...BASELINE_POLICY.clauses,
      {
        id: 'strict',
        require: 'attestation.enclaveSvn >= 1000',
        severity: 'enforce',
        texts: TEXTS,
      },
    ],
  })
  const lax = bodyOf('policy', BASELINE_POLICY)
  await fleet.activate(lax)
  await fleet.activate(strict)
  const [pinned = ''] = await attestAll(fleet, 1, { svn: 12 })
  const pin = { action: 'pin', kind: 'policy', hash: lax.hash } as const
  const answer = await store.createOverride({
    ...{ overrideId: newId('ovr_'), target: { kind: 'device', name: pinned }, what: pin },
    ...{ reason: 'because', author: 'test', expiresAt: later(3), now },
  })
  expect(answer).toBe('applied')
  const forecast = showForecast(await forecastFleet({ ...service.services, store }))
  const [first] = forecast?.by_cause ?? []
  expect(first).toMatchObject({ cause: 'strict', first: later(3) })
  expect(first?.examples).toContain(pinned)
})
