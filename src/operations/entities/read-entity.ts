import { z } from 'zod'
import { DEVICE_PROPERTIES } from '../../access/device-of-request.ts'
import {
  ENTITY_KINDS,
  type EntityName,
  type EntityProperties,
  isDirectoryName,
} from '../../access/directory.ts'
import { isMembers } from '../../access/evaluation-request.ts'
import {
  MAX_DIRECTORY_BYTES,
  MAX_DIRECTORY_DEPTH,
  MAX_DIRECTORY_ID_BYTES,
  MAX_DIRECTORY_PROPERTIES,
  MAX_DIRECTORY_TYPE_BYTES,
  MAX_DIRECTORY_VALUES,
  MAX_SOURCE_CHARS,
} from '../../access/limits.ts'
import { nameKeptDocument } from '../../base/document-hash.ts'
import { isStorableText, toUtf8 } from '../../base/encoding.ts'

/** Changes that are written together, or not at all. */
export const ENTITIES_AT_ONCE = 500

const typed = { kind: z.enum(['subject', 'resource']), type: z.string(), id: z.string() }
const named = { kind: z.literal('action'), name: z.string() }

/** A subject or resource by its type and id, or an action by its name, as it is written in JSON. */
export const entityName = z
  .discriminatedUnion('kind', [z.strictObject(typed), z.strictObject(named)])
  .transform(nameOf)
  .refine(isEntity, describeBounds())

const said = {
  properties: properties(),
  source: source().optional(),
  /** As an export has it; when it is set counts. */
  updated_at: z.iso.datetime().optional(),
}

/** The same with what is known of it. Properties replace those that were there, whole. */
export const entityToSet = z
  .discriminatedUnion('kind', [
    z.strictObject({ ...typed, ...said }),
    z.strictObject({ ...named, ...said }),
  ])
  .transform(({ properties, source, updated_at: _, ...written }): EntityToSet => {
    return { ...nameOf(written), properties, source }
  })
  .refine(isEntity, describeBounds())

export type EntityToSet = EntityName & {
  readonly properties: EntityProperties
  /** Where it comes from; absent where whoever writes it says so for all. */
  readonly source: string | undefined
}

export const entityKind = z.enum(ENTITY_KINDS)

/** Where entities come from: `scim`, a file, an importer. */
export function source() {
  return z
    .string()
    .min(1)
    .max(MAX_SOURCE_CHARS)
    .refine(isStorableText, 'has text that cannot be kept')
}

type Written =
  | { readonly kind: 'subject' | 'resource'; readonly type: string; readonly id: string }
  | { readonly kind: 'action'; readonly name: string }

function nameOf(written: Written): EntityName {
  if (written.kind === 'action') return { kind: 'action', type: '', id: written.name }
  const { kind, type, id } = written
  return { kind, type, id }
}

/** What is known of a device is what it attests. */
function isEntity(name: EntityName): boolean {
  return isDirectoryName(name) && (name.kind !== 'subject' || name.type !== 'device')
}

function describeBounds(): string {
  return `must have a type of 1 to ${MAX_DIRECTORY_TYPE_BYTES} bytes, other than device, and an id or name of 1 to ${MAX_DIRECTORY_ID_BYTES} bytes, of text that can be kept`
}

function properties() {
  return z
    .custom<EntityProperties>(isMembers, 'must be an object')
    .superRefine((value, context) => {
      const problem = problemOfProperties(value)
      if (problem !== undefined) context.addIssue(problem)
    })
}

/** In words what is wrong with them, for whoever wrote them. */
export function problemOfProperties(properties: EntityProperties): string | undefined {
  const names = Object.keys(properties)
  if (names.length > MAX_DIRECTORY_PROPERTIES) {
    return `must have at most ${MAX_DIRECTORY_PROPERTIES} members`
  }
  const taken = names.find((name) => DEVICE_PROPERTIES.has(name))
  if (taken !== undefined) return `must not have ${taken}: a question names its device itself`
  const values = countValues(properties, MAX_DIRECTORY_DEPTH)
  if (values === Infinity) return `must be nested at most ${MAX_DIRECTORY_DEPTH} deep`
  if (values > MAX_DIRECTORY_VALUES) return `must have at most ${MAX_DIRECTORY_VALUES} values`
  const named = nameKeptDocument(properties)
  if (named === undefined) return 'must have text that can be kept, and numbers that are finite'
  return toUtf8(named.canonical).length > MAX_DIRECTORY_BYTES
    ? `must have at most ${MAX_DIRECTORY_BYTES} bytes as JSON`
    : undefined
}

function countValues(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 1
  if (depth === 0) return Infinity
  return Object.values(value).reduce<number>((sum, one) => sum + countValues(one, depth - 1), 1)
}

/** An entity as it is written in JSON, in one line of a file and in answers. */
export function writeEntityName({ kind, type, id }: EntityName) {
  return kind === 'action' ? { kind, name: id } : { kind, type, id }
}
