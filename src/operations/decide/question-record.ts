import { beginOfPeriod } from '../../store/schema/partitioned.ts'
import type { QuestionsToRecord } from '../../store/system/questions.ts'
import {
  type AnsweredQuestion,
  addQuestion,
  type ClientSample,
  forgetContent,
  type LookBudget,
  QUESTION_LIMITS,
  startSample,
  takeQuestions,
} from './question-sample.ts'

/**
 * A sample of the questions that this process answers, to be replayed by previews. It is gathered in
 * memory and written by somebody else, so that no answer waits for it.
 */
export type QuestionRecord = {
  /** Counts a question about a device on record, and keeps it where it is in the sample. */
  readonly note: (question: AnsweredQuestion) => void
  /** Whether something was noted that has waited for long enough. */
  readonly isDue: (now: Date) => boolean
  /**
   * What is to be written, in portions. How often questions were asked is not given again: if a portion cannot
   * be written, that is missing from the record and nothing else.
   */
  readonly take: (now: Date) => readonly QuestionsToRecord[]
  /** That a portion was written: the content of its questions needs no telling again. */
  readonly confirm: (written: QuestionsToRecord) => void
}

/** API clients whose questions a process records. */
const MAX_CLIENTS = 16
/** Questions that are looked into between two writings, each for some microseconds. */
const LOOKED_INTO = 2_000
const PORTION = 500
const DUE_AFTER_MS = 5_000

/** `days` is 0 where no questions are kept: then nothing is even counted. */
export function createQuestionRecord({ days }: { readonly days: number }): QuestionRecord {
  if (days === 0) return { note() {}, isDue: () => false, take: () => [], confirm() {} }
  let day = startDay(new Date(0))
  let ended: readonly QuestionsToRecord[] = []
  let takenAt = Number.NEGATIVE_INFINITY
  return {
    note(question) {
      const period = beginOfPeriod('question', question.now)
      if (period.getTime() !== day.period.getTime()) {
        // Of days that nobody wrote only the last one is remembered.
        if (day.hasNews) ended = takeDay(day)
        day = startDay(period)
      }
      noteQuestion(day, question)
    },
    isDue: (now) =>
      (day.hasNews || ended.length > 0) && Math.abs(now.getTime() - takenAt) >= DUE_AFTER_MS,
    take(now) {
      takenAt = now.getTime()
      const taken = day.hasNews ? [...ended, ...takeDay(day)] : ended
      ended = []
      return taken
    },
    confirm: ({ questions }) => forgetContent(questions),
  }
}

type Day = {
  readonly period: Date
  readonly clients: Map<string, ClientSample>
  looks: LookBudget
  hasNews: boolean
}

function startDay(period: Date): Day {
  return { period, clients: new Map(), looks: { left: LOOKED_INTO }, hasNews: false }
}

function noteQuestion(day: Day, question: AnsweredQuestion): void {
  const client = findClient(day, question.clientId)
  if (client === undefined) return
  day.hasNews = true
  addQuestion(client, question, day.looks)
}

function findClient({ clients, period }: Day, clientId: string): ClientSample | undefined {
  const known = clients.get(clientId)
  if (known !== undefined || clients.size >= MAX_CLIENTS) return known
  const client = startSample(period)
  clients.set(clientId, client)
  return client
}

/** What was noted of the day since it was taken last, in portions of one client each. */
function takeDay(day: Day): readonly QuestionsToRecord[] {
  day.hasNews = false
  day.looks = { left: LOOKED_INTO }
  const taken: QuestionsToRecord[] = []
  for (const [clientId, client] of day.clients) {
    const questions = takeQuestions(client)
    for (let first = 0; first < questions.length; first += PORTION) {
      const portion = questions.slice(first, first + PORTION)
      taken.push({ period: day.period, clientId, questions: portion, limits: QUESTION_LIMITS })
    }
  }
  return taken
}
