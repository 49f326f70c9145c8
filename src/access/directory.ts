import { isStorableText, toUtf8 } from '../base/encoding.ts'
import { DIRECTORY_ROOTS, type DirectoryRoot } from '../policy/document/reads.ts'
import type { EntityFacts } from '../policy/language/input.ts'
import { DEVICE_PROPERTIES } from './device-of-request.ts'
import type { EvaluationRequest } from './evaluation-request.ts'
import { MAX_DIRECTORY_ID_BYTES, MAX_DIRECTORY_TYPE_BYTES } from './limits.ts'

/**
 * What administrators keep about the subjects, resources and actions of questions. A policy reads it
 * as `properties` where a question says none. It vouches for nobody: that a caller speaks for a
 * subject is the caller's word, as it is without a directory.
 */
export const ENTITY_KINDS = DIRECTORY_ROOTS

export type EntityKind = DirectoryRoot

/** Names one entity, byte for byte: letters that look alike, or case, make another one. */
export type EntityName = {
  readonly kind: EntityKind
  /** Empty for an action, which AuthZEN knows by its name alone. */
  readonly type: string
  /** Of an action its name. */
  readonly id: string
}

export type EntityProperties = Readonly<Record<string, unknown>>

/** What was found of some entities, by `entityKey`. */
export type DirectoryEntries = ReadonlyMap<string, EntityProperties>

export function entityKey({ kind, type, id }: EntityName): string {
  return JSON.stringify([kind, type, id])
}

/** Whether an entity can be in the directory by such a type and id, as far as their text goes. */
export function isDirectoryName({ kind, type, id }: EntityName): boolean {
  const isTyped = kind === 'action' ? type === '' : isText(type, MAX_DIRECTORY_TYPE_BYTES)
  return isTyped && isText(id, MAX_DIRECTORY_ID_BYTES)
}

function isText(text: string, maxBytes: number): boolean {
  if (text === '' || text.length > maxBytes) return false
  return isStorableText(text) && toUtf8(text).length <= maxBytes
}

/** What of a question the directory stands in for, where it was asked; absent where it knows nothing. */
export type Directory = Partial<Readonly<Record<EntityKind, EntityProperties>>>

/**
 * The entities whose properties a question leaves to the directory, of the kinds that are asked for. A
 * device is no entity of it: what is known of devices is what they attest.
 */
export function entitiesOf(
  { subject, resource, action }: EvaluationRequest,
  kinds: ReadonlySet<EntityKind>,
): readonly EntityName[] {
  const names: EntityName[] = []
  if (kinds.has('subject') && subject.type !== 'device' && saysNothing(subject)) {
    names.push({ kind: 'subject', type: subject.type, id: subject.id })
  }
  if (kinds.has('resource') && isEmpty(resource.properties)) {
    names.push({ kind: 'resource', type: resource.type, id: resource.id })
  }
  if (kinds.has('action') && isEmpty(action.properties)) {
    names.push({ kind: 'action', type: '', id: action.name })
  }
  return names.filter(isDirectoryName)
}

/** What of `entries` is for this question. */
export function directoryOf(
  request: EvaluationRequest,
  kinds: ReadonlySet<EntityKind>,
  entries: DirectoryEntries,
): Directory {
  const found: Partial<Record<EntityKind, EntityProperties>> = {}
  for (const name of entitiesOf(request, kinds)) {
    const properties = entries.get(entityKey(name))
    if (properties !== undefined) found[name.kind] = properties
  }
  return found
}

/**
 * The question with the directory's properties where it says none. What a caller sends wins as a
 * whole, and nothing is merged inside: one property of an entity sent, none of the directory's counts.
 * By which members a subject names its device says nothing about the subject: these stay beside the
 * directory's, and go before members of such names.
 *
 * Which device a question is about is never read from what this gives, but from what was sent.
 */
export function completeRequest(
  request: EvaluationRequest,
  { subject, resource, action }: Directory,
): EvaluationRequest {
  if (subject === undefined && resource === undefined && action === undefined) return request
  return {
    ...request,
    ...(subject !== undefined &&
      saysNothing(request.subject) && {
        subject: {
          ...request.subject,
          properties: { ...subject, ...request.subject.properties },
        },
      }),
    ...(resource !== undefined &&
      isEmpty(request.resource.properties) && {
        resource: { ...request.resource, properties: resource },
      }),
    ...(action !== undefined &&
      isEmpty(request.action.properties) && {
        action: { ...request.action, properties: action },
      }),
  }
}

/** Whether nothing but its device is said of a subject. */
function saysNothing({ properties }: EntityFacts): boolean {
  for (const name in properties) {
    if (Object.hasOwn(properties, name) && !DEVICE_PROPERTIES.has(name)) return false
  }
  return true
}

function isEmpty(properties: EntityProperties): boolean {
  for (const name in properties) if (Object.hasOwn(properties, name)) return false
  return true
}
