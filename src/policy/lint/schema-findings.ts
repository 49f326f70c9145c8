import { z } from 'zod'
import { type JsonNode, memberOf, plainValueOf } from '../../base/json/tree.ts'
import { suggestName } from '../language/suggest.ts'
import { MAX_FINDINGS } from '../limits.ts'
import type { LocatedFinding } from './finding.ts'

/** Of a name that is not known. */
const MAX_SHOWN_CHARS = 64

type Path = readonly PropertyKey[]
type Finding = Omit<LocatedFinding, 'severity' | 'clause' | 'member'>

/** A finding and the whole path of the member that it is about. */
export type SchemaFinding = Finding & { readonly path: Path }

/** Where a document departs from its schema: the first places, as nobody reads on for ever. */
export function findSchemaProblems(node: JsonNode, schema: z.ZodType): readonly SchemaFinding[] {
  const checked = schema.safeParse(plainValueOf(node))
  if (checked.success) return []
  const shape = shapeOf(schema)
  return checked.error.issues.slice(0, MAX_FINDINGS).flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return describeUnknown(issue, { node, shape })
    const { found, isWhole } = follow(node, issue.path)
    if (isWhole) return [describeWrong(issue, found, shape)]
    // A comparison with a member that is not there only follows from another mistake.
    return issue.code === 'custom' ? [] : [describeMissing(issue, found)]
  })
}

/** Made once for each schema: that costs ten times what looking through a document does. */
const shapes = new WeakMap<z.ZodType, Shape>()

function shapeOf(schema: z.ZodType): Shape {
  const known = shapes.get(schema)
  if (known !== undefined) return known
  const shape = z.toJSONSchema(schema)
  shapes.set(schema, shape)
  return shape
}

type Document = { readonly node: JsonNode; readonly shape: Shape }
type Shape = z.core.JSONSchema.BaseSchema

function describeUnknown(
  { path, keys }: z.core.$ZodIssueUnrecognizedKeys,
  { node, shape }: Document,
): readonly SchemaFinding[] {
  const { found } = follow(node, path)
  const known = Object.keys(shapeAt(shape, path)?.properties ?? {})
  return keys.slice(0, MAX_FINDINGS).map((key) => {
    const suggestion = suggestName(key, known)
    return {
      code: 'document_member_unknown',
      path: [...path, key],
      offset: memberOf(found, key)?.start ?? found.start,
      message: `there is no member ${key.slice(0, MAX_SHOWN_CHARS)} here, but ${known.join(', ')}`,
      ...(suggestion !== undefined && { suggestion }),
    }
  })
}

function describeMissing({ path }: z.core.$ZodIssue, found: JsonNode): SchemaFinding {
  const code = path.at(-2) === 'texts' ? 'policy_text_missing' : 'document_member_missing'
  const message = `${String(path.at(-1))} is missing: add it here`
  return { code, path, offset: found.start, message }
}

function describeWrong(issue: z.core.$ZodIssue, found: JsonNode, shape: Shape): SchemaFinding {
  const { path } = issue
  const suggestion = suggestValue(issue, found)
  return {
    code: issue.code === 'too_big' ? 'document_over_limit' : 'document_value_invalid',
    path,
    offset: found.start,
    message: describeValue(issue, shapeAt(shape, path)),
    ...(suggestion !== undefined && { suggestion }),
  }
}

const NAMES_OF_TYPES: Readonly<Record<string, string>> = {
  string: 'text in double quotes',
  array: 'a list: [ … ]',
  object: 'an object: { … }',
  int: 'a whole number',
  number: 'a number',
}

function describeValue(issue: z.core.$ZodIssue, shape: Shape | undefined): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${NAMES_OF_TYPES[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
    case 'too_big':
      return `has ${NAMES_OF_SIZES[issue.origin] ?? 'a value'} above the limit of ${issue.maximum}`
    case 'too_small':
      if (issue.origin !== 'string' && issue.origin !== 'array') {
        return `must be ${issue.minimum} or more`
      }
      return 'is empty: say something, or leave the member out if it may be absent'
    case 'invalid_format':
      return shape?.format === 'date-time'
        ? 'must be a time in UTC such as 2026-01-31T00:00:00Z'
        : issue.message
    default:
      return issue.message
  }
}

const NAMES_OF_SIZES: Readonly<Record<string, string>> = {
  string: 'a number of characters',
  array: 'a number of items',
}

function suggestValue(issue: z.core.$ZodIssue, found: JsonNode): string | undefined {
  if (issue.code !== 'invalid_value' || found.kind !== 'string') return undefined
  return suggestName(found.value, issue.values.map(String))
}

/** As far along a path as there is something. */
function follow(node: JsonNode, path: Path): { found: JsonNode; isWhole: boolean } {
  let found = node
  for (const step of path) {
    const next =
      found.kind === 'array' ? found.items[Number(step)] : memberOf(found, String(step))?.node
    if (next === undefined) return { found, isWhole: false }
    found = next
  }
  return { found, isWhole: true }
}

function shapeAt(shape: Shape, path: Path): Shape | undefined {
  let found: Shape | undefined = shape
  for (const step of path) {
    const { properties, items, additionalProperties }: Shape = found
    const next: unknown =
      typeof step === 'number' ? items : (properties?.[String(step)] ?? additionalProperties)
    if (typeof next !== 'object' || next === null) return undefined
    found = next as Shape
  }
  return found
}
