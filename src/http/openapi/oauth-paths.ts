import {
  INTROSPECTION_PATH,
  RESOURCE_METADATA_PATH,
  REVOCATION_PATH,
  SERVER_METADATA_PATH,
  TOKEN_PATH,
} from '../../oauth/metadata.ts'
import { OAUTH_ANSWERS, type OAuthReason } from '../errors/oauth-answers.ts'
import { formBody, header, json, type Paths } from './operation.ts'
import { oauthErrors, problems } from './refusals.ts'

const REASONS = Object.keys(OAUTH_ANSWERS).filter(isReason)

/** What of the form, and of who sends it, is refused at every endpoint. */
export const OF_CLIENTS = REASONS.filter((reason) =>
  /^(?:form|client|assertion|jwks)_/.test(reason),
)
const OF_TOKENS: ReadonlySet<string> = new Set([
  'token_parameter_missing',
  'token_of_another_client',
])

function isReason(reason: string): reason is OAuthReason {
  return Object.hasOwn(OAUTH_ANSWERS, reason)
}

/** Clients prove themselves by HTTP Basic, or by an assertion in the form. */
const shared = { tag: 'oauth', security: ['basic', 'assertion'] } as const

export const OAUTH_PATHS: Paths = {
  [TOKEN_PATH]: {
    post: {
      id: 'issueToken',
      ...shared,
      summary: 'An access token for a client itself (RFC 6749 §4.4).',
      parameters: [header('DPoP', 'RFC 9449 §5: binds the token to the key of this proof.')],
      body: formBody('TokenRequest'),
      answers: { '200': json('The token.', 'AccessToken') },
      refusals: oauthErrors(REASONS.filter((reason) => !OF_TOKENS.has(reason))),
    },
  },
  [REVOCATION_PATH]: {
    post: {
      id: 'revokeToken',
      ...shared,
      summary: 'Revokes an access token of the client (RFC 7009).',
      body: formBody('TokenForm'),
      answers: { '200': { description: 'It counts no more, or never did.' } },
      refusals: oauthErrors([
        ...OF_CLIENTS,
        ...(['token_parameter_missing', 'token_of_another_client'] as const),
      ]),
    },
  },
  [INTROSPECTION_PATH]: {
    post: {
      id: 'introspectToken',
      ...shared,
      summary: 'What an access token is good for now (RFC 7662).',
      body: formBody('TokenForm'),
      answers: { '200': json('What is known of it.', 'Introspection') },
      refusals: oauthErrors([...OF_CLIENTS, 'token_parameter_missing']),
    },
  },
  [SERVER_METADATA_PATH]: {
    get: {
      id: 'describeAuthorizationServer',
      tag: 'oauth',
      summary: 'How to get a token (RFC 8414).',
      answers: { '200': json('The metadata.', 'AuthorizationServer') },
      refusals: problems({}),
    },
  },
  [RESOURCE_METADATA_PATH]: {
    get: {
      id: 'describeProtectedResource',
      tag: 'oauth',
      summary: 'Whose tokens this API takes (RFC 9728).',
      answers: { '200': json('The metadata.', 'ProtectedResource') },
      refusals: problems({}),
    },
  },
}
