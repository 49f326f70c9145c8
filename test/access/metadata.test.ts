import { expect, test } from 'vitest'
import { describeDecisionPoint, metadataPath } from '../../src/access/metadata.ts'

test('the endpoints stand under the identifier, which is repeated as it is (AuthZEN §9.1)', () => {
  expect(describeDecisionPoint('https://pdp.example.com/tenant1')).toEqual({
    policy_decision_point: 'https://pdp.example.com/tenant1',
    access_evaluation_endpoint: 'https://pdp.example.com/tenant1/access/v1/evaluation',
    access_evaluations_endpoint: 'https://pdp.example.com/tenant1/access/v1/evaluations',
    search_subject_endpoint: 'https://pdp.example.com/tenant1/access/v1/search/subject',
    search_resource_endpoint: 'https://pdp.example.com/tenant1/access/v1/search/resource',
    search_action_endpoint: 'https://pdp.example.com/tenant1/access/v1/search/action',
  })
  expect(describeDecisionPoint('https://pdp.example.com/')).toMatchObject({
    policy_decision_point: 'https://pdp.example.com/',
    access_evaluation_endpoint: 'https://pdp.example.com/access/v1/evaluation',
  })
})

test.each([
  ['https://pdp.example.com', '/.well-known/authzen-configuration'],
  ['https://pdp.example.com/', '/.well-known/authzen-configuration'],
  ['https://pdp.example.com/tenant1', '/.well-known/authzen-configuration/tenant1'],
])('the metadata of %s is at %s (AuthZEN §9.2: inserted before the path)', (identifier, path) => {
  expect(metadataPath(identifier)).toBe(path)
})

test.each(['https://pdp.example.com/?a=1', 'https://pdp.example.com/#a', 'nonsense'])(
  '%s is no identifier',
  (identifier) => expect(() => describeDecisionPoint(identifier)).toThrow(TypeError),
)
