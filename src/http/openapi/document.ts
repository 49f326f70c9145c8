import { VERSION } from '../../base/version.ts'
import { AGENT_PATHS } from './agent-paths.ts'
import { AGENT_SCHEMAS } from './agent-schemas.ts'
import { toComponents } from './components.ts'
import { ERROR_SCHEMAS } from './error-schemas.ts'
import { RELYING_PARTY_PATHS } from './relying-party-paths.ts'

/** What an OpenAPI 3.1 document has at its root, as far as this one does. */
export type OpenApiDocument = {
  readonly openapi: '3.1.0'
  readonly info: object
  readonly paths: Readonly<Record<string, object>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

/**
 * The interface of agents as an OpenAPI 3.1 document, with the messages that stand inside others: it
 * says of form what JSON Schema can say.
 */
export function describeApi(): OpenApiDocument {
  document ??= makeDocument()
  return document
}

let document: OpenApiDocument | undefined

function makeDocument(): OpenApiDocument {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Countersign',
      summary: 'What agents on devices ask for, and what relying parties fetch.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      version: VERSION,
    },
    paths: { ...AGENT_PATHS, ...RELYING_PARTY_PATHS },
    components: { schemas: toComponents({ ...AGENT_SCHEMAS, ...ERROR_SCHEMAS }) },
  }
}
