import { z } from 'zod'
import type { Scope } from '../../oauth/scopes.ts'
import { isRoute, scopesOfRoute } from '../route-access.ts'
import { refer } from './components.ts'

/** Which part of the interface an operation belongs to, in the order in which the document has them. */
export const TAGS = {
  agents: 'What agents on devices ask for.',
  decisions: 'OpenID AuthZEN Authorization API 1.0: whether a request is granted.',
  'relying parties': 'What relying parties fetch besides.',
  oauth: 'Access tokens for callers of this API.',
  signals: 'OpenID Shared Signals Framework 1.0: streams of events about devices.',
  vendors:
    'What single identity providers call, in their own forms; there where one is configured.',
  'sign-ins':
    'An OpenID provider that proves the device of a sign-in; there where a client is registered.',
  devices: 'What administrators see of devices and do to them.',
  documents: 'Policy and reference values: what they are, previews and rollouts.',
  exceptions: 'Overrides, holds, and what waits for a second administrator.',
  alarms: 'What is wrong now, what ends soon, and who is told.',
  entities: 'The entity directory: what is known of subjects, resources and actions.',
  people: 'Who is signed in to the console.',
  audit: 'Who changed what.',
  service: 'Health, metrics, keys and this document.',
} as const

export type Tag = keyof typeof TAGS

/** Answers by their status: OpenAPI 3.1 §4.8.16. */
export type Responses = Readonly<Record<string, object>>

/** One operation as this service describes it; `writeOperation` makes OpenAPI of it. */
export type Operation = {
  readonly id: string
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  /** Of operations that want no scope, and tell callers apart in another way: names of schemes. */
  readonly security?: readonly string[]
  readonly parameters?: readonly object[]
  readonly body?: object
  /** Its answer is kept nowhere, so that it takes no Idempotency-Key. */
  readonly holdsSecret?: true
  readonly answers: Responses
  readonly refusals: Responses
}

/** Operations by path and method, in small letters. */
export type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>

/** How a caller proves itself where a scope is asked for: every way has the same scopes. */
export const CALLER_SCHEMES = ['basic', 'oauth', 'dpop'] as const

/** OpenAPI 3.1 §4.8.10. Which scopes it wants, if any, is what its route demands (`ROUTE_ACCESS`). */
export function writeOperation(
  operation: Operation,
  { method, path }: { readonly method: string; readonly path: string },
): object {
  const { id, tag, summary, description, security = [], parameters, body } = operation
  const scopes = scopesOf(method, path)
  const callers = scopes.flatMap((scope) => CALLER_SCHEMES.map((name) => [name, [scope]]))
  const schemes = scopes.length > 0 ? callers : security.map((name) => [name, []])
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: schemes.map((scheme) => Object.fromEntries([scheme])),
    ...(parameters !== undefined && { parameters }),
    ...(body !== undefined && { requestBody: body }),
    responses: { ...operation.refusals, ...operation.answers },
  }
}

function scopesOf(method: string, path: string): readonly Scope[] {
  const route = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
  return isRoute(route) ? scopesOfRoute(route) : []
}

/** An answer in JSON of the form that the document has under this name. */
export function json(description: string, name: string, headers?: object): object {
  const content = { 'application/json': { schema: refer(name) } }
  return { description, ...(headers !== undefined && { headers }), content }
}

/** An answer of text in another media type. */
export function text(description: string, type: string): object {
  return { description, content: { [type]: { schema: { type: 'string' } } } }
}

/** A body in JSON of this form, which has to be there. */
export function jsonBody(name: string): object {
  return { required: true, content: { 'application/json': { schema: refer(name) } } }
}

/** A body that is a form. */
export function formBody(name: string): object {
  return {
    required: true,
    content: { 'application/x-www-form-urlencoded': { schema: refer(name) } },
  }
}

/** A part of a path. */
export function pathParameter(name: string, description: string, schema: object = {}): object {
  const minimum = { type: 'string', minLength: 1, ...schema }
  return { name, in: 'path', required: true, description, schema: minimum }
}

/** A header of a request. */
export function header(name: string, description: string, schema: object = {}): object {
  return { name, in: 'header', required: false, description, schema: { type: 'string', ...schema } }
}

/** The same operations of administrators, of which each that changes something may have a key. */
export function withKeys(paths: Paths): Paths {
  const key = header(
    'Idempotency-Key',
    'Of this change alone: sent again under it, it happens once.',
    {
      pattern: '^[\\x21-\\x7e]{1,255}$',
    },
  )
  return Object.fromEntries(
    Object.entries(paths).map(([path, operations]) => {
      const keyed = Object.entries(operations).map(([method, operation]) => {
        const { parameters = [] } = operation
        return [
          method,
          method === 'get' || operation.holdsSecret
            ? operation
            : { ...operation, parameters: [...parameters, key] },
        ]
      })
      return [path, Object.fromEntries(keyed)]
    }),
  )
}

/** The parameters of a query, from the schema that reads them. Those named in `repeated` may come again. */
export function queryParameters(schema: z.ZodType, repeated: readonly string[] = []): object[] {
  const made = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  const required: readonly string[] = made.required ?? []
  return Object.entries(made.properties ?? {}).map(([name, property]) => {
    const { description, ...rest } = Object(property)
    return {
      ...{ name, in: 'query', required: required.includes(name) },
      ...(description !== undefined && { description }),
      ...(repeated.includes(name) && { style: 'form', explode: true }),
      schema: rest,
    }
  })
}
