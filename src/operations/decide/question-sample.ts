import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { isSecretText, type KeptRequest, keepRequest } from '../../access/kept-request.ts'
import { digestText } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { spreadOf } from '../../base/spread.ts'
import type { QuestionTopic, QuestionToRecord } from '../../store/system/questions.ts'

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

/** A longer name, or one with the form of a secret, names no topic. */
const MAX_NAME_CHARS = 256
/** What one API client asked on one day. Topics and samples stay known when they are written, as they may come again. */
export type ClientSample = {
  /** The beginning of the day. */
  readonly period: Date
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

export function startSample(period: Date): ClientSample {
  return { period, topics: new Map(), devices: new Map(), kept: 0 }
}

/** How many more questions may be looked into; the others are counted. */
export type LookBudget = { left: number }

/** Counts a question, and keeps it where it is in the sample. */
export function addQuestion(
  client: ClientSample,
  question: AnsweredQuestion,
  looks: LookBudget,
): void {
  const topic = findTopic(client, question)
  const sample = findSample({ client, topic, looks }, question)
  if (sample === undefined) {
    topic.counted += 1
    topic.countedAt = question.now
  } else {
    sample.asked += 1
    sample.askedAt = question.now
  }
}

/** What was added since the last time. */
export function takeQuestions({ topics }: ClientSample): readonly QuestionToRecord[] {
  return [...topics.values()].flatMap(takeTopic)
}

/** That what was taken was written: its content is not given again. */
export function forgetContent(written: readonly QuestionToRecord[]): void {
  for (const question of written) {
    const sample = ORIGIN.get(question)
    if (sample !== undefined) sample.kept = undefined
  }
}

/** The topic itself; past the limit all of one action and type together, and past that all others. */
function findTopic({ topics }: ClientSample, { request, now }: AnsweredQuestion): Topic {
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

type Place = {
  readonly client: ClientSample
  readonly topic: Topic
  readonly looks: LookBudget
}

/** The question in the sample, or its place there; `undefined` for one that is only counted. */
function findSample(place: Place, question: AnsweredQuestion): Sample | undefined {
  const { client, topic, looks } = place
  const { deviceId, request, now } = question
  if (topic.topic === REST) return undefined
  const rank = rankOf(client, topic, deviceId)
  if (rank >= topic.ceiling || looks.left <= 0) return undefined
  looks.left -= 1
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

function largestOf({ topics }: ClientSample): Topic {
  const [first, ...others] = topics.values()
  if (first === undefined) throw new TypeError('a client that keeps questions has topics')
  return others.reduce((one, other) => (other.samples.size > one.samples.size ? other : one), first)
}

/**
 * The same devices of a topic have the lowest ranks in all processes, and others each day: so the sample is
 * fair, and nobody is in all of them.
 */
function rankOf({ period }: ClientSample, { topic }: Topic, deviceId: string): number {
  return spreadOf(`${period.getTime()} ${topic} ${deviceId}`) >>> 1
}

/** What is dropped is counted with the topic from then on, and never comes back: its rank is too high. */
function dropHighest(client: ClientSample, topic: Topic): void {
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
