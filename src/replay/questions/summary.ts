/**
 * What a document would have answered to questions that were really asked, as it is stored and printed
 * with the preview of the document. Questions are answered again over what is on record of their devices
 * now; they are counted by how often they were asked, and where of a topic not every question was kept,
 * the kept ones stand for all. Shares are of `asked`, from 0 to 1.
 *
 *   asked = newly_denied.questions + newly_allowed + still_allowed + still_denied + not_replayed
 *
 * Whom `denied_later` counts is in one of these too, as it is at first.
 */
export type QuestionsSummary = {
  /** ISO 8601: the beginning of the oldest day of which questions are kept; `null` where none are. */
  readonly since: string | null
  /** Days from then to the preview, the first and the last counted whole. */
  readonly days: number
  /** Questions about devices on record, or without a device, that were asked since. */
  readonly asked: number
  /** Of them, those that were kept and answered again. */
  readonly replayed: number
  readonly newly_denied: {
    readonly questions: number
    readonly share: number
    /**
     * Devices that would stay trusted and have a kept question newly denied: they are losses beside the
     * newly denied devices, and none is counted in both.
     */
    readonly devices: number
  }
  /**
   * Asked again at a later time that clauses about requests name, such as `enforce_from`, they would be
   * allowed by what is in force and denied by a clause of the candidate; not at first.
   */
  readonly denied_later: {
    readonly questions: number
    /** Devices that lose nothing at first: they are losses too. */
    readonly devices: number
    /** ISO 8601: the first time at which one would be denied; `null` where none would. */
    readonly from: string | null
  }
  /**
   * Clauses about requests go by the hour or the day: each question is answered as if it were asked again in
   * the week to come, on the day of the week and at the time at which it was asked last.
   */
  readonly weekly: boolean
  readonly newly_allowed: number
  readonly still_allowed: number
  /** Denied under both; their devices, or their requests. */
  readonly still_denied: number
  /** Of topics of which nothing was kept that could be answered again. */
  readonly not_replayed: number
  /** Of all of these, the questions that named no device. Absent in summaries of versions before. */
  readonly without_device?: {
    readonly questions: number
    /** The candidate would allow them: nobody looks at a device. */
    readonly allowed: number
    /** Together they count as one of `newly_denied.devices`. */
    readonly newly_denied: number
  }
  /** Those with the most newly denied questions first. */
  readonly by_topic: readonly TopicSummary[]
  /** Why questions are newly denied; one that fails several clauses is counted under each of them. */
  readonly by_clause: readonly QuestionClause[]
  /** Clauses of the candidate that ask of requests what no kept question has. */
  readonly untested: readonly UntestedClause[]
}

export type TopicSummary = QuestionTopic & {
  readonly asked: number
  readonly replayed: number
  readonly newly_denied: number
  readonly newly_allowed: number
  readonly still_denied: number
}

/** What questions are about. Topics beyond what is told apart have no id, and last no names at all. */
export type QuestionTopic = {
  readonly action: string | null
  readonly resource_type: string | null
  readonly resource_id: string | null
}

export type QuestionClause = {
  /** Id of a clause, or the code of another reason. */
  readonly clause: string
  readonly questions: number
  /** Devices of kept questions. */
  readonly devices: number
  /** The first few in the order of device ids. */
  readonly examples: readonly string[]
}

export const UNTESTED_WHYS = [
  /** No question is kept that could be answered again. */
  'no_questions',
  /** `when` holds for none. */
  'never_applies',
  /** It reads members that none has: `what` names them. */
  'never_said',
  /** It compares with what none has: `what` has the comparisons. */
  'never_met',
] as const

/** That a clause about requests was not tested on anything, or a part of it was not. */
export type UntestedClause = {
  readonly clause: string
  readonly why: (typeof UNTESTED_WHYS)[number]
  readonly what: readonly string[]
}
