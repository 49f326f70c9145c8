import { describe, expect, test } from 'vitest'
import type { StoreUnderTest } from '../fixtures.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** At the beginning of a quarter of an hour, of a day that no other test is about. */
const BEGIN = new Date('2031-05-01T00:00:00Z').getTime()

/** What sweeps counted, now and before. */
export function fleetHistoryContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const keep = (minutes: number, trusted: number) =>
    store().keepFleetSummary({
      counts: { verdicts: { trusted }, failing: {} },
      at: new Date(BEGIN + minutes * MINUTE_MS),
    })
  const read = async (fromMinutes: number, toMinutes: number, stepMinutes: number) => {
    const found = await store().fleetHistory({
      since: new Date(BEGIN + fromMinutes * MINUTE_MS),
      until: new Date(BEGIN + toMinutes * MINUTE_MS),
      stepSeconds: stepMinutes * 60,
    })
    return found.map(({ at, counts }) => [
      (at.getTime() - BEGIN) / MINUTE_MS,
      counts.verdicts.trusted,
    ])
  }

  describe('the history of the fleet', () => {
    test('has the last count of each quarter, and the summary the last of all', async () => {
      for (const [minutes, trusted] of [
        ...[[1, 1] as const, [14, 2] as const, [16, 3] as const],
        ...[[46, 4] as const, [59, 5] as const],
      ]) {
        await keep(minutes, trusted)
      }
      expect(await read(0, 60, 15)).toEqual([
        [14, 2],
        [16, 3],
        [59, 5],
      ])
      expect((await store().fleetSummary())?.counts.verdicts).toEqual({ trusted: 5 })
    })

    test('has the last count of each longer step, and none of a step without any', async () => {
      await keep(200, 6)
      expect(await read(0, 240, 60)).toEqual([
        [59, 5],
        [200, 6],
      ])
      expect(await read(60, 180, 60)).toEqual([])
      expect(await read(0, 240, 240)).toEqual([[200, 6]])
    })

    test('reaches as far back as people look, and the rest goes with the next count', async () => {
      await keep((90 * DAY_MS) / MINUTE_MS + 15, 7)
      // What began 90 days and a quarter before is gone, the quarter after it is not.
      expect(await read(0, 240, 15)).toEqual([
        [16, 3],
        [59, 5],
        [200, 6],
      ])
    })

    test('gives no more steps than may be asked for', async () => {
      expect((await read(0, 100_000, 1)).length).toBeLessThanOrEqual(400)
      expect(await read(60, 0, 15)).toEqual([])
    })
  })
}
