import { afterAll, describe, expect, test, vi } from 'vitest'
import { commandReleases } from '../../../src/compose/release.ts'
import { recordQuestions } from '../../../src/operations/jobs/record-questions.ts'
import { release } from '../../../src/operations/release/release.ts'
import { NO_SECOND } from '../../../src/operations/release/second-administrator.ts'
import { countLosses } from '../../../src/replay/preview/summary.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { bodyOf, type Document, lintErrors, lintedOf } from './documents.ts'
import {
  DEVICES,
  type Fleet,
  INTERVAL_SECONDS,
  type Outcome,
  openFleet,
  pushToEnforce,
  runToEnd,
  START,
} from './fleet.ts'

/*
 * What a bad document does to a fleet: a file of tests for each kind of document, so that they run
 * beside each other. Of 2,500 devices some thirty are in the first ring of the default plan, and more than its budget
 * of ten are among a quarter of them. What hits fewer is too much by its share, which counts from a hundred
 * devices on: it is looked at in a fleet of ten thousand.
 */

/** A fleet whose first ring has more than a hundred devices. */
export const LARGE = 10_000

export type Scenario = {
  readonly name: string
  /** Of the fleet. */
  readonly devices?: number
  readonly make: (fleet: Fleet) => Document
  /**
   * Devices that a preview of it warns of; 0 where it has no way to see them. `askers`: those of kept
   * questions that are not denied anyway, after every device asked.
   */
  readonly warnsOf: number | 'askers'
}

/** Reference values as they are in force, with a change. */
export const values = (fleet: Fleet, change: object) =>
  bodyOf('reference-values', { ...fleet.referenceValues.body, ...change })

/** What happened, a line each. */
export const shown: string[] = []

/** Called by each file of scenarios: they take long, and their lines are shown at the end. */
export function beginScenarios(): void {
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })
  afterAll(() => {
    const title = 'wrongly denied devices, most ever, and time to halt'
    console.log(`\n${title}\n${shown.splice(0).join('\n')}`)
  })
}

function show(name: string, how: string, { wronglyDenied, seconds, pass, stage }: Outcome): void {
  const where = `${pass} stage ${stage + 1}`
  shown.push(
    `  ${String(wronglyDenied).padStart(4)}  ${String(seconds).padStart(5)} s  ${where.padEnd(15)} ${how.padEnd(22)} ${name}`,
  )
}

/** What each of them comes to: warned of, halted in the audit, halted in the first ring. */
export function describeScenarios(scenarios: readonly Scenario[]): void {
  beginScenarios()
  describe.each(scenarios)('$name', ({ name, devices = DEVICES, make, warnsOf }) => {
    /** What the default rings allow to be hit: the first of them. */
    const most = devices / 100
    test('passes the lint, and where the preview can warn of it, it is not released', async () => {
      await withFleet(async (fleet) => {
        const document = make(fleet)
        expect(lintErrors(document, START)).toEqual([])
        const expected = warnsOf === 'askers' ? await askAndCount(fleet) : warnsOf
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
        expect(warned).toBe(expected)
        if (warnsOf === 0) expectOk(released)
        else expectRefusal(released, 'denials_not_accepted')
        expect(await store.listRollouts(10)).toHaveLength(warnsOf === 0 ? 1 : 0)
        expect((await fleet.askAll()).size).toBe(0)
      }, devices)
    })

    test('halts by itself where the warning was passed over, before anybody is denied', async () => {
      await withFleet(async (fleet) => {
        const rollout = await fleet.start(make(fleet))
        const outcome = await runToEnd(fleet, rollout)
        show(name, 'rollout', outcome)
        expect(outcome).toMatchObject({ state: 'halted', pass: 'audit', wronglyDenied: 0 })
        expect(outcome.seconds).toBeLessThanOrEqual(INTERVAL_SECONDS)
        expect((await fleet.store.activeDocument(rollout.kind))?.hash).toBe(rollout.from)
      }, devices)
    })

    test('halts in the first ring where somebody promoted it past the audit', async () => {
      await withFleet(async (fleet) => {
        const outcome = await runToEnd(fleet, await pushToEnforce(fleet, make(fleet)))
        show(name, 'pushed past the audit', outcome)
        expect(outcome).toMatchObject({ state: 'halted', pass: 'enforce', stage: 0 })
        expect(outcome.wronglyDenied).toBeLessThanOrEqual(most)
        expect(outcome.seconds).toBeLessThanOrEqual(INTERVAL_SECONDS)
      }, devices)
    })
  })
}

/** Every device asks; how many of those whose questions are kept are allowed, as the database has it. */
export async function askAndCount({ service, askAll }: Fleet): Promise<number> {
  await askAll()
  await recordQuestions(service.services)
  const [row] = await service.query(`select count(distinct device_id)::integer as n
    from question join device using (device_id) where verdict = 'trusted'`)
  const askers = Number(row?.n)
  expect(askers).toBeGreaterThan(50)
  return askers
}

/** With a fleet of its own. */
export async function withFleet(
  run: (fleet: Fleet) => Promise<void>,
  size = DEVICES,
): Promise<void> {
  const fleet = await openFleet(size)
  try {
    await run(fleet)
  } finally {
    await fleet.close()
  }
}
