import { sql } from 'drizzle-orm'
import type { KeptRequest } from '../../access/kept-request.ts'
import { type Database, prepareChange, rowsOf } from '../drivers/database.ts'
import { encodeJson } from '../json.ts'
import { type QuestionTopic, question } from '../schema/system-schema.ts'

export type { QuestionTopic } from '../schema/system-schema.ts'

/** A sample of the questions that were asked, for previews to replay. */
export type Questions = {
  /**
   * Adds what one process noted; nothing goes past `limits`, however many processes write. Answers with
   * how many of the questions were kept anew; the others are counted. Said twice, it counts twice.
   */
  readonly recordQuestions: (input: QuestionsToRecord) => Promise<number>
  /** How often questions about each topic were asked, over all days and clients. */
  readonly questionTopics: () => Promise<readonly CountedTopic[]>
  /** Kept questions: of each topic those of the lowest ranks, and of all topics alike many at most. */
  readonly keptQuestions: (limits: KeptQuestionsLimits) => Promise<readonly KeptQuestion[]>
  /** Removes all of it; answers with how many rows. */
  readonly forgetQuestions: () => Promise<number>
}

export type QuestionsToRecord = {
  /** The beginning of the day. */
  readonly period: Date
  readonly clientId: string
  readonly questions: readonly QuestionToRecord[]
  readonly limits: QuestionLimits
}

/** Of one day. `topics` and `perClient` are those of one API client. */
export type QuestionLimits = Readonly<
  Record<'perShape' | 'perDevice' | 'perTopic' | 'topics' | 'perClient' | 'total', number>
>

export type QuestionToRecord = {
  readonly topic: string
  readonly about: QuestionTopic
  /** Empty where the row only counts. */
  readonly deviceId: string
  readonly sample: string
  readonly shape: string
  readonly rank: number
  /** Since it was told last. */
  readonly asked: number
  readonly at: Date
  /** `null` where the row only counts, or was written before. */
  readonly request: KeptRequest['request'] | null
  readonly leftOut: KeptRequest['leftOut'] | null
}

export type CountedTopic = {
  readonly topic: string
  readonly about: QuestionTopic
  readonly asked: number
  /** The beginning of the first day. */
  readonly since: Date
}

export type KeptQuestionsLimits = { readonly perTopic: number; readonly most: number }

export type KeptQuestion = Pick<KeptRequest, 'request' | 'leftOut'> & {
  readonly topic: string
  readonly deviceId: string
  readonly asked: number
  /** When it was asked last. */
  readonly askedAt: Date
}

const RECORD = ['p_period', 'p_client_id', 'p_questions', 'p_limits'] as const

export function prepareQuestions(db: Database): Questions {
  const record = prepareChange<(typeof RECORD)[number], string>(db, 'record_questions', RECORD)
  return {
    async recordQuestions({ period, clientId, questions, limits }) {
      const kept = await record({
        p_period: period.toISOString(),
        p_client_id: clientId,
        p_questions: encodeJson(questions.map(encodeQuestion)),
        p_limits: JSON.stringify(limits),
      })
      return Number(kept)
    },
    async questionTopics() {
      const answer: unknown = await db.execute(sql`
        select ${question.topic}, min(${question.about}::text) as about,
          sum(${question.asked})::double precision as asked,
          date_part('epoch', min(${question.period})) * 1000 as since
        from ${question} group by ${question.topic}`)
      return rowsOf<{ topic: string; about: string; asked: number; since: number }>(answer).map(
        ({ topic, about, asked, since }) => {
          return { topic, about: JSON.parse(about), asked, since: new Date(Math.round(since)) }
        },
      )
    },
    async keptQuestions({ perTopic, most }) {
      const answer: unknown = await db.execute(sql`
        select topic, device_id as "deviceId", asked::double precision as asked,
          date_part('epoch', asked_at) * 1000 as "askedAt", request::text as request, left_out::text as "leftOut"
        from (
          select topic, device_id, asked, asked_at, request, left_out,
            row_number() over (partition by topic order by rank, device_id, sample, period) as place
          from ${question} where ${question.request} is not null
        ) as placed
        where place <= ${perTopic} order by place, topic limit ${most}`)
      return rowsOf<KeptRow>(answer).map(({ request, leftOut, askedAt, ...row }) => ({
        ...row,
        askedAt: new Date(Math.round(askedAt)),
        request: JSON.parse(request),
        leftOut: JSON.parse(leftOut ?? '[]'),
      }))
    },
    async forgetQuestions() {
      const answer: unknown = await db.execute(sql`delete from ${question} returning 1`)
      return rowsOf(answer).length
    },
  }
}

/** Times in milliseconds of the epoch, documents as JSON text. */
type KeptRow = Pick<KeptQuestion, 'topic' | 'deviceId' | 'asked'> & {
  readonly askedAt: number
  readonly request: string
  readonly leftOut: string | null
}

function encodeQuestion(question: QuestionToRecord) {
  const { topic, about, deviceId, sample, shape, rank, asked, at, request, leftOut } = question
  return {
    ...{ topic, about, sample, shape, rank, asked, request },
    device_id: deviceId,
    asked_at: at.toISOString(),
    left_out: leftOut,
  }
}
