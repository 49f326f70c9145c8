import { beforeEach, describe, expect, test } from 'vitest'
import type {
  QuestionLimits,
  QuestionsToRecord,
  QuestionToRecord,
} from '../../../src/store/system/questions.ts'
import type { StoreUnderTest } from '../fixtures.ts'

const DAY = new Date('2026-03-02T00:00:00Z')
const NEXT_DAY = new Date('2026-03-03T00:00:00Z')
const AT = new Date('2026-03-02T08:00:00Z')
const LATER = new Date('2026-03-02T09:30:00.123Z')

const LIMITS: QuestionLimits = {
  ...{ perShape: 2, perDevice: 4, perTopic: 3, topics: 4, perClient: 6, total: 9 },
}

type Changes = Partial<QuestionToRecord>

/** One different question for each device and number. */
function questionOf(
  device: number,
  changes: Changes & { readonly number?: number } = {},
): QuestionToRecord {
  const { number = 0, topic = 'topic_a', ...rest } = changes
  return {
    topic,
    about: { action: 'signin', resource_type: 'application', resource_id: topic },
    deviceId: `dev_${device}`,
    sample: `sample_${device}_${number}`,
    shape: `shape_${number}`,
    rank: device,
    asked: 1,
    at: AT,
    request: {
      subject: { type: 'device', id: `dev_${device}`, properties: {} },
      resource: { type: 'application', id: topic, properties: {} },
      action: { name: 'signin', properties: {} },
      context: { number },
    },
    leftOut: [],
    ...rest,
  }
}

const countOf = (asked: number, topic = 'topic_a'): QuestionToRecord =>
  questionOf(0, {
    ...{ topic, asked, deviceId: '', sample: '', shape: '', rank: 0 },
    ...{ request: null, leftOut: null },
  })

export function questionsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  beforeEach(() => store().forgetQuestions())

  const record = (
    questions: readonly QuestionToRecord[],
    changes: Partial<QuestionsToRecord> = {},
  ) =>
    store().recordQuestions({
      ...{ period: DAY, clientId: 'cli_a', questions, limits: LIMITS },
      ...changes,
    })
  const kept = () => store().keptQuestions({ perTopic: 100, most: 1000 })
  const devices = async () => (await kept()).map(({ deviceId }) => deviceId).sort()
  const asked = async () =>
    (await store().questionTopics()).reduce((sum, one) => sum + one.asked, 0)

  describe('what processes note', () => {
    test('adds up, and what was asked comes back as it was', async () => {
      const context = { text: 'Grüße \u{1F600}', list: [1, null, true], deep: { '': -0.5 } }
      const base = questionOf(1)
      const request = { ...base.request, context } as QuestionToRecord['request']
      const question = { ...base, request, leftOut: [['context', 'token']] }
      expect(await record([question, countOf(5)])).toBe(1)
      expect(
        await record([{ ...question, asked: 3, at: LATER, request: null, leftOut: null }]),
      ).toBe(0)
      expect(await kept()).toEqual([
        {
          topic: 'topic_a',
          deviceId: 'dev_1',
          asked: 4,
          ...{ request, leftOut: [['context', 'token']], askedAt: LATER },
        },
      ])
      expect(await store().questionTopics()).toEqual([
        { topic: 'topic_a', about: question.about, asked: 9, since: DAY },
      ])
    })

    test('is kept by day and client, and counted over all of them', async () => {
      await record([questionOf(1)])
      await record([questionOf(1)], { period: NEXT_DAY })
      await record([questionOf(1)], { clientId: 'cli_b' })
      expect(await store().questionTopics()).toMatchObject([{ asked: 3, since: DAY }])
      expect(await devices()).toEqual(['dev_1', 'dev_1', 'dev_1'])
      expect(await store().forgetQuestions()).toBe(3)
      expect(await store().questionTopics()).toEqual([])
    })

    test('whose content another process has pushed out is counted', async () => {
      expect(await record([{ ...questionOf(1), request: null, leftOut: null, asked: 7 }])).toBe(0)
      expect(await devices()).toEqual([])
      expect(await asked()).toBe(7)
    })

    test('may hold what PostgreSQL keeps in no text', async () => {
      const base = questionOf(1)
      const context = { nul: 'a\0b', half: '\ud800' }
      const request = { ...base.request, context } as QuestionToRecord['request']
      expect(await record([{ ...base, request }])).toBe(1)
      expect((await kept())[0]?.request.context).toEqual({ nul: 'a\uFFFDb', half: '\uFFFD' })
    })
  })

  describe('limits hold, and no question is lost from the counts:', () => {
    test('of one device, topic and shape', async () => {
      const alike = [1, 2, 3].map((number) => questionOf(1, { number, shape: 'one' }))
      expect(await record(alike)).toBe(LIMITS.perShape)
      expect(await record([questionOf(1, { number: 4, shape: 'other' })])).toBe(1)
      expect(await asked()).toBe(4)
    })

    test('of one device', async () => {
      const topics = ['topic_a', 'topic_b'].flatMap((topic) => {
        return [1, 2, 3].map((number) => questionOf(1, { topic, number }))
      })
      expect(await record(topics)).toBe(LIMITS.perDevice)
      expect(await asked()).toBe(6)
    })

    test('of one topic, of which the lowest ranks stay whatever their order', async () => {
      await record([5, 1, 4].map((device) => questionOf(device)))
      await record([6, 2, 3].map((device) => questionOf(device, { asked: 10 })))
      expect(await devices()).toEqual(['dev_1', 'dev_2', 'dev_3'])
      expect(await asked()).toBe(33)
      expect((await kept()).reduce((sum, one) => sum + one.asked, 0)).toBe(21)
    })

    test('of one client, whose largest topic makes place for a smaller one', async () => {
      await record([1, 2, 3].map((device) => questionOf(device)))
      await record([4, 5, 6].map((device) => questionOf(device, { topic: 'topic_b' })))
      expect(await record([questionOf(9, { topic: 'topic_c' })])).toBe(1)
      expect(await devices()).toEqual(['dev_1', 'dev_2', 'dev_4', 'dev_5', 'dev_6', 'dev_9'])
      expect(await asked()).toBe(7)
    })

    test('of topics of one client; the others are one without a name', async () => {
      const topics = Array.from({ length: 10 }, (_, i) => questionOf(i, { topic: `topic_${i}` }))
      await record(topics)
      await record([countOf(4, 'topic_x'), countOf(2, 'topic_0')])
      const counted = await store().questionTopics()
      expect(counted).toHaveLength(LIMITS.topics + 1)
      expect(counted.find(({ topic }) => topic === '')).toEqual({
        ...{ topic: '', asked: 10, since: DAY },
        about: { action: null, resource_type: null, resource_id: null },
      })
      expect(await asked()).toBe(16)
    })

    test('of all clients, and a client that comes later is counted', async () => {
      for (const clientId of ['cli_a', 'cli_b']) {
        const topics = ['topic_a', 'topic_b'].flatMap((topic) => {
          return [1, 2, 3].map((device) => questionOf(device, { topic }))
        })
        await record(topics, { clientId })
      }
      expect(await kept()).toHaveLength(LIMITS.total)
      expect(await record([questionOf(1)], { clientId: 'cli_c' })).toBe(0)
      expect(await record([questionOf(1)], { clientId: 'cli_c', period: NEXT_DAY })).toBe(1)
      expect(await asked()).toBe(14)
    })

    test('whoever writes at the same time', async () => {
      const writers = Array.from({ length: 8 }, (_, writer) => {
        const questions = Array.from({ length: 8 }, (_, i) => questionOf(8 * i + writer))
        return record(questions)
      })
      await Promise.all(writers)
      expect(await devices()).toEqual(['dev_0', 'dev_1', 'dev_2'])
      expect(await asked()).toBe(64)
    })
  })

  test('a reader gets of each topic the same number, and the first of each before a second', async () => {
    const limits = { ...LIMITS, perTopic: 5, perClient: 100, total: 100 }
    for (const topic of ['topic_a', 'topic_b', 'topic_c']) {
      await record(
        [1, 2, 3, 4].map((device) => questionOf(device, { topic })),
        { limits },
      )
    }
    const few = await store().keptQuestions({ perTopic: 2, most: 5 })
    expect(few.map(({ topic, deviceId }) => [topic, deviceId])).toEqual([
      ['topic_a', 'dev_1'],
      ['topic_b', 'dev_1'],
      ['topic_c', 'dev_1'],
      ['topic_a', 'dev_2'],
      ['topic_b', 'dev_2'],
    ])
    expect(await store().keptQuestions({ perTopic: 2, most: 100 })).toHaveLength(6)
  })
}
