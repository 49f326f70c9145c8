import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VERDICTS } from '../../src/access/trust-record.ts'
import { type ChangeCause, type DeviceChange, eventsOf } from '../../src/signals/device-change.ts'
import { deviceEventsIn, EVENT_TYPES } from '../../src/signals/event-types.ts'
import type { Json } from '../support/json.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

const AT = new Date('2026-03-02T08:00:00.900Z')
const REASONS = {
  admin: { en: 'untrusted: clause_failed secure_boot_on' },
  user: { en: 'Restart.' },
}
const CAUSES: readonly ChangeCause[] = ['attestation', 'administrator', 'sweep', 'merged']
const STATUSES = ['compliant', 'not-compliant'] as const

const changes = fc.record({
  at: fc.constant(AT),
  cause: fc.constantFrom(...CAUSES),
  previousStatus: fc.constantFrom(...STATUSES),
  currentStatus: fc.constantFrom(...STATUSES),
  previousVerdict: fc.constantFrom(...VERDICTS),
  currentVerdict: fc.constantFrom(...VERDICTS),
})

const FALLEN: DeviceChange = {
  ...{ at: AT, cause: 'attestation', previousStatus: 'compliant', currentStatus: 'not-compliant' },
  ...{ previousVerdict: 'trusted', currentVerdict: 'untrusted' },
}

const typesOf = (change: DeviceChange) => eventsOf(change, REASONS).map(({ type }) => type)

/** Witness: the rules of the OpenID Foundation's conformance suite, and its vectors. */
describeVectors('events of a change of a device', () => {
  const { event_uri, payload_vectors, common_field_rules }: Json = vectorJson(
    'ssf/device-compliance-change-vectors.json',
  )
  const uris: Json = vectorJson('ssf/event-type-uris.json')

  test('bear the names that CAEP and SSF gave them', () => {
    for (const [name, uri] of Object.entries(EVENT_TYPES)) {
      expect(uri).toBe(uris.caep[name] ?? uris.ssf[name])
    }
    expect(EVENT_TYPES['device-compliance-change']).toBe(event_uri)
  })

  test('have the members of a compliance change that the suite accepts, whatever changed', () => {
    const valid = payload_vectors.filter((one: Json) => one.valid).map((one: Json) => one.event)
    fc.assert(
      fc.property(changes, (change) => {
        const event = eventsOf(change, REASONS).find(
          ({ type }) => type === 'device-compliance-change',
        )
        if (event === undefined) return
        const { previous_status, current_status } = event.claims
        expect(valid).toContainEqual({ previous_status, current_status })
      }),
    )
  })

  test('keep the rules for members that all events have in common', () => {
    expect(common_field_rules.rules.map(([member]: Json) => member)).toEqual([
      ...['event_timestamp', 'initiating_entity', 'reason_admin', 'reason_user'],
    ])
    fc.assert(
      fc.property(changes, (change) => {
        for (const { claims } of eventsOf(change, REASONS)) {
          expect(claims.event_timestamp).toBe(1772438400)
          expect(['admin', 'user', 'policy', 'system']).toContain(claims.initiating_entity)
          expect(claims).toMatchObject({ reason_admin: REASONS.admin, reason_user: REASONS.user })
        }
      }),
    )
  })
})

describe('a change of a device', () => {
  test('of status is a compliance change and a change of risk', () => {
    expect(typesOf(FALLEN)).toEqual(['device-compliance-change', 'risk-level-change'])
  })

  test('between two verdicts of one status and one risk is no event', () => {
    const change: DeviceChange = {
      ...{
        at: AT,
        cause: 'sweep',
        previousStatus: 'not-compliant',
        currentStatus: 'not-compliant',
      },
      ...{ previousVerdict: 'unknown', currentVerdict: 'stale' },
    }
    expect(typesOf(change)).toEqual([])
  })

  test('to quarantine revokes sessions, once', () => {
    const change: DeviceChange = {
      ...FALLEN,
      cause: 'administrator',
      currentVerdict: 'quarantined',
    }
    expect(typesOf(change)).toContain('session-revoked')
    expect(typesOf({ ...change, previousVerdict: 'quarantined' })).not.toContain('session-revoked')
  })

  test('by the clock alone is the doing of no policy', () => {
    const [event] = eventsOf({ ...FALLEN, cause: 'sweep', currentVerdict: 'stale' }, REASONS)
    expect(event?.claims).toMatchObject({ initiating_entity: 'system' })
  })

  test('of risk says the level of CAEP 1.0 §3.8, and of what', () => {
    const event = eventsOf(FALLEN, REASONS).find(({ type }) => type === 'risk-level-change')
    expect(event?.claims).toMatchObject({
      ...{ principal: 'DEVICE', previous_level: 'LOW', current_level: 'HIGH' },
    })
  })
})

test('of the events that a receiver asks for those are delivered that there are, in one order', () => {
  const asked = ['session-revoked', 'device-compliance-change'] as const
  const uris = ['urn:example:other', ...asked.map((type) => EVENT_TYPES[type])]
  expect(deviceEventsIn(uris)).toEqual(['device-compliance-change', 'session-revoked'])
  expect(deviceEventsIn([EVENT_TYPES.verification])).toEqual([])
})
