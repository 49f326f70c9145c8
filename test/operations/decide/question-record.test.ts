import { describe, expect, test } from 'vitest'
import type { EvaluationRequest } from '../../../src/access/evaluation-request.ts'
import {
  createQuestionRecord,
  type QuestionRecord,
} from '../../../src/operations/decide/question-record.ts'
import { QUESTION_LIMITS } from '../../../src/operations/decide/question-sample.ts'
import type { QuestionToRecord } from '../../../src/store/system/questions.ts'

/** What a process remembers of questions; that the store holds all processes to it is the store's test. */

const NOW = new Date('2026-03-02T08:00:00Z')
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)

type Ask = {
  readonly client?: string
  readonly device?: string
  readonly resource?: string
  readonly action?: string
  readonly context?: Record<string, unknown>
  readonly now?: Date
}

function ask(record: QuestionRecord, question: Ask = {}): void {
  const { client = 'cli_idp', device = 'dev_1', resource = 'payroll', now = NOW } = question
  const request: EvaluationRequest = {
    subject: { type: 'device', id: device, properties: {} },
    resource: { type: 'application', id: resource, properties: {} },
    action: { name: question.action ?? 'signin', properties: {} },
    context: question.context ?? {},
  }
  record.note({ clientId: client, deviceId: device, request, now })
}

function takeAll(record: QuestionRecord, now = NOW) {
  const portions = record.take(now)
  const rows = portions.flatMap(({ clientId, period, questions }) => {
    return questions.map((one) => ({ ...one, clientId, period }))
  })
  const kept = rows.filter(({ deviceId }) => deviceId !== '')
  const asked = (of: readonly QuestionToRecord[]) => of.reduce((sum, one) => sum + one.asked, 0)
  return { portions, rows, kept, asked: asked(rows), askedKept: asked(kept) }
}

describe('the record of questions', () => {
  test('has each different question once, with how often it was asked', () => {
    const record = createQuestionRecord({ days: 7 })
    for (let i = 0; i < 5; i++) ask(record)
    ask(record, { context: { network: 'corporate' } })
    ask(record, { device: 'dev_2', now: later(9) })
    const { rows, portions } = takeAll(record)
    expect(portions).toMatchObject([{ clientId: 'cli_idp', period: new Date('2026-03-02') }])
    expect(rows.map(({ deviceId, asked, at }) => [deviceId, asked, at])).toEqual([
      ['dev_1', 5, NOW],
      ['dev_1', 1, NOW],
      ['dev_2', 1, later(9)],
    ])
    expect(rows[1]).toMatchObject({
      about: { action: 'signin', resource_type: 'application', resource_id: 'payroll' },
      request: { context: { network: 'corporate' }, resource: { id: 'payroll' } },
    })
  })

  test('gives nothing twice, and the content of a question once', () => {
    const record = createQuestionRecord({ days: 7 })
    ask(record)
    const { portions, rows } = takeAll(record)
    expect(record.take(NOW)).toEqual([])
    // As long as nobody said that it is written.
    ask(record)
    expect(takeAll(record).rows).toEqual(rows)
    for (const portion of portions) record.confirm(portion)
    ask(record)
    expect(takeAll(record).rows).toEqual([{ ...rows[0], request: null, leftOut: null }])
  })

  test('is empty where none are to be kept', () => {
    const record = createQuestionRecord({ days: 0 })
    ask(record)
    expect(record.isDue(later(3600))).toBe(false)
    expect(record.take(NOW)).toEqual([])
  })

  test('is due some seconds after it was taken, if something was asked', () => {
    const record = createQuestionRecord({ days: 7 })
    expect(record.isDue(NOW)).toBe(false)
    ask(record)
    expect(record.isDue(NOW)).toBe(true)
    record.take(NOW)
    expect(record.isDue(later(60))).toBe(false)
    ask(record)
    expect([1, 4, 5].map((seconds) => record.isDue(later(seconds)))).toEqual([false, false, true])
  })

  test('counts a question to the day on which it was asked', () => {
    const record = createQuestionRecord({ days: 7 })
    ask(record, { now: new Date('2026-03-02T23:59:59.999Z') })
    ask(record, { now: new Date('2026-03-03T00:00:00.000Z') })
    const { rows } = takeAll(record)
    expect(rows.map(({ period }) => period.toISOString().slice(0, 10))).toEqual([
      '2026-03-02',
      '2026-03-03',
    ])
  })

  test('of one device and shape has a few, and counts the others', () => {
    const record = createQuestionRecord({ days: 7 })
    for (let i = 0; i < 50; i++) ask(record, { context: { request: i } })
    for (let i = 0; i < 50; i++) ask(record, { context: { request: `${i}` } })
    const { kept, asked } = takeAll(record)
    expect(kept).toHaveLength(2 * QUESTION_LIMITS.perShape)
    expect(asked).toBe(100)
  })

  test('has no question that is too large or about what has the form of a secret, and counts it', () => {
    const record = createQuestionRecord({ days: 7 })
    const secret = 'eyJhbGciOiJub25lIn0.e30.'
    ask(record, { context: { text: 'x'.repeat(5000) } })
    ask(record, { resource: secret })
    ask(record, { action: secret })
    const { rows, kept, asked } = takeAll(record)
    expect(kept).toEqual([])
    expect(asked).toBe(3)
    expect(JSON.stringify(rows)).not.toContain(secret)
    expect(rows.map(({ about }) => Object.values(about))).toEqual([
      ['signin', 'application', 'payroll'],
      ['signin', 'application', null],
      [null, null, null],
    ])
  })

  test('of a topic has the same devices whatever their order', () => {
    const devices = Array.from({ length: 10_000 }, (_, i) => `dev_${i}`)
    const keptOf = (order: readonly string[]) => {
      const record = createQuestionRecord({ days: 7 })
      for (const device of order) ask(record, { device })
      const { kept, asked } = takeAll(record)
      expect(asked).toBe(10_000)
      return new Set(kept.map(({ deviceId }) => deviceId))
    }
    const kept = keptOf(devices)
    expect(kept.size).toBe(QUESTION_LIMITS.perTopic)
    expect(keptOf(devices.toReversed())).toEqual(kept)
    // Not those that came first.
    expect(devices.slice(0, 100).filter((id) => kept.has(id)).length).toBeLessThan(50)
  })
})

describe('a caller that asks what nobody asks', () => {
  const MANY = 100_000

  test('fills nothing with a hundred thousand shapes, and every question is counted', () => {
    const record = createQuestionRecord({ days: 7 })
    for (let i = 0; i < MANY; i++) ask(record, { context: { [`name_${i}`]: i } })
    const { rows, kept, asked } = takeAll(record)
    expect(kept.length).toBeLessThanOrEqual(QUESTION_LIMITS.perDevice)
    expect(rows.length).toBeLessThanOrEqual(QUESTION_LIMITS.perDevice + 1)
    expect(asked).toBe(MANY)
  })

  test('fills nothing with a hundred thousand resources of as many devices, in as many writings', () => {
    const record = createQuestionRecord({ days: 7 })
    let asked = 0
    const names = new Set<string>()
    for (let i = 0; i < MANY; i++) {
      ask(record, { resource: `doc_${i}`, device: `dev_${i % 20_000}`, action: `act_${i % 1000}` })
      if (i % 5_000 !== 4_999) continue
      const taken = takeAll(record)
      asked += taken.asked
      for (const { topic, deviceId, sample } of taken.rows)
        names.add(`${topic} ${deviceId} ${sample}`)
    }
    expect(asked).toBe(MANY)
    // Whatever was ever given of one client, however often it was taken.
    const { topics, perClient } = QUESTION_LIMITS
    expect(names.size).toBeLessThan(topics + 4 * perClient)
  })

  test('takes no place of another client, and clients past a number are not recorded', () => {
    const record = createQuestionRecord({ days: 7 })
    for (let i = 0; i < 20_000; i++) ask(record, { client: 'cli_noisy', resource: `${i}` })
    record.take(NOW)
    ask(record, { client: 'cli_quiet' })
    expect(takeAll(record).kept).toMatchObject([{ clientId: 'cli_quiet', deviceId: 'dev_1' }])
    for (let i = 0; i < 1000; i++) ask(record, { client: `cli_${i}` })
    const clients = new Set(takeAll(record).rows.map(({ clientId }) => clientId))
    expect(clients.size).toBeLessThanOrEqual(16)
  })

  test('gives up of its own largest topic for a small one', () => {
    const record = createQuestionRecord({ days: 7 })
    for (let topic = 0; topic < 10; topic++) {
      for (let i = 0; i < 120; i++) ask(record, { resource: `app_${topic}`, device: `dev_${i}` })
    }
    ask(record, { resource: 'payroll' })
    const { kept } = takeAll(record)
    expect(kept).toHaveLength(QUESTION_LIMITS.perClient)
    expect(kept.filter(({ about }) => about.resource_id === 'payroll')).toHaveLength(1)
  })
})
