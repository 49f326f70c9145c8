import { plural } from '../../base/words.ts'
import type {
  QuestionClause,
  QuestionsSummary,
  TopicSummary,
  UntestedClause,
} from '../../replay/questions/summary.ts'
import { count, percent } from '../framework/numbers.ts'
import { renderTable } from '../framework/table.ts'

const LISTED_ROWS = 8

/** What a preview found of questions that were really asked, for people; a part may be empty. */
export function describeQuestions(summary: QuestionsSummary): readonly string[] {
  return [
    describeTotals(summary),
    describeTopics(summary),
    describeWithoutDevice(summary),
    describeLater(summary),
    describeClauses(summary.by_clause),
    describeUntested(summary.untested),
  ]
}

function describeTotals({ asked, replayed, newly_denied, days }: QuestionsSummary): string {
  if (asked === 0) {
    return 'No question is on record, so what this does to requests was not tested (QUESTIONS_DAYS).'
  }
  const kept = replayed === asked ? '' : ` (${count(replayed)} of them answered again)`
  const { questions, devices } = newly_denied
  const denied = `Of ${questionsOf(asked)} in ${daysOf(days)}${kept} ${count(questions)} would be newly denied`
  if (devices === 0) return `${denied}.`
  const losing = `${plural(devices, 'device')} that would stay trusted ${devices === 1 ? 'loses' : 'lose'}`
  return `${denied}. ${losing} something that was asked for.`
}

function describeTopics({ by_topic, days }: QuestionsSummary): string {
  const changed = by_topic.filter((topic) => topic.newly_denied + topic.newly_allowed > 0)
  if (changed.length === 0) return ''
  const sentences = changed
    .filter(({ newly_denied }) => newly_denied > 0)
    .slice(0, LISTED_ROWS)
    .map((topic) => describeTopic(topic, days))
  const rows = changed
    .slice(0, LISTED_ROWS)
    .map((topic) => [
      nameTopic(topic),
      count(topic.asked),
      count(topic.newly_denied),
      percent(topic.newly_denied, topic.asked),
      count(topic.still_denied),
      count(topic.newly_allowed),
    ])
  const head = ['question', 'asked', 'newly denied', 'share', 'denied now too', 'newly allowed']
  const left = changed.length - LISTED_ROWS
  const more = left > 0 ? `\n… and ${left} more (--json lists them)` : ''
  return (
    [...sentences, ...(sentences.length > 0 ? [''] : []), renderTable(head, rows)].join('\n') + more
  )
}

/** Summaries that were stored by versions before have no such count. */
function describeWithoutDevice({ without_device: counted }: QuestionsSummary): string {
  const { questions, allowed, newly_denied } = counted ?? NONE_WITHOUT
  if (questions === 0) return ''
  const lost = newly_denied === 0 ? '' : `, and ${count(newly_denied)} newly denied`
  return `${questionsOf(questions)} named no device: ${count(allowed)} would be granted without one${lost}.`
}

const NONE_WITHOUT = { questions: 0, allowed: 0, newly_denied: 0 }

function describeTopic(
  { asked, replayed, newly_denied, ...topic }: TopicSummary,
  days: number,
): string {
  const about = topic.resource_id ?? topic.resource_type ?? 'everything else'
  const isExact = replayed === asked || newly_denied === asked
  const denied = `${isExact ? '' : 'about '}${count(newly_denied)} would be denied`
  return `Of ${questionsOf(asked)} about ${about} in ${daysOf(days)} ${denied}.`
}

function nameTopic({ action, resource_type, resource_id }: TopicSummary): string {
  if (action === null) return '(all others)'
  return `${action} ${resource_type} ${resource_id ?? '(others)'}`
}

function describeLater({ denied_later, weekly }: QuestionsSummary): string {
  const { questions, devices, from } = denied_later
  const how = weekly
    ? 'Each question was answered as if it were asked again in the week to come, on the same day and at the same time.'
    : ''
  if (from === null) return how
  const whose = devices === 1 ? '1 device that loses' : `${count(devices)} devices that lose`
  const later = `From ${from} on ${questionsOf(questions)} would be denied, of ${whose} nothing before.`
  return how === '' ? later : `${later}\n${how}`
}

function describeClauses(clauses: readonly QuestionClause[]): string {
  if (clauses.length === 0) return ''
  const rows = clauses
    .slice(0, LISTED_ROWS)
    .map(({ clause, questions, devices, examples }) => [
      clause,
      count(questions),
      count(devices),
      examples.slice(0, 1).join(' '),
    ])
  const left = clauses.length - LISTED_ROWS
  const more = left > 0 ? `\n… and ${left} more (--json lists them)` : ''
  return renderTable(['newly denied by', 'questions', 'devices', 'such as'], rows) + more
}

function describeUntested(untested: readonly UntestedClause[]): string {
  if (untested.length === 0) return ''
  return ['Not tested on anything:', ...untested.map((one) => `  ${describeOne(one)}`)].join('\n')
}

function describeOne({ clause, why, what }: UntestedClause): string {
  switch (why) {
    case 'no_questions':
      return `${clause} asks about requests, and no question is on record.`
    case 'never_applies':
      return `${clause}: its "when" holds for no recorded question.`
    case 'never_said':
      return `${clause} reads ${what.join(', ')}, which no recorded question has.`
    case 'never_met':
      return `${clause} asks ${what.join(', ')}, which no recorded question meets.`
  }
}

function questionsOf(questions: number): string {
  return plural(questions, 'question')
}

function daysOf(days: number): string {
  return days === 1 ? 'one day' : `${count(days)} days`
}
