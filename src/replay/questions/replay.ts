import { type Assessment, assess, type Documents } from '../../access/assess.ts'
import { reasonsToDeny } from '../../access/decide.ts'
import type { KeptRequest } from '../../access/kept-request.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { keepExample, shareOf } from '../preview/clause-changes.ts'
import { compareKeys } from '../preview/tally.ts'
import { LISTED_CLAUSES, LISTED_TOPICS } from './limits.ts'
import type { QuestionClause, QuestionsSummary, QuestionTopic, TopicSummary } from './summary.ts'
import { createUntestedSearch } from './untested.ts'

/** How often questions about one topic were asked, kept or not. */
export type TopicCount = QuestionTopic & {
  /** Names the topic. */
  readonly topic: string
  readonly asked: number
  /** The beginning of the first day on which it was. */
  readonly since: Date
}

/** A question that was kept, and how often exactly this one was asked. */
export type RecordedQuestion = Pick<KeptRequest, 'request' | 'leftOut'> & {
  readonly topic: string
  /** The device that it is about. */
  readonly deviceId: string
  readonly asked: number
}

/** Answers recorded questions again, one after the other. */
export type QuestionReplay = {
  /** `record`: what is on record of the device now, if it still is. */
  readonly add: (question: RecordedQuestion, record: TrustRecord | undefined) => void
  /** Of what was added so far; the order does not matter. */
  readonly summary: () => QuestionsSummary
}

const DAY_MS = 86_400_000

/**
 * Replays questions under what is in force and under a candidate, by the assessment that decisions are
 * made by. Nothing is relieved, as in the replay of the fleet beside it.
 */
export function createQuestionReplay(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly now: Date
  readonly topics: readonly TopicCount[]
}): QuestionReplay {
  const { inForce, candidate, now } = input
  const topics = startTopics(input.topics)
  const untested = createUntestedSearch(candidate.policy)
  const untestedNow = createUntestedSearch(inForce.policy)
  /** Devices that lose a question and nothing else. */
  const losing = new Set<string>()

  return {
    add({ topic, deviceId, asked, request, leftOut }, record) {
      const tally = topics.get(topic)
      if (tally === undefined || record === undefined) return
      if (untested.reads(leftOut) || untestedNow.reads(leftOut)) return
      const before = assess({ ...inForce, record, request, now })
      const like =
        inForce.referenceValues === candidate.referenceValues
          ? { policy: inForce.policy, assessment: before }
          : undefined
      const after = assess({ ...candidate, record, request, now, like })
      const change = changeOf(before, after)
      tally.counts[change] += asked
      untested.add({ device: record, request, now }, after.clauseOutcomes)
      if (change !== 'newly_denied') return
      if (after.verdict === 'trusted') losing.add(deviceId)
      for (const reason of reasonsToDeny(after)) {
        const name = 'clause' in reason ? reason.clause : reason.code
        const clause = tally.clauses.get(name) ?? { asked: 0, devices: new Set<string>() }
        tally.clauses.set(name, clause)
        clause.asked += asked
        clause.devices.add(deviceId)
      }
    },
    summary: () => summarize([...topics.values()], { now, losing, untested: untested.found() }),
  }
}

type Change = 'newly_denied' | 'newly_allowed' | 'still_allowed' | 'still_denied'

function changeOf(before: Assessment, after: Assessment): Change {
  const was = reasonsToDeny(before).length === 0
  const is = reasonsToDeny(after).length === 0
  if (was) return is ? 'still_allowed' : 'newly_denied'
  return is ? 'newly_allowed' : 'still_denied'
}

type TopicTally = {
  readonly about: QuestionTopic
  asked: number
  since: Date
  readonly counts: Record<Change, number>
  /** Of newly denied questions that were replayed. */
  readonly clauses: Map<string, { asked: number; readonly devices: Set<string> }>
}

/** Several clients may ask about one topic. */
function startTopics(counts: readonly TopicCount[]): ReadonlyMap<string, TopicTally> {
  const topics = new Map<string, TopicTally>()
  for (const { topic, asked, since, action, resource_type, resource_id } of counts) {
    const known = topics.get(topic)
    if (known !== undefined) {
      known.asked += asked
      if (since < known.since) known.since = since
      continue
    }
    topics.set(topic, {
      about: { action, resource_type, resource_id },
      asked,
      since,
      counts: { newly_denied: 0, newly_allowed: 0, still_allowed: 0, still_denied: 0 },
      clauses: new Map(),
    })
  }
  return topics
}

function summarize(
  topics: readonly TopicTally[],
  input: {
    readonly now: Date
    readonly losing: ReadonlySet<string>
    readonly untested: QuestionsSummary['untested']
  },
): QuestionsSummary {
  const { now, losing, untested } = input
  const rows = topics.map(weigh)
  const sum = (pick: (row: WeighedTopic) => number) =>
    rows.reduce((total, row) => total + pick(row), 0)
  const asked = sum((row) => row.asked)
  const newlyDenied = sum((row) => row.newly_denied)
  const since = topics.reduce<Date | null>(
    (first, topic) => (first === null || topic.since < first ? topic.since : first),
    null,
  )
  return {
    since: since?.toISOString() ?? null,
    days: since === null ? 0 : Math.ceil((now.getTime() - since.getTime() + 1) / DAY_MS),
    asked,
    replayed: sum((row) => row.replayed),
    newly_denied: {
      questions: newlyDenied,
      share: shareOf(newlyDenied, asked),
      devices: losing.size,
    },
    newly_allowed: sum((row) => row.newly_allowed),
    still_allowed: sum((row) => row.still_allowed),
    still_denied: sum((row) => row.still_denied),
    not_replayed: sum((row) => row.not_replayed),
    by_topic: rows
      .map(({ clauses: _, still_allowed: __, not_replayed: ___, ...row }) => row)
      .sort(compareTopics)
      .slice(0, LISTED_TOPICS),
    by_clause: listClauses(rows),
    untested,
  }
}

type WeighedTopic = TopicSummary & {
  readonly still_allowed: number
  readonly not_replayed: number
  readonly clauses: readonly (readonly [string, number, ReadonlySet<string>])[]
}

/** What was replayed stands for all that was asked about the topic. */
function weigh({ about, asked, counts, clauses }: TopicTally): WeighedTopic {
  const replayed = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const weight = replayed === 0 ? 0 : asked / replayed
  const of = (count: number, most = asked) => Math.min(most, Math.round(count * weight))
  // Each takes what those before it left, so that rounding makes no question more or less.
  const denied = of(counts.newly_denied)
  const allowed = of(counts.newly_allowed, asked - denied)
  const still = of(counts.still_denied, asked - denied - allowed)
  return {
    ...about,
    asked,
    replayed,
    newly_denied: denied,
    newly_allowed: allowed,
    still_denied: still,
    still_allowed: replayed === 0 ? 0 : asked - denied - allowed - still,
    not_replayed: replayed === 0 ? asked : 0,
    clauses: [...clauses].map(([name, one]) => [name, of(one.asked), one.devices]),
  }
}

function listClauses(rows: readonly WeighedTopic[]): readonly QuestionClause[] {
  const clauses = new Map<string, { questions: number; readonly devices: Set<string> }>()
  for (const [name, questions, devices] of rows.flatMap((row) => row.clauses)) {
    const clause = clauses.get(name) ?? { questions: 0, devices: new Set<string>() }
    clauses.set(name, clause)
    clause.questions += questions
    for (const id of devices) clause.devices.add(id)
  }
  return [...clauses]
    .map(([clause, { questions, devices }]) => {
      return { clause, questions, devices: devices.size, examples: exampleOf(devices) }
    })
    .sort((a, b) => b.questions - a.questions || compareKeys(a.clause, b.clause))
    .slice(0, LISTED_CLAUSES)
}

function exampleOf(devices: ReadonlySet<string>): readonly string[] {
  const examples: string[] = []
  for (const id of devices) keepExample(examples, id)
  return examples
}

function compareTopics(a: TopicSummary, b: TopicSummary): number {
  return (
    b.newly_denied - a.newly_denied ||
    b.asked - a.asked ||
    compareKeys(a.action, b.action) ||
    compareKeys(a.resource_type, b.resource_type) ||
    compareKeys(a.resource_id, b.resource_id)
  )
}
