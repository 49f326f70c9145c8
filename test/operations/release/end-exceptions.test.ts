import { afterAll, expect, test } from 'vitest'
import { commandReleases } from '../../../src/compose/release.ts'
import { endHold } from '../../../src/operations/release/end-hold.ts'
import { endOverride } from '../../../src/operations/release/overrides.ts'
import { NO_SECOND, secondFor } from '../../../src/operations/release/second-administrator.ts'
import { enforceFleetDocuments } from '../../support/recorded-fleet.ts'
import { expectRefusal } from '../../support/refusal.ts'
import { START } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const { store } = database
await enforceFleetDocuments(store, START)
afterAll(() => database.close())

const end = { by: 'alice', reason: 'it is over', now: START }

test('a hold or an override that there is not is not found', async () => {
  const hold = { holdId: 'hld_nothing', ...end, second: NO_SECOND }
  expectRefusal(await endHold(store, hold), 'hold_not_found')
  const override = { overrideId: 'ovr_nothing', ...end }
  const random = () => new Uint8Array(16)
  const options = { store, random, requiresHardware: false, clock: () => START }
  const counting = commandReleases(options).previews
  for (const isDryRun of [true, false]) {
    const ended = await endOverride({ store, counting }, { ...override, isDryRun })
    expectRefusal(ended, 'override_not_found')
  }
})

test('a hold ends when a second administrator asks for the same', async () => {
  const hold = { holdId: 'hld_nothing', ...end }
  const asks = (by: string) => {
    const request = 'DELETE /v1/holds/hld_nothing'
    const dependencies = { store, isDemanded: true, clock: () => START }
    return endHold(store, {
      ...hold,
      second: secondFor(dependencies, { request, body: { reason: by }, by, maySecond: true }),
    })
  }
  const waits = expectRefusal(await asks('alice'), 'second_awaited')
  expect(waits).toMatchObject({ expiresAt: new Date(START.getTime() + 3_600_000) })
  expectRefusal(await asks('alice'), 'second_awaited')
  expectRefusal(await asks('bob'), 'hold_not_found')
})
