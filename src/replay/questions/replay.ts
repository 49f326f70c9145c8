import {
  type Assessment,
  assess,
  assessWithoutDevice,
  type Documents,
} from '../../access/assess.ts'
import { reasonsToDeny } from '../../access/decide.ts'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { type KeptRequest, NO_DEVICE_ID } from '../../access/kept-request.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { demandsDevice } from '../../policy/language/evaluate.ts'
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
  /** The device that it is about, or `NO_DEVICE_ID`. */
  readonly deviceId: string
  readonly asked: number
  /** When it was asked last. */
  readonly askedAt: Date
}

/** Answers recorded questions again, one after the other. */
export type QuestionReplay = {
  /** How often each question is answered at most: now and later. */
  readonly timesEach: number
  /**
   * `record`: what is on record of the device now, if it still is; `null` for a question that names none.
   * The request is completed with what the directory says now.
   */
  readonly add: (question: RecordedQuestion, record: TrustRecord | null | undefined) => void
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

  const answerOf = (record: TrustRecord | null, request: EvaluationRequest, at: Date) =>
    record === null ? answerWithoutDevice(request, at) : answer(record, request, at)
  const answerWithoutDevice = (request: EvaluationRequest, now: Date): Answered => {
    const before = judgeWithoutDevice(inForce, request, now)
    const after = judgeWithoutDevice(candidate, request, now)
    untested.add({ request, now }, after.clauseOutcomes)
    const denied = { before: before.reasons, after: after.reasons }
    return describeAnswer({ at: now, verdict: 'unknown', ...denied, isWithoutDevice: true })
  }
  const reliefsFor = (record: TrustRecord | null): BothReliefs | undefined =>
    record !== null && isAttested(record) ? reliefsOf?.(record) : undefined
  const answer = (record: TrustRecord, request: EvaluationRequest, at: Date): Answered => {
    const then = isAttested(record) ? shift(record, at.getTime() - now.getTime()) : record
    const reliefs = reliefsFor(record)
    const asked = { record: then, request, now: at }
    const before = assess({ ...inForce, ...asked, reliefs: reliefs?.before })
    // Whatever comes into force, a pin lets another version answer.
    if (reliefs?.pinnedUntil && at < reliefs.pinnedUntil) {
      const reasons = reasonsToDeny(before)
      const same = { before: reasons, after: reasons }
      return describeAnswer({ at, verdict: before.verdict, ...same, isWithoutDevice: false })
    }
    const like =
      inForce.referenceValues === candidate.referenceValues
        ? { policy: inForce.policy, assessment: before }
        : undefined
    const after = assess({ ...candidate, ...asked, reliefs: reliefs?.after, like })
    untested.add({ device: record, request, now: at }, after.clauseOutcomes)
    const denied = { before: reasonsToDeny(before), after: reasonsToDeny(after) }
    return describeAnswer({ at, verdict: after.verdict, ...denied, isWithoutDevice: false })
  }

  return {
    timesEach: times.count,
    add({ topic, deviceId, asked, askedAt, request, leftOut }, record) {
      const tally = topics.get(topic)
      if (tally === undefined || record === undefined) return
      if (untested.reads(leftOut) || untestedNow.reads(leftOut)) return
      const pinEnd = reliefsFor(record)?.pinnedUntil
      const asks = [...times.of(askedAt), ...(pinEnd ? [pinEnd] : [])]
      const [first, ...later] = asks.map((at) => answerOf(record, request, at))
      if (first === undefined) return
      tally.counts[first.change] += asked
      if (record === null) tally.withoutDevice[first.change] += asked
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

type Answered = {
  readonly at: Date
  readonly change: Change
  readonly verdict: Assessment['verdict']
  /** Why the candidate denies it: ids of clauses, or codes of other reasons. */
  readonly reasons: readonly string[]
  readonly isWithoutDevice: boolean
}

/**
 * The device stays trusted, so that the replay of the fleet does not see the loss; or there is no device,
 * and all that is lost without one counts as the loss of one, so that somebody has to accept it.
 */
function isRequestLoss({ change, verdict, isWithoutDevice }: Answered): boolean {
  return change === 'newly_denied' && (isWithoutDevice || verdict === 'trusted')
}

/** What a decision would come to without a device: where one is demanded, it is missing. */
function judgeWithoutDevice(
  { policy }: Documents,
  request: EvaluationRequest,
  now: Date,
): JudgedWithoutDevice {
  return demandsDevice(policy, request)
    ? DEVICE_MISSING
    : assessWithoutDevice(policy, { request, now })
}

type JudgedWithoutDevice = Pick<Assessment, 'clauseOutcomes'> & {
  readonly reasons: readonly Reason[]
}

const DEVICE_MISSING: JudgedWithoutDevice = {
  reasons: [{ code: 'device_not_named' }],
  clauseOutcomes: [],
}

function noteReasons(
  { clauses }: TopicTally,
  { reasons, asked, deviceId }: Answered & { readonly asked: number; readonly deviceId: string },
): void {
  for (const name of reasons) {
    const clause = clauses.get(name) ?? { asked: 0, devices: new Set<string>() }
    clauses.set(name, clause)
    clause.asked += asked
    if (deviceId !== NO_DEVICE_ID) clause.devices.add(deviceId)
  }
}

type Reason = { readonly code: string; readonly clause?: string }

/** Of the reasons to deny under both; none is a grant. */
function describeAnswer({
  before,
  after,
  ...answer
}: Omit<Answered, 'change' | 'reasons'> & {
  readonly before: readonly Reason[]
  readonly after: readonly Reason[]
}): Answered {
  const reasons = after.map(({ clause, code }) => clause ?? code)
  return { ...answer, reasons, change: changeOf(before.length === 0, after.length === 0) }
}

function changeOf(was: boolean, is: boolean): Change {
  if (was) return is ? 'still_allowed' : 'newly_denied'
  return is ? 'newly_allowed' : 'still_denied'
}
