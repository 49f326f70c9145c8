import { EVALUATION_PATH, EVALUATIONS_PATH, searchPath } from '../../access/metadata.ts'
import { AUTHZEN_ANSWERS, type AuthzenErrorCode } from '../errors/authzen-error.ts'
import { header, json, jsonBody, type Operation, type Paths } from './operation.ts'
import { authzenErrors, problems } from './refusals.ts'

const KIND = { body: true, caller: true } as const

const OF_SEARCHES: ReadonlySet<string> = new Set([
  'search_of_devices',
  'page_token_refused',
  'page_token_expired',
])

/** Every reason that AuthZEN's endpoints refuse for: of searches, or of evaluations. */
const OWN = Object.keys(AUTHZEN_ANSWERS).filter(isOwn)
const ofEvaluation = OWN.filter((code) => !OF_SEARCHES.has(code))
const ofSearch = OWN.filter(
  (code) => !code.startsWith('break_glass_') && !/evaluations|semantic/.test(code),
)

function isOwn(code: string): code is keyof typeof AUTHZEN_ANSWERS & AuthzenErrorCode {
  return Object.hasOwn(AUTHZEN_ANSWERS, code)
}

const REQUEST_ID = header('X-Request-ID', 'Comes back byte for byte (§10.1.3).')
const PARAMETERS = [
  REQUEST_ID,
  header('Accept-Language', 'Of what a person reads; context.language goes before it.'),
  header('Break-Glass', 'A token of an emergency, which alone answers then.'),
]

function search(kind: 'subject' | 'resource' | 'action', summary: string): Operation {
  const name = { subject: 'SubjectSearch', resource: 'ResourceSearch', action: 'ActionSearch' }[
    kind
  ]
  return {
    id: `search${name.replace('Search', 's')}`,
    ...{ tag: 'decisions', summary },
    parameters: [REQUEST_ID],
    body: jsonBody(`${name}Request`),
    answers: { '200': json('A page of them.', 'SearchResults') },
    refusals: authzenErrors(KIND, ofSearch),
  }
}

/** AuthZEN 1.0: what relying parties ask before they grant anything. */
export const ACCESS_PATHS: Paths = {
  [EVALUATION_PATH]: {
    post: {
      id: 'evaluate',
      tag: 'decisions',
      summary: 'Whether a request is granted (§6).',
      parameters: PARAMETERS,
      body: jsonBody('EvaluationRequest'),
      answers: { '200': json('The decision: a denial is one, and no error.', 'EvaluationAnswer') },
      refusals: authzenErrors(KIND, ofEvaluation),
    },
  },
  [EVALUATIONS_PATH]: {
    post: {
      id: 'evaluateMany',
      tag: 'decisions',
      summary: 'Whether each of several requests is granted (§7).',
      parameters: PARAMETERS,
      body: jsonBody('EvaluationsRequest'),
      answers: { '200': json('The decisions, in their order.', 'EvaluationsAnswer') },
      refusals: authzenErrors(KIND, ofEvaluation),
    },
  },
  [searchPath('subject')]: { post: search('subject', 'Which subjects would be granted (§8.4).') },
  [searchPath('resource')]: {
    post: search('resource', 'Which resources would be granted (§8.5).'),
  },
  [searchPath('action')]: { post: search('action', 'Which actions would be granted (§8.6).') },
  '/.well-known/authzen-configuration': {
    get: {
      id: 'describeDecisionPoint',
      tag: 'decisions',
      summary: 'Where the endpoints are, with a signature over it (§9).',
      answers: { '200': json('The metadata.', 'AuthzenConfiguration') },
      refusals: problems({}),
    },
  },
}
