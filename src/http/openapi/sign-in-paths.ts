import {
  AUTHORIZATION_PATH,
  CODE_PATH,
  DISCOVERY_PATH,
  PROVIDER_KEYS_PATH,
  PROVIDER_PATH,
} from '../../vendors/oidc/discovery.ts'
import {
  SIGN_IN_CODE_ANSWERS,
  SIGN_IN_PROBLEMS,
  type SignInProblemCode,
} from '../errors/sign-in-answers.ts'
import { OF_CLIENTS } from './oauth-paths.ts'
import {
  formBody,
  header,
  json,
  type Operation,
  type Paths,
  pathParameter,
  queryParameters,
  text,
} from './operation.ts'
import { oauthErrors, pageErrors, problems } from './refusals.ts'
import { authorizationRequest } from './sign-in-schemas.ts'

const CODES = Object.keys(SIGN_IN_PROBLEMS).filter(isCode)
/** Of agents, and of what an identity provider registered. */
const isOfBrowser = (code: SignInProblemCode) =>
  !/_(?:token|proof|uri)_refused$|client_unknown$/.test(code)
const OF_BROWSERS = CODES.filter(isOfBrowser)
const OF_AGENTS = CODES.filter(
  (code) => !/_(?:uri_refused|ticket_refused)$|client_unknown$|browser$/.test(code),
)

function isCode(code: string): code is SignInProblemCode {
  return Object.hasOwn(SIGN_IN_PROBLEMS, code)
}

const page = (description: string) => text(description, 'text/html')
const id = pathParameter('id', 'The sign-in.')
const shared = { tag: 'sign-ins' } as const

/** A person is sent here, and is shown pages from then on. */
const begin: Pick<Operation, 'tag' | 'summary' | 'answers' | 'refusals'> = {
  ...shared,
  summary: 'Begins a sign-in for an identity provider (OpenID Connect Core 1.0 §3.1.2.1).',
  answers: {
    '200': page('A page that goes back with an error.'),
    '303': {
      description: 'To the page of the sign-in.',
      headers: { Location: { schema: { type: 'string' } } },
    },
  },
  refusals: pageErrors(['sign_in_client_unknown', 'sign_in_redirect_uri_refused']),
}

/** The OpenID provider for identity providers that have a device proven. */
export const SIGN_IN_PATHS: Paths = {
  [DISCOVERY_PATH]: {
    get: {
      id: 'describeOpenIdProvider',
      ...shared,
      summary: 'What identity providers find out about us.',
      answers: { '200': json('The metadata.', 'OpenIdProvider') },
      refusals: problems({}),
    },
  },
  [PROVIDER_KEYS_PATH]: {
    get: {
      id: 'publishIdTokenKeys',
      ...shared,
      summary: 'What ID tokens are verified with.',
      answers: { '200': json('The keys.', 'KeySet') },
      refusals: problems({}),
    },
  },
  [AUTHORIZATION_PATH]: {
    get: { id: 'beginSignIn', ...begin, parameters: queryParameters(authorizationRequest) },
    post: { id: 'beginSignInByForm', ...begin, body: formBody('AuthorizationRequest') },
  },
  [`${PROVIDER_PATH}/{id}`]: {
    get: {
      id: 'showSignIn',
      ...shared,
      summary: 'The page that asks the agent and waits.',
      parameters: [id],
      answers: { '200': page('The page.') },
      refusals: pageErrors(OF_BROWSERS),
    },
  },
  [`${PROVIDER_PATH}/{id}/state`]: {
    get: {
      id: 'readSignInState',
      ...shared,
      summary: 'How the sign-in stands, for the page.',
      parameters: [id],
      answers: { '200': json('Its state.', 'SignInState') },
      refusals: problems({}, OF_BROWSERS),
    },
  },
  [`${PROVIDER_PATH}/{id}/continue`]: {
    get: {
      id: 'continueSignIn',
      ...shared,
      summary: 'Goes on with the ticket of the agent.',
      parameters: [
        id,
        { name: 'ticket', in: 'query', required: false, schema: { type: 'string' } },
      ],
      answers: {
        '200': page('Goes back to the identity provider, or says why the device is denied.'),
      },
      refusals: pageErrors(OF_BROWSERS),
    },
  },
  [`${PROVIDER_PATH}/{id}/leave`]: {
    post: {
      id: 'leaveSignIn',
      ...shared,
      summary: 'Goes back without a proof.',
      parameters: [id],
      body: { ...formBody('LeaveForm'), required: false },
      answers: { '200': page('Goes back to the identity provider.') },
      refusals: pageErrors(OF_BROWSERS),
    },
  },
  '/v1/sign-ins/{id}/proof': {
    post: {
      id: 'proveDevice',
      ...{ ...shared, security: ['device'] },
      summary: 'An agent proves its device for a sign-in.',
      parameters: [id, header('DPoP', 'RFC 9449, with the id of the sign-in as its nonce.')],
      answers: { '200': json('A ticket, and where the browser goes on with it.', 'SignInTicket') },
      refusals: problems({}, OF_AGENTS),
    },
  },
  [CODE_PATH]: {
    post: {
      id: 'redeemCode',
      ...{ ...shared, security: ['basic', 'assertion'] },
      summary: 'An ID token for a code (OpenID Connect Core 1.0 §3.1.3).',
      body: formBody('CodeRequest'),
      answers: { '200': json('The token.', 'IdTokenAnswer') },
      refusals: oauthErrors(OF_CLIENTS, Object.values(SIGN_IN_CODE_ANSWERS)),
    },
  },
}
