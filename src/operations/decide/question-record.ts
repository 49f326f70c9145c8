import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { isSecretText, type KeptRequest, keepRequest } from '../../access/kept-request.ts'
import { digestText } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { spreadOf } from '../../base/spread.ts'
import type { QuestionTopic } from '../../replay/questions/summary.ts'
import { beginOfPeriod } from '../../store/schema/partitioned.ts'
import type { QuestionsToRecord, QuestionToRecord } from '../../store/system/questions.ts'

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

export type AnsweredQuestion = {
  readonly clientId: string
  readonly deviceId: string
  readonly request: EvaluationRequest
  readonly now: Date
}

/**
 * How much is kept of one day, whoever asks and whatever is asked: what goes past a limit is counted with
 * its topic, and topics past theirs are counted together. The store holds all processes to the same limits.
 */
export const QUESTION_LIMITS = {
  /** Different questions of one device and topic that have the same names and types of values. */
  perShape: 2,
  perDevice: 100,
  perTopic: 100,
  /** Topics of one API client. */
  topics: 200,
  perClient: 1_000,
  /** Questions of all clients. */
  total: 10_000,
} as const

/** API clients whose questions a process records. */
const MAX_CLIENTS = 16
/** A longer name, or one with the form of a secret, names no topic. */
const MAX_NAME_CHARS = 256
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
    confirm({ questions }) {
      for (const question of questions) {
        const sample = ORIGIN.get(question)
        if (sample !== undefined) sample.kept = undefined
      }
    },
  }
}

/** What is known of one day. Topics and samples stay known when they are written, as they may come again. */
type Day = {
  readonly period: Date
  readonly clients: Map<string, Client>
  lookedInto: number
  hasNews: boolean
}

type Client = {
  readonly topics: Map<string, Topic>
  /** Samples by device, and all. */
  readonly devices: Map<string, number>
  kept: number
}

type Topic = {
  readonly topic: string
  readonly about: QuestionTopic
  /** Questions that are counted and not kept, since the last writing. */
  counted: number
  countedAt: Date
  readonly samples: Map<string, Sample>
  /** Questions of a higher rank are not kept: there are enough of lower ones. */
  ceiling: number
}

type Sample = {
  readonly deviceId: string
  readonly sample: string
  readonly shape: string
  readonly rank: number
  /** Since the last writing. */
  asked: number
  askedAt: Date
  /** Until it is written. */
  kept: KeptRequest | undefined
}

function startDay(period: Date): Day {
  return { period, clients: new Map(), lookedInto: 0, hasNews: false }
}

function noteQuestion(day: Day, question: AnsweredQuestion): void {
  const client = findClient(day, question.clientId)
  if (client === undefined) return
  day.hasNews = true
  const topic = findTopic(client, question)
  const sample = findSample(day, { client, topic }, question)
  if (sample === undefined) {
    topic.counted += 1
    topic.countedAt = question.now
  } else {
    sample.asked += 1
    sample.askedAt = question.now
  }
}

function findClient({ clients }: Day, clientId: string): Client | undefined {
  const known = clients.get(clientId)
  if (known !== undefined || clients.size >= MAX_CLIENTS) return known
  const client = { topics: new Map(), devices: new Map(), kept: 0 }
  clients.set(clientId, client)
  return client
}

/** The topic itself; past the limit all of one action and type together, and past that all others. */
function findTopic({ topics }: Client, { request, now }: AnsweredQuestion): Topic {
  const { action, resource } = request
  const fine = JSON.stringify([action.name, resource.type, resource.id])
  const known = topics.get(fine)
  if (known !== undefined) return known
  const names = { action: action.name, resource_type: resource.type, resource_id: resource.id }
  const { topics: most } = QUESTION_LIMITS
  // The last fifth is for topics without an id.
  const hasPlace = topics.size < (most / 5) * 4
  if (hasPlace && areNames(names)) return addTopic(topics, { key: fine, about: names, now })
  const coarse = JSON.stringify([action.name, resource.type])
  const gathered = topics.get(coarse)
  if (gathered !== undefined) return gathered
  const about = { ...names, resource_id: null }
  if (topics.size < most - 1 && areNames(about))
    return addTopic(topics, { key: coarse, about, now })
  return topics.get(REST) ?? addTopic(topics, { key: REST, about: NO_NAMES, now })
}

const REST = ''
const NO_NAMES: QuestionTopic = { action: null, resource_type: null, resource_id: null }

function areNames(about: QuestionTopic): boolean {
  return Object.values(about).every((name) => {
    return name === null || (name.length <= MAX_NAME_CHARS && !isSecretText(name))
  })
}

function addTopic(
  topics: Map<string, Topic>,
  { key, about, now }: { readonly key: string; readonly about: QuestionTopic; readonly now: Date },
): Topic {
  const topic: Topic = {
    topic: key === REST ? REST : nameOf(key),
    about,
    counted: 0,
    countedAt: now,
    samples: new Map(),
    ceiling: Number.POSITIVE_INFINITY,
  }
  topics.set(key, topic)
  return topic
}

type Place = { readonly client: Client; readonly topic: Topic }

/** The question in the sample, or its place there; `undefined` for one that is only counted. */
function findSample(day: Day, place: Place, question: AnsweredQuestion): Sample | undefined {
  const { client, topic } = place
  const { deviceId, request, now } = question
  if (topic.topic === REST) return undefined
  const rank = rankOf(day, topic, deviceId)
  if (rank >= topic.ceiling || day.lookedInto >= LOOKED_INTO) return undefined
  day.lookedInto += 1
  const kept = keepRequest(request)
  if (kept === undefined) return undefined
  const sample = nameOf(JSON.stringify([deviceId, kept.request]))
  const known = topic.samples.get(sample)
  if (known !== undefined) return known
  const shape = nameOf(kept.shape)
  const ofDevice = client.devices.get(deviceId) ?? 0
  const alike = ofDevice === 0 ? 0 : countAlike(topic, deviceId, shape)
  if (alike >= QUESTION_LIMITS.perShape || ofDevice >= QUESTION_LIMITS.perDevice) return undefined
  topic.samples.set(sample, { deviceId, sample, shape, rank, asked: 0, askedAt: now, kept })
  client.devices.set(deviceId, ofDevice + 1)
  client.kept += 1
  if (topic.samples.size > QUESTION_LIMITS.perTopic) dropHighest(client, topic)
  else if (client.kept > QUESTION_LIMITS.perClient) dropHighest(client, largestOf(client))
  return topic.samples.get(sample)
}

function countAlike({ samples }: Topic, deviceId: string, shape: string): number {
  let alike = 0
  for (const one of samples.values()) {
    if (one.deviceId === deviceId && one.shape === shape) alike += 1
  }
  return alike
}

function largestOf({ topics }: Client): Topic {
  const [first, ...others] = topics.values()
  if (first === undefined) throw new TypeError('a client that keeps questions has topics')
  return others.reduce((one, other) => (other.samples.size > one.samples.size ? other : one), first)
}

/**
 * The same devices of a topic have the lowest ranks in all processes, and others each day: so the sample is
 * fair, and nobody is in all of them.
 */
function rankOf({ period }: Day, { topic }: Topic, deviceId: string): number {
  return spreadOf(`${period.getTime()} ${topic} ${deviceId}`) >>> 1
}

/** What is dropped is counted with the topic from then on, and never comes back: its rank is too high. */
function dropHighest(client: Client, topic: Topic): void {
  let highest: Sample | undefined
  for (const sample of topic.samples.values()) {
    if (highest === undefined || sample.rank > highest.rank) highest = sample
  }
  if (highest === undefined) return
  const { deviceId } = highest
  topic.samples.delete(highest.sample)
  topic.counted += highest.asked
  topic.ceiling = highest.rank
  client.kept -= 1
  const left = (client.devices.get(deviceId) ?? 1) - 1
  if (left > 0) client.devices.set(deviceId, left)
  else client.devices.delete(deviceId)
}

/** 128 bits of SHA-256: whoever asks shall find no two questions of one name. */
function nameOf(text: string): string {
  return toBase64Url(digestText('sha256', text).subarray(0, 16))
}

/** What was noted of the day since it was taken last, in portions of one client each. */
function takeDay(day: Day): readonly QuestionsToRecord[] {
  day.hasNews = false
  day.lookedInto = 0
  const taken: QuestionsToRecord[] = []
  for (const [clientId, { topics }] of day.clients) {
    const questions = [...topics.values()].flatMap(takeTopic)
    for (let first = 0; first < questions.length; first += PORTION) {
      const portion = questions.slice(first, first + PORTION)
      taken.push({ period: day.period, clientId, questions: portion, limits: QUESTION_LIMITS })
    }
  }
  return taken
}

function takeTopic(topic: Topic): readonly QuestionToRecord[] {
  const { about } = topic
  const taken: QuestionToRecord[] = []
  if (topic.counted > 0) {
    taken.push({ ...COUNTED, topic: topic.topic, about, asked: topic.counted, at: topic.countedAt })
    topic.counted = 0
  }
  for (const one of topic.samples.values()) {
    if (one.asked === 0) continue
    const { deviceId, sample, shape, rank, asked, askedAt: at, kept } = one
    const content = { request: kept?.request ?? null, leftOut: kept?.leftOut ?? null }
    const names = { topic: topic.topic, about, deviceId, sample, shape, rank }
    const question = { ...names, asked, at, ...content }
    ORIGIN.set(question, one)
    taken.push(question)
    one.asked = 0
  }
  return taken
}

/** Of what is on its way to be written. */
const ORIGIN = new WeakMap<QuestionToRecord, Sample>()

/** A row that only counts. */
const COUNTED = { deviceId: '', sample: '', shape: '', rank: 0, request: null, leftOut: null }
