import type { z } from 'zod'
import { VERSION } from '../../base/version.ts'
import { SCOPES } from '../../oauth/scopes.ts'
import { ACCESS_PATHS } from './access-paths.ts'
import { ACCESS_SCHEMAS } from './access-schemas.ts'
import { AGENT_PATHS } from './agent-paths.ts'
import { AGENT_SCHEMAS } from './agent-schemas.ts'
import { ALARM_PATHS } from './alarm-paths.ts'
import { ALARM_SCHEMAS } from './alarm-schemas.ts'
import { AUDIT_PATHS } from './audit-paths.ts'
import { toComponents } from './components.ts'
import { DOCUMENT_PATHS, EXCEPTION_PATHS } from './control-paths.ts'
import { CONTROL_SCHEMAS } from './control-schemas.ts'
import { DEVICE_PATHS } from './device-paths.ts'
import { DEVICE_SCHEMAS } from './device-schemas.ts'
import { DIRECTORY_PATHS } from './directory-paths.ts'
import { DIRECTORY_SCHEMAS } from './directory-schemas.ts'
import { ERROR_SCHEMAS } from './error-schemas.ts'
import { OAUTH_PATHS } from './oauth-paths.ts'
import { OAUTH_SCHEMAS } from './oauth-schemas.ts'
import { type Paths, TAGS, withKeys, writeOperation } from './operation.ts'
import { PEOPLE_PATHS } from './people-paths.ts'
import { PEOPLE_SCHEMAS } from './people-schemas.ts'
import { sharedResponses } from './refusals.ts'
import { RELYING_PARTY_PATHS } from './relying-party-paths.ts'
import { SERVICE_PATHS } from './service-paths.ts'
import { SERVICE_SCHEMAS } from './service-schemas.ts'
import { SIGN_IN_PATHS } from './sign-in-paths.ts'
import { SIGN_IN_SCHEMAS } from './sign-in-schemas.ts'
import { SIGNAL_PATHS } from './signal-paths.ts'
import { SIGNAL_SCHEMAS } from './signal-schemas.ts'
import { VENDOR_PATHS } from './vendor-paths.ts'
import { VENDOR_SCHEMAS } from './vendor-schemas.ts'

/** What an OpenAPI 3.1 document has at its root, as far as this one does. */
export type OpenApiDocument = {
  readonly openapi: '3.1.0'
  readonly info: object
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>
  readonly components: {
    readonly securitySchemes: object
    readonly responses: Readonly<Record<string, object>>
    readonly schemas: Readonly<Record<string, object>>
  }
}

/**
 * Every path of the service, by what it is for.
 *
 * These tables stand beside the routes, and a test holds each to the other. @hono/zod-openapi and hono-openapi
 * would have the routes carry them: both validate bodies before our limits, places and reasons do, and both put
 * what nobody asks for at run time into every start and onto the way of every decision.
 */
export const PATHS: Paths = {
  ...AGENT_PATHS,
  ...ACCESS_PATHS,
  ...RELYING_PARTY_PATHS,
  ...OAUTH_PATHS,
  ...SIGNAL_PATHS,
  ...VENDOR_PATHS,
  ...SIGN_IN_PATHS,
  ...withKeys({
    ...DEVICE_PATHS,
    ...DOCUMENT_PATHS,
    ...EXCEPTION_PATHS,
    ...ALARM_PATHS,
    ...DIRECTORY_PATHS,
    ...AUDIT_PATHS,
    ...PEOPLE_PATHS,
  }),
  ...SERVICE_PATHS,
}

const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  ...AGENT_SCHEMAS,
  ...ACCESS_SCHEMAS,
  ...OAUTH_SCHEMAS,
  ...SIGNAL_SCHEMAS,
  ...VENDOR_SCHEMAS,
  ...SIGN_IN_SCHEMAS,
  ...DEVICE_SCHEMAS,
  ...CONTROL_SCHEMAS,
  ...ALARM_SCHEMAS,
  ...DIRECTORY_SCHEMAS,
  ...PEOPLE_SCHEMAS,
  ...SERVICE_SCHEMAS,
  ...ERROR_SCHEMAS,
}

/**
 * The whole interface as an OpenAPI 3.1 document, with the messages that stand inside others: it says of
 * form what JSON Schema can say.
 */
export function describeApi(): OpenApiDocument {
  document ??= makeDocument()
  return document
}

let document: OpenApiDocument | undefined

function makeDocument(): OpenApiDocument {
  const paths = Object.entries(PATHS).map(([path, operations]) => {
    const written = Object.entries(operations).map(([method, one]) => {
      return [method, writeOperation(one, { method, path })]
    })
    return [path, Object.fromEntries(written)]
  })
  const referred = JSON.stringify(paths)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Countersign',
      summary:
        'What agents, relying parties, receivers, identity providers and administrators ask for.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      version: VERSION,
    },
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: SECURITY_SCHEMES,
      responses: Object.fromEntries(
        Object.entries(sharedResponses()).filter(([name]) => referred.includes(`/${name}"`)),
      ),
      schemas: toComponents(SCHEMAS),
    },
  }
}

const proof = (description: string) => ({ type: 'http', scheme: 'DPoP', description })
const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', description })

/** How callers prove themselves: OpenAPI 3.1 §4.8.27. */
const SECURITY_SCHEMES = {
  basic: {
    ...{ type: 'http', scheme: 'basic' },
    description: 'Id and secret of an API client (RFC 7617), which has scopes.',
  },
  oauth: {
    type: 'oauth2',
    description: 'An access token of this service, or of an issuer of the organisation.',
    flows: {
      clientCredentials: {
        tokenUrl: '/oauth/token',
        scopes: Object.fromEntries(SCOPES.map((scope) => [scope, `What wants ${scope}.`])),
      },
    },
  },
  dpop: proof('The same, bound to a key (RFC 9449 §7.1): with a proof in the header DPoP.'),
  assertion: {
    ...{ type: 'apiKey', in: 'query', name: 'client_assertion' },
    description:
      'private_key_jwt (RFC 7523 §2.2): a parameter of the form, and never of the query.',
  },
  proof: {
    ...{ type: 'apiKey', in: 'header', name: 'DPoP' },
    description: 'A proof of the key that the token in the body confirms.',
  },
  device: proof('A device token, with a proof of its key in the header DPoP (RFC 9449 §7.1).'),
  entra: bearer('A token of Microsoft Entra for custom authentication extensions.'),
  cloudflare: {
    ...{ type: 'apiKey', in: 'header', name: 'Cf-Access-Jwt-Assertion' },
    description: 'What Cloudflare Access adds for the service token that it let through.',
  },
} as const
