/** AuthZEN §9: where the endpoints of this decision point are. */
export type AuthzenConfiguration = {
  readonly policy_decision_point: string
  readonly access_evaluation_endpoint: string
  readonly access_evaluations_endpoint: string
}

export const EVALUATION_PATH = '/access/v1/evaluation'
export const EVALUATIONS_PATH = '/access/v1/evaluations'

/** For the identifier that the well-known URL was built from, which the answer must repeat. */
export function describeDecisionPoint(identifier: string): AuthzenConfiguration {
  const { search, hash } = new URL(identifier)
  if (search !== '' || hash !== '') throw new TypeError('an identifier has no query or fragment')
  const base = identifier.replace(/\/+$/, '')
  return {
    policy_decision_point: identifier,
    access_evaluation_endpoint: base + EVALUATION_PATH,
    access_evaluations_endpoint: base + EVALUATIONS_PATH,
  }
}
