import type { Documents } from '../../access/assess.ts'
import { DEVICE_PROPERTIES } from '../../access/device-of-request.ts'
import {
  completeRequest,
  type DirectoryEntries,
  directoryOf,
  type EntityKind,
  entitiesOf,
} from '../../access/directory.ts'
import { NO_DEVICE_ID } from '../../access/kept-request.ts'
import { visitInSlices } from '../../base/slices.ts'
import { type Attested, isAttested } from '../../replay/preview/compare.ts'
import type { BothReliefs } from '../../replay/preview/judge.ts'
import { createQuestionReplay } from '../../replay/questions/replay.ts'
import type { QuestionsSummary } from '../../replay/questions/summary.ts'
import type { Store } from '../../store/store.ts'
import type { KeptQuestion } from '../../store/system/questions.ts'

/** Questions of each topic, and of all. */
const REPLAYED = { perTopic: 200, most: 5_000, least: 500 } as const
/** Answers, now and later: so many take about a second, also within a request that somebody waits for. */
const MOST_ANSWERS = 45_000
/** Trust records that one statement reads. */
const RECORDS_A_READ = 200

/**
 * Answers the questions again that were kept, under what is in force and under a candidate. Rejects with
 * the reason of `signal`.
 */
export async function replayQuestions(
  store: Pick<Store, 'questionTopics' | 'keptQuestions' | 'trustRecords'>,
  input: {
    readonly inForce: Documents
    readonly candidate: Documents
    /** What may keep access open for a device. */
    readonly reliefsOf: (record: Attested) => BothReliefs
    /** Whether what is compared decides for a device. */
    readonly concerns: (record: Attested) => boolean
    readonly now: Date
    readonly signal?: AbortSignal | undefined
  },
): Promise<QuestionsSummary> {
  const { signal, concerns, ...rules } = input
  const counted = await store.questionTopics()
  const topics = counted.map(({ about, ...topic }) => ({ ...topic, ...about }))
  const replay = createQuestionReplay({ ...rules, topics })
  const kinds = new Set([input.inForce, input.candidate].flatMap(readByPolicy))
  const { perTopic, most, least } = REPLAYED
  const answered = Math.floor(MOST_ANSWERS / replay.timesEach)
  const page = { perTopic, most: Math.min(most, Math.max(least, answered)) }
  const kept = topics.length === 0 ? [] : await store.keptQuestions(page)
  // All questions of a device together, so that each record is read once.
  const questions = kept.toSorted((a, b) => (a.deviceId < b.deviceId ? -1 : 1))
  for (let first = 0; first < questions.length; first += RECORDS_A_READ) {
    signal?.throwIfAborted()
    const batch = questions.slice(first, first + RECORDS_A_READ)
    const ids = [...new Set(batch.map(({ deviceId }) => deviceId))]
    const names = batch.flatMap(({ request }) => entitiesOf(request, kinds))
    const { records, entries = NO_ENTRIES } = await store.trustRecords(ids, names)
    await visitInSlices(batch, (one) => {
      const record = one.deviceId === NO_DEVICE_ID ? null : records.get(one.deviceId)
      const isLeftOut =
        record !== undefined && record !== null && isAttested(record) && !concerns(record)
      const directory = directoryOf(one.request, kinds, entries)
      const request = saidMore(one) ? one.request : completeRequest(one.request, directory)
      replay.add({ ...one, request }, isLeftOut ? undefined : record)
    })
  }
  return replay.summary()
}

const NO_ENTRIES: DirectoryEntries = new Map()

/** Properties were sent that are not kept: the directory had no say then. */
function saidMore({ leftOut }: KeptQuestion): boolean {
  return leftOut.some(([, properties, name]) => {
    return properties === 'properties' && name !== undefined && !DEVICE_PROPERTIES.has(name)
  })
}

function readByPolicy({ policy }: Documents): EntityKind[] {
  return [...policy.directoryRoots]
}
