import { expect, test } from 'vitest'
import { describeDecisionPoint } from '../../src/access/metadata.ts'

test('the endpoints stand under the identifier, which is repeated as it is', () => {
  expect(describeDecisionPoint('https://pdp.example.com/tenant1')).toEqual({
    policy_decision_point: 'https://pdp.example.com/tenant1',
    access_evaluation_endpoint: 'https://pdp.example.com/tenant1/access/v1/evaluation',
    access_evaluations_endpoint: 'https://pdp.example.com/tenant1/access/v1/evaluations',
  })
  expect(describeDecisionPoint('https://pdp.example.com/')).toMatchObject({
    policy_decision_point: 'https://pdp.example.com/',
    access_evaluation_endpoint: 'https://pdp.example.com/access/v1/evaluation',
  })
})

test.each(['https://pdp.example.com/?a=1', 'https://pdp.example.com/#a', 'nonsense'])(
  '%s is no identifier',
  (identifier) => expect(() => describeDecisionPoint(identifier)).toThrow(TypeError),
)
