import {
  answerUnreadable,
  type EvaluationsRequest,
  endsBatch,
} from '../../access/evaluations-request.ts'
import type { Answer, AnswerSource, Asked } from './question.ts'

type Batch = Extract<EvaluationsRequest, { readonly kind: 'batch' }>

/**
 * Answers the questions of a batch (AuthZEN §7) in their order, from whatever source, until its
 * semantic ends it. All devices are read in one statement. What is wrong with one question is told
 * in its place, so that a batch as such is never refused. Faults of the store throw.
 */
export async function answerBatch(
  source: AnswerSource,
  { items, semantic }: Batch,
  asked: Asked,
): Promise<readonly (Answer | ReturnType<typeof answerUnreadable>)[]> {
  const questions = await Promise.all(
    items.map((item) => (item.ok ? source.read(item.value) : item)),
  )
  const readable = questions.flatMap((question) => (question.ok ? [question.value] : []))
  const answers = await source.begin(readable, asked)
  const told: (Answer | ReturnType<typeof answerUnreadable>)[] = []
  for (const question of questions) {
    const answered = question.ok ? await answers.answer(question.value) : undefined
    if (!question.ok) told.push(answerUnreadable(question.failure))
    else if (answered !== undefined) {
      told.push(answered.ok ? answered.value : answered.failure.answer)
    }
    if (endsBatch(semantic, told.at(-1)?.decision === true)) break
  }
  await answers.end()
  return told
}
