import { keepExample, shareOf } from '../preview/clause-changes.ts'
import { compareKeys } from '../preview/tally.ts'
import { LISTED_CLAUSES, LISTED_TOPICS } from './limits.ts'
import type { QuestionClause, QuestionsSummary, QuestionTopic, TopicSummary } from './summary.ts'

/** How often questions about one topic were asked, kept or not. */
export type TopicCount = QuestionTopic & {
  /** Names the topic. */
  readonly topic: string
  readonly asked: number
  /** The beginning of the first day on which it was. */
  readonly since: Date
}

/** How the answer to a question changes. */
export type Change = 'newly_denied' | 'newly_allowed' | 'still_allowed' | 'still_denied'

const NO_CHANGES: Readonly<Record<Change, number>> = {
  newly_denied: 0,
  newly_allowed: 0,
  still_allowed: 0,
  still_denied: 0,
}

const DAY_MS = 86_400_000

/** What the replay of one topic has come to so far. */
export type TopicTally = {
  readonly about: QuestionTopic
  asked: number
  since: Date
  readonly counts: Record<Change, number>
  /** Of these, what named no device. */
  readonly withoutDevice: Record<Change, number>
  deniedLater: number
  /** Of newly denied questions that were replayed. */
  readonly clauses: Map<string, { asked: number; readonly devices: Set<string> }>
}

/** Several clients may ask about one topic. */
export function startTopics(counts: readonly TopicCount[]): ReadonlyMap<string, TopicTally> {
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
      counts: { ...NO_CHANGES },
      withoutDevice: { ...NO_CHANGES },
      deniedLater: 0,
      clauses: new Map(),
    })
  }
  return topics
}

/** The whole summary, of what each topic came to. */
export function summarizeTopics(
  topics: readonly TopicTally[],
  found: {
    readonly now: Date
    readonly weekly: boolean
    readonly laterFrom: Date | undefined
    readonly losing: number
    readonly losingLater: number
    readonly untested: QuestionsSummary['untested']
  },
): QuestionsSummary {
  const { now, weekly, untested } = found
  const rows = topics.map(weigh)
  const sum = (pick: (row: WeighedTopic) => number) =>
    rows.reduce((total, row) => total + pick(row), 0)
  const asked = sum(({ told }) => told.asked)
  const newlyDenied = sum(({ told }) => told.newly_denied)
  const since = topics.reduce<Date | null>(
    (first, topic) => (first === null || topic.since < first ? topic.since : first),
    null,
  )
  return {
    since: since?.toISOString() ?? null,
    days: since === null ? 0 : Math.ceil((now.getTime() - since.getTime() + 1) / DAY_MS),
    asked,
    replayed: sum(({ told }) => told.replayed),
    newly_denied: {
      questions: newlyDenied,
      share: shareOf(newlyDenied, asked),
      devices: found.losing,
    },
    denied_later: {
      questions: sum((row) => row.deniedLater),
      devices: found.losingLater,
      from: found.laterFrom?.toISOString() ?? null,
    },
    weekly,
    newly_allowed: sum(({ told }) => told.newly_allowed),
    still_allowed: sum((row) => row.stillAllowed),
    still_denied: sum(({ told }) => told.still_denied),
    not_replayed: sum((row) => row.notReplayed),
    without_device: {
      questions: sum((row) => row.withoutDevice.questions),
      allowed: sum((row) => row.withoutDevice.allowed),
      newly_denied: sum((row) => row.withoutDevice.newly_denied),
    },
    by_topic: rows
      .map(({ told }) => told)
      .sort(compareTopics)
      .slice(0, LISTED_TOPICS),
    by_clause: listClauses(rows),
    untested,
  }
}

type WeighedTopic = {
  readonly told: TopicSummary
  readonly stillAllowed: number
  readonly notReplayed: number
  readonly deniedLater: number
  readonly withoutDevice: NonNullable<QuestionsSummary['without_device']>
  readonly clauses: readonly (readonly [string, number, ReadonlySet<string>])[]
}

/** What was replayed stands for all that was asked about the topic. */
function weigh({
  about,
  asked,
  counts,
  withoutDevice,
  deniedLater,
  clauses,
}: TopicTally): WeighedTopic {
  const replayed = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const weight = replayed === 0 ? 0 : asked / replayed
  const of = (count: number, most = asked) => Math.min(most, Math.round(count * weight))
  // Each takes what those before it left, so that rounding makes no question more or less.
  const denied = of(counts.newly_denied)
  const allowed = of(counts.newly_allowed, asked - denied)
  const still = of(counts.still_denied, asked - denied - allowed)
  return {
    told: {
      ...about,
      asked,
      replayed,
      newly_denied: denied,
      newly_allowed: allowed,
      still_denied: still,
    },
    stillAllowed: replayed === 0 ? 0 : asked - denied - allowed - still,
    notReplayed: replayed === 0 ? asked : 0,
    deniedLater: of(deniedLater),
    withoutDevice: {
      questions: of(Object.values(withoutDevice).reduce((total, count) => total + count, 0)),
      allowed: of(withoutDevice.newly_allowed + withoutDevice.still_allowed),
      newly_denied: of(withoutDevice.newly_denied),
    },
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
