import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EvaluationRequest } from '../../src/access/evaluation-request.ts'
import { AUTHZEN_REASONS, parseEvaluation } from '../../src/access/evaluation-request.ts'
import {
  AUTHZEN_BATCH_REASONS,
  answerUnreadable,
  endsBatch,
  parseEvaluations,
} from '../../src/access/evaluations-request.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

const SUBJECT = { type: 'user', id: 'alice' }
const RESOURCE = { type: 'record', id: 'record-1' }
const ACTION = { name: 'read' }
const QUESTION = { subject: SUBJECT, resource: RESOURCE, action: ACTION }

function batchOf(json: unknown) {
  const parsed = expectOk(parseEvaluations(json))
  if (parsed.kind !== 'batch') expect.unreachable()
  return parsed
}

describe('one question', () => {
  test('is read with empty properties and context where there are none', () => {
    expect(expectOk(parseEvaluation(QUESTION))).toEqual({
      subject: { ...SUBJECT, properties: {} },
      resource: { ...RESOURCE, properties: {} },
      action: { ...ACTION, properties: {} },
      context: {},
    })
  })

  test('keeps properties and context, and drops unknown members', () => {
    const properties = { role: 'admin', nested: { a: [1, null] } }
    const request = expectOk(
      parseEvaluation({
        ...QUESTION,
        subject: { ...SUBJECT, properties, custom: 1 },
        context: { ip: '192.0.2.1' },
        futureField: {},
      }),
    )
    expect(request.subject).toEqual({ ...SUBJECT, properties })
    expect(request.context).toEqual({ ip: '192.0.2.1' })
  })

  const missing: readonly [string, object][] = [
    ['subject', { resource: RESOURCE, action: ACTION }],
    ['subject.type', { ...QUESTION, subject: { id: 'a' } }],
    ['subject.id', { ...QUESTION, subject: { type: 'a' } }],
    ['resource', { subject: SUBJECT, action: ACTION }],
    ['resource.id', { ...QUESTION, resource: { type: 'a' } }],
    ['action', { subject: SUBJECT, resource: RESOURCE }],
    ['action.name', { ...QUESTION, action: {} }],
  ]
  test.each(missing)('without %s is refused by that name', (member, json) => {
    const failure = expectRefusal(parseEvaluation(json), 'authzen_member_missing')
    expect(failure).toMatchObject({ member, message: `${member} is required` })
  })

  const illTyped: readonly [string, unknown][] = [
    ['', null],
    ['', []],
    ['', 'text'],
    ['subject', { ...QUESTION, subject: 'alice' }],
    ['subject', { ...QUESTION, subject: null }],
    ['subject.id', { ...QUESTION, subject: { type: 'user', id: 1 } }],
    ['resource.type', { ...QUESTION, resource: { type: null, id: 'a' } }],
    ['action.name', { ...QUESTION, action: { name: 123 } }],
    ['action', { ...QUESTION, action: ['read'] }],
    ['subject.properties', { ...QUESTION, subject: { ...SUBJECT, properties: [] } }],
    ['context', { ...QUESTION, context: 'now' }],
  ]
  test.each(illTyped)('with an ill-typed member %j is refused', (member, json) => {
    expect(expectRefusal(parseEvaluation(json), 'authzen_member_ill_typed').member).toBe(member)
  })

  test('has a limit on the size of everything that a policy may read', () => {
    let deep: unknown = 1
    for (let i = 0; i < 20_000; i++) deep = [deep]
    for (const properties of [
      { deep },
      { wide: Array.from({ length: 1_001 }, () => 1) },
      { spread: Array.from({ length: 40 }, () => Array.from({ length: 40 }, () => 1)) },
      { long: 'a'.repeat(8_193) },
    ]) {
      const subject = { ...SUBJECT, properties }
      expectRefusal(parseEvaluation({ ...QUESTION, subject }), 'authzen_over_limit')
    }
    const resource = { type: 'a', id: 'a'.repeat(2_049) }
    expectRefusal(parseEvaluation({ ...QUESTION, resource }), 'authzen_over_limit')
  })
})

describe('many questions', () => {
  test('none, or an empty list, is a single question', () => {
    for (const json of [QUESTION, { ...QUESTION, evaluations: [] }]) {
      expect(expectOk(parseEvaluations(json)).kind).toBe('single')
    }
    expectRefusal(parseEvaluations({ evaluations: [] }), 'authzen_member_missing')
  })

  test('an entity replaces its default whole, which lends only required members', () => {
    const properties = { role: 'admin' }
    const { items } = batchOf({
      ...QUESTION,
      subject: { ...SUBJECT, properties },
      context: { a: 1 },
      evaluations: [
        {},
        { subject: { id: 'bob' } },
        { subject: { type: 'user', id: 'carol' }, context: { b: 2 } },
      ],
    })
    const requests = items.map((item) => expectOk(item))
    expect(requests.map(({ subject }) => subject)).toEqual([
      { ...SUBJECT, properties },
      { type: 'user', id: 'bob', properties: {} },
      { type: 'user', id: 'carol', properties: {} },
    ])
    expect(requests.map(({ context }) => context)).toEqual([{ a: 1 }, { a: 1 }, { b: 2 }])
  })

  test('a default is checked only as part of what it completes', () => {
    const { items } = batchOf({
      ...QUESTION,
      resource: {},
      evaluations: [{ resource: RESOURCE }, {}],
    })
    expect(items.map(({ ok }) => ok)).toEqual([true, false])
  })

  test('what is wrong with one question stays with it', () => {
    const { items } = batchOf({
      subject: SUBJECT,
      action: ACTION,
      evaluations: [{ resource: RESOURCE }, {}, 'x', null],
    })
    expect(items.map(({ ok }) => ok)).toEqual([true, false, false, false])
    const [, second] = items
    if (second === undefined || second.ok) expect.unreachable()
    expect(answerUnreadable(second.failure)).toEqual({
      decision: false,
      context: { error: { status: 400, message: 'resource is required' } },
    })
  })

  test('an override that is null is ill-typed and no wish for the default', () => {
    const { items } = batchOf({ ...QUESTION, evaluations: [{ subject: null }] })
    const [item] = items
    if (item === undefined) expect.unreachable()
    expectRefusal(item, 'authzen_member_ill_typed')
  })

  test('an unknown semantic is refused', () => {
    const json = { ...QUESTION, evaluations: [{}] }
    for (const value of ['bogus', 1, null]) {
      const options = { evaluations_semantic: value }
      expectRefusal(parseEvaluations({ ...json, options }), 'authzen_semantic_unknown')
    }
    expectRefusal(parseEvaluations({ ...json, options: 'x' }), 'authzen_member_ill_typed')
    expect(batchOf({ ...json, options: {} }).semantic).toBe('execute_all')
  })

  test('a batch has a limit and must be a list', () => {
    const evaluations = Array.from({ length: 101 }, () => ({}))
    expectRefusal(parseEvaluations({ ...QUESTION, evaluations }), 'authzen_too_many_evaluations')
    expectRefusal(parseEvaluations({ ...QUESTION, evaluations: {} }), 'authzen_member_ill_typed')
    expectRefusal(parseEvaluations([]), 'authzen_member_ill_typed')
  })

  test('a semantic ends a batch with the answer that it waits for', () => {
    expect([true, false].map((decision) => endsBatch('execute_all', decision))).toEqual([
      false,
      false,
    ])
    expect([true, false].map((decision) => endsBatch('deny_on_first_deny', decision))).toEqual([
      false,
      true,
    ])
    expect([true, false].map((decision) => endsBatch('permit_on_first_permit', decision))).toEqual([
      true,
      false,
    ])
  })
})

test('any JSON is read or refused with a declared reason', () => {
  const member = fc.constantFrom(
    'subject',
    'resource',
    'action',
    'context',
    'evaluations',
    'options',
    'type',
    'id',
    'name',
    'properties',
  )
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue(),
      fc.dictionary(member, tie('tree')),
      fc.array(tie('tree')),
    ),
  }))
  const declared: readonly string[] = [...AUTHZEN_REASONS, ...AUTHZEN_BATCH_REASONS]
  fc.assert(
    fc.property(tree, (json) => {
      const result = parseEvaluations(json)
      if (!result.ok) expect(declared).toContain(result.failure.reason)
    }),
  )
})

type Scenario = {
  readonly testName: string
  readonly api: string
  readonly request: {
    method: string
    content_type: string
    raw_body?: string
    json?: unknown
    credentials?: unknown
  }
  readonly expect: { status_any_of: number[]; json?: { evaluations?: { decision: boolean }[] } }
}

describeVectors('the OpenID conformance scenarios', () => {
  const { tests } = vectorJson('authzen/oidf-scenarios.json') as { tests: Scenario[] }
  const parseable = tests.filter(
    ({ api, request, expect: { status_any_of } }) =>
      api.startsWith('evaluation') &&
      request.method === 'POST' &&
      request.content_type.startsWith('application/json') &&
      !status_any_of.includes(401),
  )

  test('there are enough of them', () => expect(parseable.length).toBeGreaterThan(40))

  test.each(parseable)('$testName', ({ api, request, expect: expected }) => {
    const parse = api === 'evaluation' ? parseEvaluation : parseEvaluations
    const json = request.raw_body === undefined ? request.json : parseJson(request.raw_body)
    const accepted = json !== undefined && parse(json).ok
    expect(accepted).toBe(expected.status_any_of.includes(200))
  })

  const batches = parseable.filter(({ expect: { json } }) => json?.evaluations !== undefined)
  test.each(batches)('the answers of $testName', ({ request, expect: { json } }) => {
    const { items, semantic } = batchOf(request.json)
    const decisions: boolean[] = []
    for (const item of items) {
      const decision = item.ok && fixtureDecision(item.value)
      decisions.push(decision)
      if (endsBatch(semantic, decision)) break
    }
    expect(decisions).toEqual(json?.evaluations?.map(({ decision }) => decision))
  })
})

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The rules of the suite's fixture tenant, as far as its batches ask for them. */
function fixtureDecision({ subject, resource, action }: EvaluationRequest): boolean {
  if (action.name === 'read') return true
  if (resource.properties.status === 'archived') return subject.properties.role === 'admin'
  return subject.id === 'alice'
}
