import { VENDOR_PROBLEMS, type VendorProblemCode } from '../errors/vendor-problems.ts'
import { EVALUATION_KEYS_PATH, EVALUATION_PATH, POSTURE_PATH } from '../vendors/cloudflare.ts'
import { TOKEN_ISSUANCE_PATH } from '../vendors/entra.ts'
import { TOKEN_HOOK_PATH } from '../vendors/okta.ts'
import { header, json, jsonBody, type Paths } from './operation.ts'
import { problems } from './refusals.ts'

const CODES = Object.keys(VENDOR_PROBLEMS).filter(isCode)
const codesFor = (vendor: 'entra' | 'cloudflare') =>
  CODES.filter((code) => new RegExp(`^(?:vendor|${vendor})_`).test(code))

function isCode(code: string): code is VendorProblemCode {
  return Object.hasOwn(VENDOR_PROBLEMS, code)
}

/** A fault is answered 200 there as well. */
const OF_OKTA = Object.fromEntries(
  Object.entries(problems({ caller: true })).filter(([status]) => !status.startsWith('5')),
)

/** What identity providers call, in their forms. */
export const VENDOR_PATHS: Paths = {
  [TOKEN_ISSUANCE_PATH]: {
    post: {
      id: 'startTokenIssuance',
      ...{ tag: 'vendors', security: ['entra'] },
      summary: 'Microsoft Entra: claims for a token that it is about to issue.',
      body: jsonBody('TokenIssuanceStart'),
      answers: { '200': json('The claims.', 'TokenIssuanceClaims') },
      refusals: problems({ body: true }, codesFor('entra')),
    },
  },
  [TOKEN_HOOK_PATH]: {
    post: {
      id: 'answerTokenHook',
      tag: 'vendors',
      summary: 'Okta: a token inline hook.',
      description:
        'Okta issues tokens whatever is not answered 200, so that refusals are 200 with an error.',
      body: jsonBody('TokenHook'),
      answers: { '200': json('Commands, or an error.', 'TokenHookAnswer') },
      refusals: OF_OKTA,
    },
  },
  [EVALUATION_PATH]: {
    post: {
      id: 'answerExternalEvaluation',
      ...{ tag: 'vendors', security: [] },
      summary: 'Cloudflare Access: an external evaluation, by a token in its body.',
      body: jsonBody('ExternalEvaluation'),
      answers: { '200': json('A signed answer.', 'ExternalEvaluationAnswer') },
      refusals: problems({ body: true }, codesFor('cloudflare')),
    },
  },
  [EVALUATION_KEYS_PATH]: {
    get: {
      id: 'publishEvaluationKeys',
      tag: 'vendors',
      summary: 'Cloudflare Access: what it verifies the answers with.',
      answers: { '200': json('The keys.', 'KeySet') },
      refusals: problems({}),
    },
  },
  [POSTURE_PATH]: {
    post: {
      id: 'scoreDevices',
      ...{ tag: 'vendors', security: ['cloudflare'] },
      summary: 'Cloudflare: scores of devices, up to a thousand at once.',
      parameters: [header('X-Request-ID', 'Comes back byte for byte.')],
      body: jsonBody('PostureRequest'),
      answers: { '200': json('The scores, by the ids of the request.', 'PostureAnswer') },
      refusals: problems({ body: true }, codesFor('cloudflare')),
    },
  },
}
