import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { TrustRecord } from '../../../src/access/trust-record.ts'
import { coalesceReads } from '../../../src/store/devices/coalesced-reads.ts'
import type { TrustRecordReads } from '../../../src/store/devices/trust-records.ts'
import { StoreError } from '../../../src/store/store-error.ts'
import { namedHash } from '../../support/document-hash.ts'

const HASHES = {
  policyHash: namedHash('policy'),
  referenceValuesHash: namedHash('reference values'),
  controlRevision: 1,
}

/** Reads that answer when told to, of a fleet in which ids that begin with `dev` exist. */
function heldReads() {
  const statements: {
    ids: readonly string[]
    answer: () => void
    fail: (code?: string) => void
  }[] = []
  const hold = <T>(ids: readonly string[], value: () => T) =>
    new Promise<T>((resolve, reject) => {
      statements.push({
        ids,
        answer: () => resolve(value()),
        fail: (code) => reject(new StoreError(Object.assign(new Error('gone'), { code }))),
      })
    })
  const reads: TrustRecordReads = {
    trustRecord: (id) => hold([id], () => ({ ...HASHES, record: recordOf(id) })),
    trustRecords: (ids) =>
      hold(ids, () => {
        const found = ids.flatMap((id) => recordOf(id) ?? [])
        return { ...HASHES, records: new Map(found.map((record) => [record.deviceId, record])) }
      }),
  }
  return { reads: coalesceReads(reads), statements }
}

function recordOf(deviceId: string): TrustRecord | null {
  return deviceId.startsWith('dev') ? ({ deviceId } as TrustRecord) : null
}

describe('coalesceReads', () => {
  it('reads a record at once and by itself while nothing else is under way', async () => {
    const { reads, statements } = heldReads()
    const read = reads.trustRecord('dev_1')
    expect(statements.map(({ ids }) => ids)).toEqual([['dev_1']])
    statements[0]?.answer()
    await expect(read).resolves.toEqual({ ...HASHES, record: { deviceId: 'dev_1' } })
  })

  it('lets those that wait share the next statement, and gives each its own answer', async () => {
    const { reads, statements } = heldReads()
    const answers = ['dev_1', 'dev_2', 'dev_3', 'gone', 'dev_3'].map((id) => reads.trustRecord(id))
    expect(statements.map(({ ids }) => ids)).toEqual([['dev_1'], ['dev_2']])
    statements[1]?.answer()
    await turn()
    expect(statements[2]?.ids).toEqual(['dev_3', 'gone', 'dev_3'])
    for (const { answer } of statements) answer()
    const found = (await Promise.all(answers)).map(({ record }) => record?.deviceId)
    expect(found).toEqual(['dev_1', 'dev_2', 'dev_3', undefined, 'dev_3'])
  })

  it('never answers from a statement that was under way before the question', async () => {
    const { reads, statements } = heldReads()
    const early = [reads.trustRecord('dev_1'), reads.trustRecord('dev_2')]
    const late = reads.trustRecord('dev_1')
    for (const { answer } of statements) answer()
    await Promise.all(early)
    expect(statements.map(({ ids }) => ids)).toEqual([['dev_1'], ['dev_2'], ['dev_1']])
    statements[2]?.answer()
    await late
  })

  it('asks for no more than 64 devices at once', async () => {
    const { reads, statements } = heldReads()
    const answers = Array.from({ length: 150 }, (_, index) => reads.trustRecord(`dev_${index}`))
    for (let index = 0; index < 5; index++) {
      statements[index]?.answer()
      await turn()
    }
    await Promise.all(answers)
    expect(statements.map(({ ids }) => ids.length)).toEqual([1, 1, 64, 64, 20])
  })

  it('fails all that share a statement, and reads on for those after it', async () => {
    const { reads, statements } = heldReads()
    const outcomes = Promise.allSettled(
      ['dev_1', 'dev_2', 'dev_3', 'dev_4'].map((id) => reads.trustRecord(id)),
    )
    statements[0]?.answer()
    statements[1]?.fail()
    await turn()
    statements[2]?.fail()
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ])
    const after = reads.trustRecord('dev_5')
    statements[3]?.answer()
    await expect(after).resolves.toMatchObject({ record: { deviceId: 'dev_5' } })
  })

  it('fails what waits behind a statement that took too long, and asks again for what comes after', async () => {
    const { reads, statements } = heldReads()
    const waiting = Promise.allSettled(
      Array.from({ length: 200 }, (_, index) => reads.trustRecord(`dev_${index}`)),
    )
    statements[0]?.fail('57014')
    statements[1]?.fail('57014')
    const faults = (await waiting).map((one) => one.status === 'rejected' && one.reason.fault)
    expect(faults).toEqual(Array(200).fill('timeout'))
    expect(statements).toHaveLength(2)
    const after = reads.trustRecord('dev_1')
    statements[2]?.answer()
    await after
  })

  it('fails a batch alone whose connection broke', async () => {
    const { reads, statements } = heldReads()
    const asked = Promise.allSettled(['dev_1', 'dev_2', 'dev_3'].map((id) => reads.trustRecord(id)))
    statements[0]?.fail('ECONNRESET')
    await turn()
    for (const { answer } of statements) answer()
    expect((await asked).map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
  })

  it('lets no more wait than memory is for', async () => {
    const { reads, statements } = heldReads()
    const asked = Promise.allSettled(
      Array.from({ length: 3000 }, (_, index) => reads.trustRecord(`dev_${index}`)),
    )
    for (let index = 0; index < statements.length; index++) {
      statements[index]?.answer()
      await turn()
    }
    const ends = (await asked).map((one) => one.status === 'rejected' && one.reason.fault)
    expect(ends.slice(0, 2050)).toEqual(Array(2050).fill(false))
    expect(ends.slice(2050)).toEqual(Array(950).fill('queue_full'))
  })
})
