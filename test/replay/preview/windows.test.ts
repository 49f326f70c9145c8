import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { assess, type Documents } from '../../../src/access/assess.ts'
import type { TrustRecord } from '../../../src/access/trust-record.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { shift } from '../../../src/replay/causes.ts'
import { isAttested } from '../../../src/replay/preview/compare.ts'
import { createPreview } from '../../../src/replay/preview/preview.ts'
import { BASELINE, recordOf } from '../../access/rules.ts'
import { HEALTHY, TEXTS } from '../../policy/healthy-device.ts'
import { expectOk } from '../../support/refusal.ts'

vi.setConfig({ testTimeout: 120_000 })

/*
 * Windows of time in which a policy denies, however short they are and in whatever zone: what a preview
 * tells is held against the assessment of decisions at each quarter of an hour of a week, and at each moment
 * that is named. Both sides are ours; of how far zones are ahead of UTC the witness is the tz database that Node
 * brings (`Intl`).
 */
const MINUTE_MS = 60_000
const QUARTER_MS = 15 * MINUTE_MS
const HOUR_MS = 4 * QUARTER_MS
const DAY_MS = 24 * HOUR_MS
const BASE = Date.parse('2026-03-04T00:00:00Z')
const iso = (at: number) => new Date(at).toISOString()

function withClauses(...requires: readonly string[]): Documents {
  const clauses = requires.map((require, index) => {
    return { id: `added_${index}`, require, severity: 'enforce', texts: TEXTS }
  })
  const document = { ...BASELINE_POLICY, clauses: [...BASELINE_POLICY.clauses, ...clauses] }
  return { ...BASELINE, policy: expectOk(compilePolicy(document)) }
}

const record: TrustRecord = recordOf(HEALTHY)

/** When the preview says that the device loses access first, now or later. */
function previewed(candidate: Documents, inForce: Documents, now: number): string | undefined {
  const preview = createPreview({ inForce, candidate, now: new Date(now) })
  preview.add(attestedAt(now))
  const { newly_denied, denied_later, moments } = preview.summary()
  expect(moments).toMatchObject({ left_out: 0, devices_cut: 0 })
  return newly_denied.devices > 0 ? iso(now) : denied_later.by_date[0]?.at
}

/** It goes on attesting. */
function attestedAt(time: number): TrustRecord {
  if (!isAttested(record)) throw new TypeError('a device of this test has attested')
  return shift(record, time - record.attestation.attestedAt.getTime())
}

function decided(candidate: Documents, inForce: Documents, times: readonly number[]) {
  const first = times.find((time) => {
    const now = new Date(time)
    const [before, after] = [inForce, candidate].map((documents) => {
      return assess({ ...documents, record: attestedAt(time), now }).verdict
    })
    return before === 'trusted' && after !== 'trusted'
  })
  return first === undefined ? undefined : iso(first)
}

const zone = fc.constantFrom(
  ...['UTC', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/Los_Angeles'],
  ...['Europe/Berlin', '-03:30'],
)
/** To the minute, within the week. */
const minute = fc.integer({ min: 0, max: 7 * 24 * 60 }).map((at) => BASE + at * MINUTE_MS)
const hour = fc.tuple(fc.nat(23), zone).map(([at, of]) => `now.getHours("${of}") == ${at}`)
const day = fc.tuple(fc.nat(6), zone).map(([at, of]) => `now.getDayOfWeek("${of}") == ${at}`)
const date = fc
  .tuple(minute, fc.constantFrom('<', '>='))
  .map(([at, than]) => `now ${than} timestamp("${iso(at)}")`)
const window = fc
  .array(fc.oneof(hour, day, date), { minLength: 1, maxLength: 3 })
  .map((parts) => `!(${parts.join(' && ')})`)

describe('a preview sees', () => {
  test('each window of the week in which only the candidate denies, from its very beginning', () => {
    const windows = fc.array(window, { minLength: 1, maxLength: 2 })
    fc.assert(
      fc.property(windows, fc.option(window), minute, (requires, before, begin) => {
        const now = begin - 7 * DAY_MS
        const candidate = withClauses(...requires)
        const inForce = before === null ? BASELINE : withClauses(before)
        const named = [...`${requires} ${before}`.matchAll(/timestamp\("(.+?)"\)/g)]
        const instants = named.map(([, at = '']) => Date.parse(at)).filter((at) => at > now)
        const first = Math.ceil(now / QUARTER_MS) * QUARTER_MS
        const quarters = Array.from({ length: 7 * 96 }, (_, at) => first + at * QUARTER_MS)
        const times = [...new Set([now, ...quarters, ...instants])].sort((a, b) => a - b)
        const week = times.filter((at) => at <= now + 7 * DAY_MS)
        const found = decided(candidate, inForce, week)
        if (found !== undefined) expect(previewed(candidate, inForce, now)).toBe(found)
      }),
      { numRuns: 40 },
    )
  })

  test.each([
    [
      'the half hour that two zones share',
      ['now.getHours() != 9 || now.getHours("Asia/Kolkata") != 14'],
      '2026-03-04T09:00:00.000Z',
    ],
    [
      'the minutes of an hour before a date',
      [`now.getHours() != 9 || now >= timestamp("2026-03-04T09:20:00Z")`],
      '2026-03-04T09:00:00.000Z',
    ],
    [
      'nine hours that are Saturday here and Sunday there',
      ['now.getDayOfWeek() != 6 || now.getDayOfWeek("Asia/Tokyo") != 0'],
      '2026-03-07T15:00:00.000Z',
    ],
    [
      'the morning of a day before a date',
      ['now.getDayOfWeek() != 6 || now >= timestamp("2026-03-07T06:00:00Z")'],
      '2026-03-07T00:00:00.000Z',
    ],
    [
      'a day of a month that is far away',
      ['now.getMonth() != 11 || now.getDate() != 24'],
      '2026-12-24T00:00:00.000Z',
    ],
    [
      'the next Friday that is a thirteenth',
      ['now.getDayOfWeek() != 5 || now.getDate() != 13'],
      '2026-03-13T00:00:00.000Z',
    ],
    [
      'the nights of devices that are known for long',
      ['now - device.created_at < duration("2400h") || now.getHours() != 3'],
      undefined,
    ],
  ])('%s', (_, requires, from) => {
    const found = previewed(withClauses(...requires), BASELINE, BASE + 8 * HOUR_MS + 40 * MINUTE_MS)
    if (from === undefined) expect(found).toMatch(/T03:/)
    else expect(found).toBe(from)
  })
})
