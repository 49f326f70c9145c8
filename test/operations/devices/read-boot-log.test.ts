import { expect, test } from 'vitest'
import { EVENT_MEANINGS } from '../../../src/evidence/event-log/event-meanings.ts'
import { eventTypeName } from '../../../src/evidence/event-log/event-types.ts'
import { firstDifference, readBootLog } from '../../../src/operations/devices/read-boot-log.ts'
import type { HistoryEntry } from '../../../src/store/devices/device-history.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { startDevice } from '../../support/service.ts'
import { describeVectors, vector } from '../../support/vectors.ts'

const entry = (digest: string) => ({ attestationId: 'att_1', digests: { boot_log: digest } })

test('what is no boot log is refused', () => {
  const refused = readBootLog(Buffer.from('no log at all'), [])
  expectRefusal(refused, 'boot_log_malformed')
})

test('a log is that of an attestation whose digest it has, and of no other', async () => {
  const { bootLog } = await startDevice()
  const log = expectOk(readBootLog(bootLog.bytes, []))
  expect(log.attestation).toBeUndefined()
  const history = [entry('another'), entry(log.digest)] as unknown as HistoryEntry[]
  expect(expectOk(readBootLog(bootLog.bytes, history)).attestation).toBe(history[1])
})

test('the first event that differs is named, and where a log ends too soon', async () => {
  const [good, bad] = [await startDevice(), await startDevice({ boot: { secureBoot: false } })]
  const [first, other] = [good, bad].map(({ bootLog }) => expectOk(readBootLog(bootLog.bytes, [])))
  if (first === undefined || other === undefined) return expect.unreachable()
  expect(firstDifference(first, first)).toBeUndefined()
  const found = other.events.find(({ sequence }) => sequence === firstDifference(other, first))
  expect(found?.description).toBe('SecureBoot = 00')
  const half = { ...first, events: first.events.slice(0, 5) }
  expect(firstDifference(half, first)).toBe((half.events.at(-1)?.sequence ?? 0) + 1)
})

test('every type that the specification names has a meaning', () => {
  const types = [
    ...Array(0x20).keys(),
    ...[...Array(0x10).keys(), 0xe0, 0xe1, 0xe2].map((low) => 0x80000000 + low),
  ]
  const names = types.map(eventTypeName).filter((name) => name.startsWith('EV_'))
  expect(names.filter((name) => name !== 'EV_UNUSED' && !(name in EVENT_MEANINGS))).toEqual([])
})

describeVectors('real boot logs', () => {
  test('of Windows machines are told event by event', () => {
    const log = expectOk(
      readBootLog(vector('eventlog/go-attestation/windows_gcp_shielded_vm.eventlog.bin'), []),
    )
    expect(log.events.length).toBeGreaterThan(15)
    expect(
      log.events.filter(({ meaning }) => meaning === 'Of a type that is not known here.'),
    ).toEqual([])
  })
})
