import { err, ok, type Result } from '../base/result.ts'
import type { ActionFacts, EntityFacts, RequestFacts } from '../policy/language/input.ts'
import {
  MAX_ENTITY_TEXT_CHARS,
  MAX_PROPERTY_DEPTH,
  MAX_PROPERTY_TEXT_CHARS,
  MAX_PROPERTY_VALUES,
} from './limits.ts'

/**
 * One question of the AuthZEN Authorization API 1.0 (§5, §6.1): checked for shape and size, not for
 * truth. Absent `properties` and `context` are empty.
 */
export type EvaluationRequest = RequestFacts

export const AUTHZEN_REASONS = [
  'authzen_member_missing',
  'authzen_member_ill_typed',
  'authzen_over_limit',
] as const

export type AuthzenFailure = {
  readonly reason: (typeof AUTHZEN_REASONS)[number]
  /** `subject.id`; empty for the whole body. */
  readonly member: string
  /** The error message string that AuthZEN §10.1.2 asks for. */
  readonly message: string
}

export type Members = Readonly<Record<string, unknown>>

type Read<T> = Result<T, AuthzenFailure>

/** Reads the parsed body of an Access Evaluation request. Unknown members are ignored (§10.1.1). */
export function parseEvaluation(json: unknown): Read<EvaluationRequest> {
  return isMembers(json) ? readRequest(json) : illTyped('', 'an object')
}

/** Reads one question out of its members, wherever they were put together from. */
export function readRequest(members: Members): Read<EvaluationRequest> {
  const subject = readEntity(members, 'subject')
  if (!subject.ok) return subject
  const resource = readEntity(members, 'resource')
  if (!resource.ok) return resource
  const action = readAction(members)
  if (!action.ok) return action
  const context = readProperties(members, 'context', 'context')
  if (!context.ok) return context
  return ok({
    subject: subject.value,
    resource: resource.value,
    action: action.value,
    context: context.value,
  })
}

function readEntity(members: Members, name: 'subject' | 'resource'): Read<EntityFacts> {
  const entity = members[name]
  if (entity === undefined) return missing(name)
  if (!isMembers(entity)) return illTyped(name, 'an object')
  const type = readText(entity, 'type', name)
  if (!type.ok) return type
  const id = readText(entity, 'id', name)
  if (!id.ok) return id
  const properties = readProperties(entity, 'properties', `${name}.properties`)
  if (!properties.ok) return properties
  return ok({ type: type.value, id: id.value, properties: properties.value })
}

function readAction(members: Members): Read<ActionFacts> {
  const { action } = members
  if (action === undefined) return missing('action')
  if (!isMembers(action)) return illTyped('action', 'an object')
  const name = readText(action, 'name', 'action')
  if (!name.ok) return name
  const properties = readProperties(action, 'properties', 'action.properties')
  if (!properties.ok) return properties
  return ok({ name: name.value, properties: properties.value })
}

function readText(members: Members, name: string, parent: string): Read<string> {
  const text = members[name]
  const path = `${parent}.${name}`
  if (text === undefined) return missing(path)
  if (typeof text !== 'string') return illTyped(path, 'a string')
  return text.length > MAX_ENTITY_TEXT_CHARS ? overLimit(path) : ok(text)
}

const NO_PROPERTIES: Members = Object.freeze({})

function readProperties(members: Members, name: string, path: string): Read<Members> {
  const properties = members[name]
  if (properties === undefined) return ok(NO_PROPERTIES)
  if (!isMembers(properties)) return illTyped(path, 'an object')
  return countValues(properties, MAX_PROPERTY_DEPTH) > MAX_PROPERTY_VALUES
    ? overLimit(path)
    : ok(properties)
}

/** The number of values in JSON: infinite when it is too deep or holds a text that is too long. */
function countValues(value: unknown, depth: number): number {
  if (typeof value === 'string' && value.length > MAX_PROPERTY_TEXT_CHARS) return Infinity
  if (typeof value !== 'object' || value === null) return 1
  if (depth === 0) return Infinity
  const children = Array.isArray(value) ? value : Object.values(value)
  if (children.length > MAX_PROPERTY_VALUES) return Infinity
  let count = 1
  for (const child of children) {
    count += countValues(child, depth - 1)
    if (count > MAX_PROPERTY_VALUES) return Infinity
  }
  return count
}

export function isMembers(json: unknown): json is Members {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function missing(member: string) {
  return err({ reason: 'authzen_member_missing', member, message: `${member} is required` })
}

export function illTyped(member: string, expected: string) {
  const message = `${member || 'the body'} must be ${expected}`
  return err({ reason: 'authzen_member_ill_typed', member, message })
}

function overLimit(member: string) {
  return err({ reason: 'authzen_over_limit', member, message: `${member} is too large` })
}
