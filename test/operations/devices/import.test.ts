import { describe, expect, test } from 'vitest'
import { formatCsvRecord } from '../../../src/base/csv.ts'
import { importDevices } from '../../../src/operations/devices/import-devices.ts'
import {
  type ImportFailure,
  joinLabels,
  readImport,
} from '../../../src/operations/devices/read-import.ts'
import { relabelDevice } from '../../../src/operations/devices/relabel-device.ts'
import { at, attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const KEY = Buffer.alloc(32, 0x2a).toString('base64')
const keys = { deviceKey: 'aik', ringOf: () => 7 } as const
const read = (...lines: string[]) => readImport(lines.join('\n'), keys)
const rowsOf = (...lines: string[]) => expectOk(read(...lines))

describe('a file', () => {
  test('names devices by the first column that is filled in, and says what is to be set', () => {
    const id = `dev_${'a'.repeat(52)}`
    const rows = rowsOf(
      ' Device_ID ,device_key,ek_public_hash,entra_device_id,serial,owner,name,labels,verdict',
      `${id},,,e-1,s-1,ada,"Ada's, laptop",a;b,trusted`,
      `,${KEY},,,,,,,`,
      `,,${KEY.replace('K', 'A')},,,eve,,,`,
      ',,,e-2,s-2,,kiosk,,',
      ",,,,s-3,'=eve,,x\\;y;;z ; x,",
    )
    expect(rows).toMatchObject([
      {
        line: 2,
        device: { deviceId: id },
        changes: {
          owner: 'ada',
          name: "Ada's, laptop",
          labels: ['a', 'b'],
          entraDeviceId: 'e-1',
          serial: 's-1',
        },
      },
      { line: 3, device: { key: { kind: 'aik', ring: 7 } }, changes: {} },
      { line: 4, device: { key: { kind: 'tpm' } }, changes: { owner: 'eve' } },
      { line: 5, device: { entraDeviceId: 'e-2' }, changes: { name: 'kiosk' } },
      { line: 6, device: { serial: 's-3' }, changes: { owner: '=eve', labels: ['x;y', 'z', 'x'] } },
    ])
    // An empty cell says nothing.
    expect(rows[3]?.changes).toEqual({ name: 'kiosk' })
  })

  test('has labels back as they were exported', () => {
    const labels = ['plain', 'semi;colon', 'back\\slash', '=sum']
    const text = formatCsvRecord(['serial', 'labels']) + formatCsvRecord(['s', joinLabels(labels)])
    expect(expectOk(readImport(text, keys))[0]?.changes.labels).toEqual(labels)
  })

  test.each([
    ['nothing', [''], 'no column names the devices'],
    ['no column that names a device', ['owner', 'ada'], 'no column names the devices'],
    ['a column that nobody knows', ['serial,onwer', 's,ada'], "there is no column 'onwer'"],
    ['a column twice', ['serial,serial', 's,t'], "the column 'serial' is there twice"],
    ['semicolons between cells', ['serial;owner', 's;ada'], 'separated by commas'],
    ['a row of another length', ['serial,owner', 's'], 'has 1 cells'],
    ['a row without a name', ['serial,owner', ',ada'], 'names no device'],
    ['what is no id', ['device_id', 'dev_x'], "'dev_x' is no id of a device"],
    ['what is no key', ['device_key', 'AAAA'], 'must be the base64'],
    ['too long an owner', ['serial,owner', `s,${'a'.repeat(321)}`], 'owner'],
    ['a device twice', ['serial,owner', 's,a', 'S,b'], 'is about the device of line 2 again'],
    ['text that cannot be kept', ['serial,owner', 's,\u0000'], 'cannot be kept'],
  ])('with %s is refused whole', (_, lines, message) => {
    const failure = expectRefusal(read(...lines), 'import_refused')
    expect(failure).toMatchObject({ problems: [{ message: expect.stringContaining(message) }] })
  })

  test('that is not CSV is refused with its line', () => {
    expect(expectRefusal(read('serial', '"x'), 'csv_malformed')).toMatchObject({ line: 2 })
  })

  test('tells twenty of its mistakes and how many there are', () => {
    const failure = read('device_id', ...Array<string>(30).fill('dev_x'))
    expect(failure.ok).toBe(false)
    const { problems, count } = (failure as { failure: Extract<ImportFailure, { count: number }> })
      .failure
    expect([problems.length, count]).toEqual([20, 30])
  })
})

describe('importing', () => {
  test('goes on behind a batch that cannot be done, and does it once its rows are mended', async () => {
    const database = await openTestDatabase()
    const { store } = database
    const ids = Array.from({ length: 1002 }, newDeviceId)
    for (const deviceId of [ids[0], ids[501], ids[1000]]) {
      await store.recordAttestation(attestationOf({ deviceId: deviceId ?? '' }))
    }
    const key = { kind: 'aik', hash: 'h', ring: 1 } as const
    const rows = ids.map((deviceId, index) => ({
      line: index + 2,
      // One of the second batch names a device that nobody knows.
      device: index === 600 ? { deviceId } : { deviceId, key },
      changes: { owner: 'ada' },
    }))
    const progress: number[] = []
    const run = (these: typeof rows) =>
      importDevices(store, {
        ...{
          rows: these,
          by: 'cli:ada@host',
          clock: () => at(5),
          signal: new AbortController().signal,
        },
        onProgress: (done) => progress.push(done),
      })
    expect(await run(rows)).toEqual({
      ...{ enrolled: 500, applied: 2, unchanged: 0, left: 500 },
      refused: [{ line: 602, refusal: 'unknown' }],
    })
    expect(progress).toEqual([500, 1000, 1002])
    const mended = rows.filter(({ line }) => line !== 602)
    expect(await run(mended)).toEqual({
      enrolled: 498,
      applied: 1,
      unchanged: 502,
      left: 0,
      refused: [],
    })
    expect(await run(mended)).toMatchObject({ applied: 0, unchanged: 1001 })
    await database.close()
  })
})

describe('labels', () => {
  test('are added and taken away, whatever others do meanwhile', async () => {
    const database = await openTestDatabase()
    const { store } = database
    const deviceId = newDeviceId()
    await store.recordAttestation(attestationOf({ deviceId }))
    const change = (add: string[], remove: string[] = []) =>
      relabelDevice(store, { deviceId, add, remove, by: 'cli:ada@host', now: at(5) })
    const names = Array.from({ length: 6 }, () => newId('label-'))
    // Each of three at once finds what the others did, at the third try at the latest.
    await Promise.all(names.slice(0, 3).map((name) => change([name])))
    await Promise.all(names.slice(3).map((name) => change([name])))
    expect((await store.trustRecord(deviceId)).record?.labels.toSorted()).toEqual(names.toSorted())
    expect(expectOk(await change(['a'], names))).toEqual({ changed: true, labels: ['a'] })
    expect(expectOk(await change(['a'], ['b']))).toEqual({ changed: false, labels: ['a'] })
    expectRefusal(await change(Array.from({ length: 70 }, (_, n) => `l${n}`)), 'labels_refused')
    const none = { deviceId: newDeviceId(), add: ['a'], remove: [], by: 'x', now: at(6) }
    expectRefusal(await relabelDevice(store, none), 'device_not_found')
    let others = 0
    const contended: typeof store = {
      ...store,
      // Somebody else sets other labels between each look and the change that follows it.
      async deviceDetail(...asked) {
        const detail = await store.deviceDetail(...asked)
        others += 1
        const changes = { labels: [`other-${others}`] }
        await store.setDeviceAttributes({ deviceId, changes, by: 'other', now: at(7) })
        return detail
      },
    }
    const again = { deviceId, add: ['z'], remove: [], by: 'x', now: at(6) }
    expectRefusal(await relabelDevice(contended, again), 'labels_contended')
    await database.close()
  })
})
