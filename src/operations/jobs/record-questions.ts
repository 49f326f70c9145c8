import { describeFault, type Log } from '../../base/log.ts'
import type { Store } from '../../store/store.ts'
import type { QuestionRecord } from '../decide/question-record.ts'

export type RecordQuestionsDependencies = {
  readonly store: Pick<Store, 'recordQuestions'>
  readonly questions: Pick<QuestionRecord, 'take' | 'confirm'>
  readonly log: Log
  readonly clock: () => Date
}

/**
 * Writes the sample of the questions that this process has answered since the last time. Nothing hangs on
 * it: what cannot be written is logged as `questions_lost`, and is missing from previews.
 */
export async function recordQuestions({
  store,
  questions,
  log,
  clock,
}: RecordQuestionsDependencies): Promise<void> {
  let lost = 0
  let fault: unknown
  for (const portion of questions.take(clock())) {
    try {
      await store.recordQuestions(portion)
      questions.confirm(portion)
    } catch (error) {
      fault = error
      lost += portion.questions.reduce((sum, { asked }) => sum + asked, 0)
    }
  }
  if (lost > 0) log.error('questions_lost', { questions: lost, ...describeFault(fault) })
}
