import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseEvaluation } from '../../../src/access/evaluation-request.ts'
import { parseEvaluations } from '../../../src/access/evaluations-request.ts'
import { MAX_ENTITY_TEXT_CHARS, MAX_EVALUATIONS } from '../../../src/access/limits.ts'
import { parseSearch } from '../../../src/access/search-request.ts'
import { validatorOf } from '../../support/api-messages.ts'

/*
 * Requests of AuthZEN are read by code of our own and described by schemas beside it. Ajv, which nobody here wrote,
 * says what the schemas take; for whatever is generated here both must say the same.
 */

const text = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom('x'.repeat(MAX_ENTITY_TEXT_CHARS), 'x'.repeat(MAX_ENTITY_TEXT_CHARS + 1)),
)
const wrong = fc.constantFrom<unknown>(null, 7, [], 'text', true)
/** Now and then something else stands in the place of a member, or nothing. */
const member = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 24, arbitrary: right }, { weight: 1, arbitrary: wrong })
const record = (members: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.record(members, { requiredKeys: [] })
const usually = (members: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.oneof({ weight: 24, arbitrary: fc.record(members) }, { weight: 1, arbitrary: record(members) })

const properties = member(fc.dictionary(fc.string({ maxLength: 4 }), fc.integer(), { maxKeys: 2 }))
const entity = member(
  fc.oneof(
    usually({ type: member(text), id: member(text) }),
    usually({ type: member(text), id: member(text), properties }),
  ),
)
const action = member(
  fc.oneof(usually({ name: member(text) }), usually({ name: text, properties })),
)
const question = usually({ subject: entity, resource: entity, action, context: properties })

const RUNS = { numRuns: 3000 }

describe('what the document says of requests, and what reads them', () => {
  test('agree on an evaluation', () => {
    const isOfForm = validatorOf('EvaluationRequest')
    const seen = { taken: 0, refused: 0 }
    fc.assert(
      fc.property(fc.oneof({ weight: 12, arbitrary: question }, wrong), (body) => {
        const { ok } = parseEvaluation(body)
        seen[ok ? 'taken' : 'refused'] += 1
        expect(isOfForm(body)).toBe(ok)
      }),
      RUNS,
    )
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(RUNS.numRuns / 20)
  })

  test('agree on evaluations that are no batch', () => {
    const isOfForm = validatorOf('EvaluationsRequest')
    const body = fc.tuple(question, fc.constantFrom({}, { evaluations: [] }))
    fc.assert(
      fc.property(body, ([one, more]) => {
        const sent = { ...one, ...more }
        expect(isOfForm(sent)).toBe(parseEvaluations(sent).ok)
      }),
      RUNS,
    )
  })

  test('agree on batches, within which what is wrong with one question stays with it', () => {
    const isOfForm = validatorOf('EvaluationsRequest')
    const whole = { subject: { type: 'user', id: 'ada' }, action: { name: 'read' } }
    const batch = (count: number, options?: object) => {
      const resource = { type: 'file', id: 'a' }
      const evaluations = Array.from({ length: count }, () => ({ resource }))
      return { ...whole, evaluations, ...(options && { options }) }
    }
    const semantics = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit', 'other', 7]
    const sent = [
      ...[1, MAX_EVALUATIONS, MAX_EVALUATIONS + 1].map((count) => batch(count)),
      ...semantics.map((evaluations_semantic) => batch(1, { evaluations_semantic })),
      ...[{ ...whole, evaluations: 7 }, { evaluations: [] }],
    ]
    for (const body of sent)
      expect(isOfForm(body), JSON.stringify(body).slice(0, 200)).toBe(parseEvaluations(body).ok)
  })

  test.each([
    ['subject', 'SubjectSearchRequest'],
    ['resource', 'ResourceSearchRequest'],
    ['action', 'ActionSearchRequest'],
  ] as const)('agree on a search for a %s', (kind, name) => {
    const isOfForm = validatorOf(name)
    const page = member(
      record({
        token: member(fc.constantFrom('', 'x'.repeat(4096), 'x'.repeat(4097))),
        limit: member(fc.constantFrom(0, 1, -1, 1.5)),
      }),
    )
    const looked = member(usually({ type: text }))
    const others = { subject: entity, resource: entity, action, context: properties }
    const body = usually({ ...others, [kind]: kind === 'action' ? action : looked, page })
    fc.assert(
      fc.property(body, (sent) => {
        // That devices are not searched for is no matter of form.
        const read = parseSearch(kind, sent)
        const isRefused = !read.ok && read.failure.reason !== 'search_of_devices'
        expect(isOfForm(sent)).toBe(!isRefused)
      }),
      RUNS,
    )
  })
})
