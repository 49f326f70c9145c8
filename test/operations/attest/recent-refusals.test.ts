import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRecentRefusals } from '../../../src/operations/attest/recent-refusals.ts'
import { START } from '../../support/service.ts'

const refusal = (requestId: string, changes: object = {}) => ({
  requestId,
  now: START,
  stage: 'evidence',
  failure: { reason: 'message_member_missing', member: 'request.att_type' },
  deviceId: undefined,
  ...changes,
})

test('a refusal is found by the id of its request, the newest first', () => {
  const recent = createRecentRefusals()
  expect(recent.find('a')).toEqual({ refusals: [], leftOut: 0 })
  expect(recent.since()).toBeNull()
  recent.note(refusal('a'))
  recent.note(refusal('b'))
  recent.note(refusal('a', { failure: { reason: 'context_expired' }, now: new Date(0) }))
  expect(recent.find('a').refusals.map(({ reason }) => reason)).toEqual([
    'context_expired',
    'message_member_missing',
  ])
  expect(recent.find('a').refusals[1]).toEqual({
    at: START.toISOString(),
    stage: 'evidence',
    reason: 'message_member_missing',
    where: { member: 'request.att_type' },
    device_id: null,
    trace: [],
  })
  expect(recent.since()).toBe(START.toISOString())
})

test('values that were compared are not remembered, nor anything that is not a place', () => {
  const recent = createRecentRefusals()
  const compared = [{ what: 'challenge', expected: 'secret', found: 'secret' }]
  recent.note(
    refusal('a', {
      failure: {
        reason: 'quote_nonce_mismatch',
        compared: () => compared,
        certificate: new Uint8Array(9),
        pcrs: [7],
      },
      trace: [{ step: 'quote', outcome: 'failed', detail: 'quote_nonce_mismatch', compared }],
    }),
  )
  expect(JSON.stringify(recent.find('a'))).not.toContain('secret')
  expect(recent.find('a').refusals[0]).toMatchObject({
    where: { pcrs: [7] },
    trace: [{ step: 'quote', outcome: 'failed', detail: 'quote_nonce_mismatch' }],
  })
})

test.each([
  ['before it', 60, 0],
  ['after it', 0, 60],
  ['around it', 300, 300],
])(
  'whoever sends the same id again and again, %s, hides no refusal of a known device',
  (_, before, after) => {
    const recent = createRecentRefusals()
    const flood = (count: number) => {
      for (let sent = 0; sent < count; sent += 1) recent.note(refusal('a'))
    }
    flood(before)
    recent.note(
      refusal('a', { deviceId: 'dev_of_somebody', failure: { reason: 'context_expired' } }),
    )
    flood(after)
    const { refusals, leftOut } = recent.find('a')
    expect(refusals[0]).toMatchObject({ device_id: 'dev_of_somebody', reason: 'context_expired' })
    expect(refusals).toHaveLength(51)
    expect(leftOut).toBe(before + after - 50)
  },
)

test('of many that no device is known of the oldest and the newest are told, and the rest is counted', () => {
  const recent = createRecentRefusals()
  for (let at = 0; at < 60; at += 1) recent.note(refusal('a', { now: new Date(at) }))
  const { refusals, leftOut } = recent.find('a')
  const told = refusals.map(({ at }) => new Date(at).getTime())
  const range = (from: number) => Array.from({ length: 25 }, (_, index) => from - index)
  expect(told).toEqual([...range(59), ...range(24)])
  expect(leftOut).toBe(10)
})

test('a refusal that says too much is remembered without its place', () => {
  const recent = createRecentRefusals()
  const failure = { reason: 'json_duplicate_member', member: 'é'.repeat(5_000) }
  recent.note(refusal('a', { failure }))
  expect(recent.find('a').refusals).toMatchObject([
    { reason: failure.reason, where: {}, trace: [] },
  ])
})

test('however many come, so many and so many bytes are remembered, and the newest win', () => {
  const limits = { most: 20, mostBytes: 6_000 }
  const sizes = fc.array(fc.nat(1_500), { minLength: 1, maxLength: 80 })
  fc.assert(
    fc.property(sizes, (lengths) => {
      const recent = createRecentRefusals(limits)
      lengths.forEach((length, at) => {
        const failure = { reason: 'message_member_missing', member: 'm'.repeat(length) }
        recent.note(refusal(`r${at}`, { failure }))
      })
      const kept = lengths.map((_, at) => recent.find(`r${at}`).refusals[0])
      const found = kept.filter((one) => one !== undefined)
      expect(found.length).toBeLessThanOrEqual(limits.most)
      expect(2 * JSON.stringify(found).length).toBeLessThanOrEqual(limits.mostBytes)
      // What is there is the end of what came, without a gap.
      expect(kept.slice(-found.length || kept.length).every((one) => one !== undefined)).toBe(
        found.length > 0,
      )
    }),
  )
})
