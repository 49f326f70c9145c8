import { type Assessment, assess, type Documents } from '../../access/assess.ts'
import { reasonsToDeny } from '../../access/decide.ts'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import type { KeptRequest } from '../../access/kept-request.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { shift } from '../causes.ts'
import { type Attested, isAttested } from '../preview/compare.ts'
import type { BothReliefs } from '../preview/judge.ts'
import { planQuestionTimes } from './question-times.ts'
import type { QuestionsSummary } from './summary.ts'
import {
  type Change,
  startTopics,
  summarizeTopics,
  type TopicCount,
  type TopicTally,
} from './topics.ts'
import { createUntestedSearch } from './untested.ts'

/** A question that was kept, and how often exactly this one was asked. */
export type RecordedQuestion = Pick<KeptRequest, 'request' | 'leftOut'> & {
  readonly topic: string
  /** The device that it is about. */
  readonly deviceId: string
  readonly asked: number
  /** When it was asked last. */
  readonly askedAt: Date
}

/** Answers recorded questions again, one after the other. */
export type QuestionReplay = {
  /** How often each question is answered at most: now and later. */
  readonly timesEach: number
  /** `record`: what is on record of the device now, if it still is. */
  readonly add: (question: RecordedQuestion, record: TrustRecord | undefined) => void
  /** Of what was added so far; the order does not matter. */
  readonly summary: () => QuestionsSummary
}

/**
 * Replays questions under what is in force and under a candidate, by the assessment that decisions are
 * made by, with what relieves their devices.
 */
export function createQuestionReplay(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  /** What may keep access open for a device; without it nothing. */
  readonly reliefsOf?: ((record: Attested) => BothReliefs) | undefined
  readonly now: Date
  readonly topics: readonly TopicCount[]
}): QuestionReplay {
  const { inForce, candidate, now, reliefsOf } = input
  const topics = startTopics(input.topics)
  const untested = createUntestedSearch(candidate.policy)
  const untestedNow = createUntestedSearch(inForce.policy)
  const times = planQuestionTimes(input)
  /** Devices that lose a question and nothing else, at first and later. */
  const losing = new Set<string>()
  const losingLater = new Set<string>()
  let laterFrom: Date | undefined

  const answer = (record: TrustRecord, request: EvaluationRequest, at: Date): Answered => {
    const then = isAttested(record) ? shift(record, at.getTime() - now.getTime()) : record
    const reliefs = isAttested(record) ? reliefsOf?.(record) : undefined
    const asked = { record: then, request, now: at }
    const before = assess({ ...inForce, ...asked, reliefs: reliefs?.before })
    const like =
      inForce.referenceValues === candidate.referenceValues
        ? { policy: inForce.policy, assessment: before }
        : undefined
    const after = assess({ ...candidate, ...asked, reliefs: reliefs?.after, like })
    untested.add({ device: record, request, now: at }, after.clauseOutcomes)
    return { at, change: changeOf(before, after), after }
  }

  return {
    timesEach: times.count,
    add({ topic, deviceId, asked, askedAt, request, leftOut }, record) {
      const tally = topics.get(topic)
      if (tally === undefined || record === undefined) return
      if (untested.reads(leftOut) || untestedNow.reads(leftOut)) return
      const [first, ...later] = times.of(askedAt).map((at) => answer(record, request, at))
      if (first === undefined) return
      tally.counts[first.change] += asked
      if (isRequestLoss(first)) losing.add(deviceId)
      if (first.change === 'newly_denied') return noteReasons(tally, { asked, deviceId, ...first })
      const loss = later.find(isRequestLoss)
      if (loss === undefined) return
      tally.deniedLater += asked
      losingLater.add(deviceId)
      if (laterFrom === undefined || loss.at < laterFrom) laterFrom = loss.at
    },
    summary() {
      const alone = [...losingLater].filter((id) => !losing.has(id))
      const { weekly } = times
      return summarizeTopics([...topics.values()], {
        ...{ now, weekly, laterFrom, losing: losing.size, losingLater: alone.length },
        untested: untested.found(),
      })
    },
  }
}

type Answered = { readonly at: Date; readonly change: Change; readonly after: Assessment }

/** The device stays trusted, so that the replay of the fleet does not see the loss. */
function isRequestLoss({ change, after }: Answered): boolean {
  return change === 'newly_denied' && after.verdict === 'trusted'
}

function noteReasons(
  { clauses }: TopicTally,
  { after, asked, deviceId }: Answered & { readonly asked: number; readonly deviceId: string },
): void {
  for (const reason of reasonsToDeny(after)) {
    const name = 'clause' in reason ? reason.clause : reason.code
    const clause = clauses.get(name) ?? { asked: 0, devices: new Set<string>() }
    clauses.set(name, clause)
    clause.asked += asked
    clause.devices.add(deviceId)
  }
}

function changeOf(before: Assessment, after: Assessment): Change {
  const was = reasonsToDeny(before).length === 0
  const is = reasonsToDeny(after).length === 0
  if (was) return is ? 'still_allowed' : 'newly_denied'
  return is ? 'newly_allowed' : 'still_denied'
}
