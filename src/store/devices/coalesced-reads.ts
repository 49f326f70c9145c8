import { type EntityName, entityKey } from '../../access/directory.ts'
import { QueueFullError, StoreError } from '../store-error.ts'
import type { TrustRecordAnswer, TrustRecordReads } from './trust-records.ts'

/** What one statement asks for at most. */
const MAX_DEVICES = 64
/** Statements under way at once. More would only make each of them smaller. */
const MAX_UNDER_WAY = 2
/** Questions that wait for their statement. More are refused at once. */
const MAX_WAITING = 2048

type Waiting = {
  readonly deviceId: string
  readonly entities: readonly EntityName[] | undefined
  readonly resolve: (answer: TrustRecordAnswer) => void
  readonly reject: (error: unknown) => void
}

/**
 * The same reads, where single records that are asked for while others are being read share the
 * next statement. What a driver does for a statement costs many times what it does for a row, so a
 * busy process answers about twice as many decisions; an idle one reads each record at once, by
 * itself. No answer is older than its question: a record is read after it was asked for.
 *
 * For a process in which requests may share a connection. On Workers they may not.
 */
export function coalesceReads(reads: TrustRecordReads): TrustRecordReads {
  let waiting: Waiting[] = []
  let underWay = 0

  const next = () => {
    if (waiting.length === 0 || underWay >= MAX_UNDER_WAY) return
    const batch = waiting.slice(0, MAX_DEVICES)
    waiting = waiting.slice(MAX_DEVICES)
    underWay += 1
    void readBatch(reads, batch).then((fault) => {
      underWay -= 1
      if (fault !== undefined) giveUp(fault)
      next()
    })
  }
  // A database that took too long would take as long for each batch that waits behind this one.
  const giveUp = (fault: StoreError) => {
    const behind = waiting
    waiting = []
    for (const { reject } of behind) reject(fault)
  }

  return {
    ...reads,
    trustRecord: (deviceId, entities) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= MAX_WAITING) {
          reject(new StoreError(new QueueFullError()))
          return
        }
        waiting.push({ deviceId, entities, resolve, reject })
        next()
      }),
  }
}

/** Answers what kept it waiting for as long as a statement may take, if that was so. */
async function readBatch(
  reads: TrustRecordReads,
  batch: readonly Waiting[],
): Promise<StoreError | undefined> {
  const [first] = batch
  try {
    if (batch.length === 1 && first !== undefined) {
      first.resolve(await reads.trustRecord(first.deviceId, first.entities))
      return undefined
    }
    const found = await reads.trustRecords(
      batch.map(({ deviceId }) => deviceId),
      entitiesOf(batch),
    )
    // Whoever asked for entities finds his own among those of all.
    const { records, ...beside } = found
    for (const { deviceId, resolve } of batch) {
      resolve({ record: records.get(deviceId) ?? null, ...beside })
    }
    return undefined
  } catch (error) {
    for (const { reject } of batch) reject(error)
    const isSlow = error instanceof StoreError && SLOW.includes(error.fault)
    return isSlow ? error : undefined
  }
}

/** Each entity once, as many ask about the same application. */
function entitiesOf(batch: readonly Waiting[]): readonly EntityName[] | undefined {
  const asked = batch.flatMap(({ entities }) => entities ?? [])
  return asked.length === 0
    ? undefined
    : [...new Map(asked.map((one) => [entityKey(one), one])).values()]
}

const SLOW: readonly unknown[] = ['timeout', 'lock']
