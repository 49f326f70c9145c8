import { json, type Paths, pathParameter, text } from './operation.ts'
import { problems } from './refusals.ts'

const shared = { tag: 'service' } as const

/** What operators and others look at, of no use case. */
export const SERVICE_PATHS: Paths = {
  '/healthz': {
    get: {
      id: 'isAlive',
      ...shared,
      summary: 'Whether the process runs.',
      answers: { '200': json('It does.', 'Alive') },
      refusals: problems({}),
    },
  },
  '/readyz': {
    get: {
      id: 'isReady',
      ...shared,
      summary: 'Whether it can answer.',
      answers: {
        '200': json('It can.', 'Ready'),
        '503': json('It is on its way down, or its database does not answer.', 'NotReady'),
      },
      refusals: problems({}),
    },
  },
  '/metrics': {
    get: {
      id: 'readMetrics',
      ...shared,
      summary: 'Metrics in the text format of Prometheus.',
      answers: { '200': text('The metrics.', 'text/plain') },
      refusals: problems({}),
    },
  },
  '/.well-known/jwks.json': {
    get: {
      id: 'publishKeys',
      ...shared,
      summary: 'What device tokens, receipts, events and other signatures are verified with.',
      answers: { '200': json('The keys (RFC 7517).', 'KeySet') },
      refusals: problems({}),
    },
  },
  '/openapi.json': {
    get: {
      id: 'describeApi',
      ...shared,
      summary: 'This document.',
      answers: { '200': json('OpenAPI 3.1.', 'OpenApi') },
      refusals: problems({}),
    },
  },
  '/openapi': {
    get: {
      id: 'showApi',
      ...shared,
      summary: 'This document as a page.',
      answers: { '200': text('Its contents.', 'text/html') },
      refusals: problems({}),
    },
  },
  '/openapi/operations/{id}': {
    get: {
      id: 'showOperation',
      ...shared,
      summary: 'One operation of it as a page.',
      parameters: [pathParameter('id', 'The operationId.')],
      answers: { '200': text('The page.', 'text/html') },
      refusals: problems({}, ['not_found']),
    },
  },
  '/openapi/schemas/{name}': {
    get: {
      id: 'showSchema',
      ...shared,
      summary: 'One schema of it as a page.',
      parameters: [pathParameter('name', 'The name of the schema.')],
      answers: { '200': text('The page.', 'text/html') },
      refusals: problems({}, ['not_found']),
    },
  },
  '/openapi.css': {
    get: {
      id: 'readStyle',
      ...shared,
      summary: 'What these pages look like.',
      answers: { '200': text('The stylesheet.', 'text/css') },
      refusals: problems({}),
    },
  },
}
