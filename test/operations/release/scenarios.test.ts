import { afterAll, describe, expect, test, vi } from 'vitest'
import { commandReleases } from '../../../src/compose/release.ts'
import { release } from '../../../src/operations/release/release.ts'
import { NO_SECOND } from '../../../src/operations/release/second-administrator.ts'
import { countLosses } from '../../../src/replay/preview/summary.ts'
import { agent } from '../../policy/healthy-device.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { bodyOf, type Document, lintErrors, lintedOf, policyWith } from './documents.ts'
import {
  DEVICES,
  type Fleet,
  INTERVAL_SECONDS,
  type Outcome,
  openFleet,
  PROVIDER,
  pushToEnforce,
  runToEnd,
  START,
  toEntry,
} from './fleet.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

/** What the default rings allow to be hit: the first of them. */
const MOST = DEVICES / 100

type Scenario = {
  readonly name: string
  readonly make: (fleet: Fleet) => Document
  /** Devices that a preview of it warns of; 0 where it has no way to see them. */
  readonly warnsOf: number
}

const values = (fleet: Fleet, change: object) =>
  bodyOf('reference-values', { ...fleet.referenceValues.body, ...change })

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a policy that denies everything',
    make: () => policyWith('attestation.enclaveSvn > 1000'),
    warnsOf: 9800,
  },
  {
    name: 'a policy that denies one label',
    make: () => policyWith('attestation.enclaveSvn > 1000', { when: '"field" in device.labels' }),
    warnsOf: 400,
  },
  {
    name: 'a policy that asks for a claim that no device was ever asked for',
    make: () => policyWith('attestation.bootRevListInfo != ""'),
    warnsOf: 9800,
  },
  {
    name: 'a policy that mistypes a name that exists nowhere',
    make: () => policyWith('context.netwrok == "corporate"'),
    warnsOf: 0,
  },
  {
    name: 'reference values that raise a minimum version too early',
    make: (fleet) => values(fleet, { enclaves: [agent({ minimum_svn: 7 })] }),
    warnsOf: 6534,
  },
  {
    name: 'reference values that drop the pinned Azure policy',
    make: (fleet) =>
      values(fleet, {
        azure_policies: [{ issuer: PROVIDER, hash: Buffer.alloc(32, 1).toString('base64url') }],
      }),
    warnsOf: 4800,
  },
  {
    name: 'reference values that remove a trust anchor',
    make: (fleet) => values(fleet, { trust_anchors: [toEntry(fleet.anchors.kept)] }),
    warnsOf: 2500,
  },
  {
    name: 'reference values in which a root expires soon',
    make: (fleet) =>
      values(fleet, {
        trust_anchors: [
          toEntry(fleet.anchors.kept),
          { ...toEntry(fleet.anchors.other), valid_until: '2026-03-02T08:20:00Z' },
        ],
      }),
    warnsOf: 0,
  },
]

const shown: string[] = []
afterAll(() => {
  console.log(
    `\nwrongly denied devices of ${DEVICES}, most ever, and time to halt\n${shown.join('\n')}`,
  )
})

function show(name: string, how: string, { wronglyDenied, seconds, pass, stage }: Outcome): void {
  const where = `${pass} stage ${stage + 1}`
  shown.push(
    `  ${String(wronglyDenied).padStart(4)}  ${String(seconds).padStart(5)} s  ${where.padEnd(15)} ${how.padEnd(22)} ${name}`,
  )
}

describe.each(SCENARIOS)('$name', ({ name, make, warnsOf }) => {
  test('passes the lint, and where the preview can warn of it, it is not released', async () => {
    await withFleet(async (fleet) => {
      const document = make(fleet)
      expect(lintErrors(document, START)).toEqual([])
      const { store, clock, random } = fleet.service.services
      const { releases } = commandReleases({ store, clock, random, requiresHardware: false })
      let warned = -1
      const released = await release(releases, {
        document: lintedOf(document, START),
        way: { kind: 'rollout', plan: {} },
        by: 'test',
        reason: 'test',
        acceptedDenials: 0,
        maxAgeMs: 60_000,
        second: NO_SECOND,
        onPreview(summary) {
          warned = countLosses(summary)
        },
      })
      expect(warned).toBe(warnsOf)
      if (warnsOf === 0) expectOk(released)
      else expectRefusal(released, 'denials_not_accepted')
      expect(await store.listRollouts(10)).toHaveLength(warnsOf === 0 ? 1 : 0)
      expect((await fleet.askAll()).size).toBe(0)
    })
  })

  test('halts by itself where the warning was passed over, before anybody is denied', async () => {
    await withFleet(async (fleet) => {
      const rollout = await fleet.start(make(fleet))
      const outcome = await runToEnd(fleet, rollout)
      show(name, 'rollout', outcome)
      expect(outcome).toMatchObject({ state: 'halted', pass: 'audit', wronglyDenied: 0 })
      expect(outcome.seconds).toBeLessThanOrEqual(INTERVAL_SECONDS)
      expect((await fleet.store.activeDocument(rollout.kind))?.hash).toBe(rollout.from)
    })
  })

  test('halts in the first ring where somebody promoted it past the audit', async () => {
    await withFleet(async (fleet) => {
      const outcome = await runToEnd(fleet, await pushToEnforce(fleet, make(fleet)))
      show(name, 'pushed past the audit', outcome)
      expect(outcome).toMatchObject({ state: 'halted', pass: 'enforce', stage: 0 })
      expect(outcome.wronglyDenied).toBeLessThanOrEqual(MOST)
      expect(outcome.seconds).toBeLessThanOrEqual(INTERVAL_SECONDS)
    })
  })
})

async function withFleet(run: (fleet: Fleet) => Promise<void>): Promise<void> {
  const fleet = await openFleet()
  try {
    await run(fleet)
  } finally {
    await fleet.close()
  }
}

describe('a root that is in force and expires', () => {
  test('is held before the first device is denied, and named', async () => {
    await withFleet(async (fleet) => {
      const document = values(fleet, {
        trust_anchors: [
          toEntry(fleet.anchors.kept),
          { ...toEntry(fleet.anchors.other), valid_until: '2026-03-02T08:20:00Z' },
        ],
      })
      const now = fleet.service.clock.now()
      const names = { author: 'test', reason: 'at once', now }
      await fleet.store.activateDocument({ ...document, body: document.body as never, ...names })
      const harmed = new Set<string>()
      for (let passed = 0; passed < 2400; passed += INTERVAL_SECONDS) {
        await fleet.passInterval()
        if (passed % 300 === 0) for (const id of await fleet.askAll()) harmed.add(id)
      }
      expect(harmed.size).toBe(0)
      const [held, ...others] = await fleet.store.listHolds(10)
      expect(others).toEqual([])
      expect(held).toMatchObject({
        cause: { kind: 'anchor_not_listed', anchor: fleet.anchors.other.fingerprint },
        endedAt: null,
      })
      expect(fleet.service.logs.join()).toContain('"event":"hold_begun"')
      const events = await fleet.service.query(
        `select payload from outbox where type = 'hold-changed'`,
      )
      expect(events).toHaveLength(1)
      shown.push(
        `     0      -    -               correlation breaker    a root that is in force and expires`,
      )
    })
  })
})

describe('a good change', () => {
  test('goes through all rings twice and comes into force', async () => {
    await withFleet(async (fleet) => {
      const rollout = await fleet.start(policyWith('attestation.enclaveSvn >= 5'))
      const outcome = await runToEnd(fleet, rollout, { asks: false })
      expect(outcome).toMatchObject({ state: 'done', pass: 'enforce', stage: 4 })
      expect((await fleet.store.activeDocument('policy'))?.hash).toBe(rollout.to)
      expect((await fleet.askAll()).size).toBe(0)
      const steps = await fleet.service.query(
        `select detail ->> 'pass' as pass, (detail ->> 'stage')::integer as stage from audit
         where action in ('rollout.entered', 'rollout.done') order by at, audit_id`,
      )
      expect(steps).toEqual([
        ...[1, 2, 3, 4].map((stage) => ({ pass: 'audit', stage })),
        ...[0, 1, 2, 3, 4, 4].map((stage) => ({ pass: 'enforce', stage })),
      ])
    })
  })
})
