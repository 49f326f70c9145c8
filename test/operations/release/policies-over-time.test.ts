import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { describePreview } from '../../../src/cli/policy/describe-preview.ts'
import { commandReleases } from '../../../src/compose/release.ts'
import { release } from '../../../src/operations/release/release.ts'
import { NO_SECOND } from '../../../src/operations/release/second-administrator.ts'
import type { PreviewSummary } from '../../../src/replay/preview/summary.ts'
import { agent } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { bodyOf, type Document, lintErrors, lintedOf, policyWith } from './documents.ts'
import { type Fleet, openFleet, START, toEntry } from './fleet.ts'
import { values } from './scenarios.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 })

/*
 * Documents that lint clean and are bad only later, or only for what nobody recorded. What each comes to
 * is by arithmetic on the fleet (`recordDevices`): 980 of 1,000 devices are allowed, which
 * are read in two pages.
 */
const DEVICES = 1000
const FROM = '2026-03-05T00:00:00Z'
const NOBODY = 'attestation.enclaveSvn > 1000'

type Scenario = {
  readonly name: string
  readonly make: (fleet: Fleet) => Document
  /** Devices that lose access at once, and later. */
  readonly now: number
  readonly later: number
  /** The first that lose it later do so then. */
  readonly from: string | null
  /** In what words the preview says that it did not test something. */
  readonly untested?: RegExp
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'denies everybody from a date',
    make: () => policyWith(NOBODY, { enforce_from: FROM }),
    ...{ now: 0, later: 980, from: '2026-03-05T00:00:00.000Z' },
  },
  {
    name: 'denies everybody, with a day of grace',
    make: () => policyWith(NOBODY, { grace_seconds: 86_400 }),
    ...{ now: 0, later: 980, from: '2026-03-03T08:00:00.000Z' },
  },
  {
    name: 'denies one label from a date, with three days of grace',
    make: () =>
      policyWith(NOBODY, {
        when: '"field" in device.labels',
        ...{ enforce_from: FROM, grace_seconds: 259_200 },
      }),
    ...{ now: 0, later: 40, from: '2026-03-08T00:00:00.000Z' },
  },
  {
    name: 'says its date in an expression',
    make: () => policyWith(`now < timestamp("${FROM}") || ${NOBODY}`),
    ...{ now: 0, later: 980, from: '2026-03-05T00:00:00.000Z' },
  },
  {
    name: 'applies from a date in its condition, with grace',
    make: () => policyWith(NOBODY, { when: `now >= timestamp("${FROM}")`, grace_seconds: 3600 }),
    ...{ now: 0, later: 980, from: '2026-03-05T01:00:00.000Z' },
  },
  {
    name: 'means office hours, and denies everybody in the evening',
    make: () => policyWith('now.getHours() >= 8 && now.getHours() < 18'),
    ...{ now: 0, later: 980, from: '2026-03-02T18:00:00.000Z' },
  },
  {
    name: 'applies only on another day',
    make: () => policyWith(NOBODY, { when: 'now.getDayOfWeek() == 6', hold: 'never' }),
    ...{ now: 0, later: 980, from: '2026-03-07T00:00:00.000Z' },
  },
  {
    name: 'denies everybody for some hours of another day',
    make: () => policyWith('now.getDayOfWeek() != 4 || now.getHours() < 12 || now.getHours() > 14'),
    ...{ now: 0, later: 980, from: '2026-03-05T12:00:00.000Z' },
  },
  {
    name: 'believes no evidence that is accepted after a date',
    make: () => policyWith(`attestation.attested_at < timestamp("${FROM}") || ${NOBODY}`),
    ...{ now: 0, later: 980, from: '2026-03-05T00:00:00.000Z' },
  },
  {
    name: 'goes by the month',
    make: () => policyWith('now.getMonth() == 2', { hold: 'never' }),
    ...{ now: 0, later: 980, from: '2026-04-01T00:00:00.000Z' },
  },
  {
    name: 'goes by the seconds of the clock, and so by a date that it does not name',
    make: () => policyWith('int(now) < 1798761600'),
    ...{ now: 0, later: 980, from: '2027-01-01T00:00:00.000Z' },
  },
  {
    name: 'goes by how long each device has been known',
    make: () => policyWith('now - device.created_at < duration("1440h")'),
    ...{ now: 0, later: 980, from: '2026-04-02T00:00:00.000Z' },
  },
  {
    name: 'moves its date twice',
    make: () => policyWith(`now - duration("360h") - duration("360h") < timestamp("${FROM}")`),
    ...{ now: 0, later: 980, from: '2026-04-04T00:00:00.000Z' },
  },
  {
    name: 'lets an enclave end in 13 hours',
    make: (fleet) => values(fleet, { enclaves: [agent({ valid_until: '2026-03-02T21:00:00Z' })] }),
    ...{ now: 0, later: 980, from: '2026-03-02T21:00:00.000Z' },
  },
  {
    name: 'lets a root end in two weeks',
    make: (fleet) =>
      values(fleet, {
        trust_anchors: [
          toEntry(fleet.anchors.kept),
          { ...toEntry(fleet.anchors.other), valid_until: '2026-03-16T00:00:00Z' },
        ],
      }),
    ...{ now: 0, later: 250, from: '2026-03-16T00:00:00.000Z' },
  },
  {
    name: 'applies to a label that no device has',
    make: () => policyWith(NOBODY, { when: '"laptops" in device.labels' }),
    ...{ now: 0, later: 0, from: null },
    untested: /Not tested on any device, as their 'when' applied to none at any time: added\./,
  },
  {
    name: 'asks the request for what no question has',
    make: () => policyWith('context.netwrok == "corporate"'),
    ...{ now: 0, later: 0, from: null },
    untested: /added asks about requests, and no question is on record\./,
  },
]

let fleet: Fleet
const shown: string[] = []
beforeAll(async () => {
  fleet = await openFleet(DEVICES)
})
afterAll(async () => {
  console.log(
    `\nwhat the preview says of ${DEVICES} devices: now, later, from\n${shown.join('\n')}`,
  )
  await fleet?.close()
})

describe('a document that', () => {
  test.each(SCENARIOS)('$name is seen, or named as untested', async (scenario) => {
    const document = scenario.make(fleet)
    expect(lintErrors(document, START)).toEqual([])
    const { store, clock, random } = fleet.service.services
    const { releases } = commandReleases({ store, clock, random, requiresHardware: false })
    let summary: PreviewSummary | undefined
    const request = {
      document: lintedOf(document, START),
      way: { kind: 'rollout', plan: {} },
      ...{ by: 'test', reason: 'test', maxAgeMs: 60_000, second: NO_SECOND },
      onPreview(made: PreviewSummary) {
        summary = made
      },
    } as const
    const losses = scenario.now + scenario.later
    const released = await release(releases, { ...request, acceptedDenials: losses - 1 })
    if (losses > 0) expectRefusal(released, 'denials_not_accepted')
    if (summary === undefined) throw new Error('no preview was made')
    const { newly_denied, newly_refused, denied_later } = summary
    expect(newly_denied.devices + newly_refused.devices).toBe(scenario.now)
    expect(denied_later.devices).toBe(scenario.later)
    expect(denied_later.by_date[0]?.at ?? null).toBe(scenario.from)
    const text = describePreview(summary)
    if (scenario.from !== null) expect(text).toContain(scenario.from.replace('.000Z', 'Z'))
    if (scenario.untested !== undefined) expect(text).toMatch(scenario.untested)
    const from = scenario.from ?? (scenario.untested === undefined ? '-' : 'named as untested')
    const counts = [scenario.now, scenario.later]
      .map((count) => String(count).padStart(5))
      .join(' ')
    shown.push(`  ${counts}  ${from.padEnd(24)}  ${scenario.name}`)
    // The number that was read in it is what lets it through.
    if (losses === 0) return
    const accepted = await release(releases, { ...request, acceptedDenials: losses })
    const { rollout } = expectOk(accepted)
    if (rollout === undefined) throw new Error('no rollout began')
    const { rolloutId, revision, pass, stage } = rollout
    const state = { state: 'reverted', pass, stage, note: 'only a test', health: null } as const
    const step = {
      rolloutId,
      revision,
      action: 'reverted',
      by: 'test',
      now: clock(),
      ...state,
    } as const
    expect(await store.stepRollout(step)).toBe('applied')
  })
})

/** So many days after the midnight before the fleet begins. */
const day = (days: number, hours = 0) =>
  new Date(Date.parse('2026-03-02T00:00:00Z') + days * DAY_MS + hours * HOUR_MS)
    .toISOString()
    .replace('.000Z', 'Z')
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/** The baseline with further clauses, each like one that `policyWith` adds. */
function policyOf(clauses: readonly object[]): Document {
  const body: Json = policyWith('attestation.enclaveSvn >= 1').body
  const [clause = {}] = body.clauses.slice(-1)
  const added = clauses.map((change, index) => ({ ...clause, id: `added_${index}`, ...change }))
  return bodyOf('policy', { ...body, clauses: [...body.clauses, ...added] })
}

/** Clauses that name so many dates from the first day on, a day apart, and deny nobody. */
function datedClauses(dates: number): readonly object[] {
  return Array.from({ length: Math.ceil(dates / 10) }, (_, index) => {
    const named = Array.from({ length: Math.min(10, dates - index * 10) }, (_, date) => {
      return `now == timestamp("${day(index * 10 + date + 1, 8)}")`
    })
    return { require: `attestation.enclaveSvn >= 1 || ${named.join(' || ')}` }
  })
}

const few = (dates: number, at = 1234) =>
  Array.from({ length: dates }, (_, index) => {
    return `now == timestamp("${new Date(START.getTime() + (index + 1) * DAY_MS + at).toISOString()}")`
  }).join(' || ')

const WITH_OTHER_DATES: readonly {
  readonly name: string
  readonly make: (fleet: Fleet) => Document
  readonly from: string
}[] = [
  {
    name: 'keeps a month out, beside many dates',
    make: () => policyOf([{ require: `now.getMonth() != 5 || ${few(14)}`, hold: 'never' }]),
    // Each day of the year ahead is looked at, and again from the dates that the clause names.
    from: '2026-06-01T00:00:00.000Z',
  },
  {
    name: 'keeps Saturdays out, from a date in two weeks',
    make: () =>
      policyOf([{ require: 'now.getDayOfWeek() != 6', enforce_from: day(14), hold: 'never' }]),
    from: '2026-03-21T00:00:00.000Z',
  },
  {
    name: 'keeps workdays out, from a Saturday that its expression names',
    make: () => {
      const weekend = 'now.getDayOfWeek() == 0 || now.getDayOfWeek() == 6'
      const require = `now < timestamp("${day(12)}") || ${weekend}`
      return policyOf([{ require, hold: 'never' }])
    },
    from: '2026-03-16T00:00:00.000Z',
  },
  {
    name: 'means office hours from a date on, beside many dates',
    make: () => {
      const dated = Array.from({ length: 14 }, (_, index) => ({ enforce_from: day(index + 1) }))
      const hours = 'now.getHours() >= 8 && now.getHours() < 18'
      return policyOf([...dated, { require: hours, enforce_from: day(60, 9), hold: 'never' }])
    },
    from: '2026-05-01T18:00:00.000Z',
  },
  {
    name: 'denies everybody after more dates than were ever passed by',
    make: () => policyOf([...datedClauses(250), { require: NOBODY, enforce_from: day(300) }]),
    from: '2026-12-27T00:00:00.000Z',
  },
  {
    name: 'lets both roots end, after seventy enclaves',
    make: (small) => {
      const old = Array.from({ length: 70 }, (_, index) => {
        const [valid_from, valid_until] = ['2020-01-01T00:00:00Z', day(index + 2)]
        return agent({ ...{ name: `old ${index}`, valid_from, valid_until } })
      })
      const roots = [small.anchors.kept, small.anchors.other]
      const trust_anchors = roots.map((root) => ({ ...toEntry(root), valid_until: day(100) }))
      return values(small, { enclaves: [agent(), ...old], trust_anchors })
    },
    from: '2026-06-10T00:00:00.000Z',
  },
]

describe('what other dates do not hide', () => {
  let small: Fleet
  beforeAll(async () => {
    small = await openFleet(100)
  })
  afterAll(() => small?.close())

  async function releaseAt(document: Document) {
    const { store, clock, random } = small.service.services
    const { releases } = commandReleases({ store, clock, random, requiresHardware: false })
    let summary: PreviewSummary | undefined
    const released = await release(releases, {
      document: lintedOf(document, START),
      way: { kind: 'at_once' },
      ...{ by: 'test', reason: 'test', acceptedDenials: 0, maxAgeMs: 60_000, second: NO_SECOND },
      onPreview(made) {
        summary = made
      },
    })
    return { released, summary }
  }

  test.each(WITH_OTHER_DATES)('a document that $name', async ({ make, from }) => {
    const { released, summary } = await releaseAt(make(small))
    expectRefusal(released, 'denials_not_accepted')
    expect(summary?.moments).toMatchObject({ left_out: 0, devices_cut: 0 })
    expect(summary?.denied_later.by_date[0]?.at).toBe(from)
  })

  test.each<readonly [string, number, (fleet: Fleet) => Document]>([
    ['a policy', 44, () => policyOf(datedClauses(300))],
    [
      'a policy that goes by hours too',
      // Hours of 56 days have room; the end of the roots comes after them.
      200 - 56 + 1,
      () => policyOf([...datedClauses(200), { require: 'now.getHours() < 99' }]),
    ],
    [
      'a policy that names them for requests',
      6,
      () => {
        const dates = datedClauses(70).map((clause) => {
          const { require = '' }: Json = clause
          return { require: `context.network == "corporate" || ${require}` }
        })
        return policyOf(dates)
      },
    ],
    [
      'reference values',
      // One date more: the end of the roots, which comes first.
      270 + 1 - 256,
      (fleet) => {
        const old = Array.from({ length: 270 }, (_, index) => {
          return agent({ name: `old ${index}`, valid_until: day(index + 2) })
        })
        return values(fleet, { enclaves: [agent(), ...old] })
      },
    ],
  ])(
    '%s with more dates than a preview looks at does not come into force',
    async (_, leftOut, make) => {
      const { released, summary } = await releaseAt(make(small))
      expect(expectRefusal(released, 'too_many_dates')).toMatchObject({ leftOut })
      expect(summary?.moments).toMatchObject({ left_out: leftOut, left_out_of_candidate: leftOut })
    },
  )
})
