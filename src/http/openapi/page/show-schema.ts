import { html } from 'hono/html'
import type { Content } from './layout.ts'

const PLACE = '#/components/schemas/'
/** What is nested deeper than this has a name, or is told by its type alone. */
const DEEPEST = 8

/** A JSON Schema, as it is read here: of anything else it is nothing. */
type Schema = Readonly<Record<string, unknown>>

/** Says in lists what a JSON Schema of the document asks for; others of the document are links below `root`. */
export function showSchema(value: unknown, root: string, depth = 0): Content {
  const schema: Schema = Object(value)
  const { $ref, description, allOf, oneOf, anyOf, items, properties, additionalProperties } = schema
  if (typeof $ref === 'string') return showReference($ref, root)
  const said =
    typeof description === 'string' ? html` <span class="soft">${description}</span>` : ''
  if (depth > DEEPEST) return html`${typeOf(schema)}${said}`
  const inner = (one: unknown) => showSchema(one, root, depth + 1)
  if (Array.isArray(allOf)) {
    const own = properties === undefined ? '' : showMembers(schema, root, depth)
    return html`${allOf.map(inner)}${said}${own}`
  }
  const choice = Array.isArray(oneOf) ? oneOf : anyOf
  if (Array.isArray(choice)) {
    return html`One of:${said}<ul>${choice.map((one) => html`<li>${inner(one)}</li>`)}</ul>`
  }
  if (schema.type === 'array') return html`${typeOf(schema)} of ${inner(items)}${said}`
  if (properties !== undefined)
    return html`${typeOf(schema)}${said}${showMembers(schema, root, depth)}`
  const isMap = typeof additionalProperties === 'object' && additionalProperties !== null
  return isMap
    ? html`${typeOf(schema)}${said}, by name: ${inner(additionalProperties)}`
    : html`${typeOf(schema)}${said}`
}

function showReference(reference: string, root: string): Content {
  const name = reference.replace(PLACE, '')
  return html`<a href="${root}openapi/schemas/${name}">${name}</a>`
}

function showMembers(schema: Schema, root: string, depth: number): Content {
  const required: readonly unknown[] = Array.isArray(schema.required) ? schema.required : []
  const members = Object.entries(Object(schema.properties)).map(([name, one]) => {
    const must = required.includes(name) ? html` <strong>required</strong>` : ''
    return html`<li><code>${name}</code>${must}: ${showSchema(one, root, depth + 1)}</li>`
  })
  return members.length === 0 ? html`` : html`<ul>${members}</ul>`
}

/** `string, 1 to 64 characters`: the type with what bounds it. */
function typeOf(schema: Schema): Content {
  const { type, format, pattern, contentMediaType, contentEncoding } = schema
  if ('const' in schema) return html`<code>${JSON.stringify(schema.const)}</code>`
  if (Array.isArray(schema.enum)) {
    const [first, ...rest] = schema.enum.map((one) => html`<code>${JSON.stringify(one)}</code>`)
    return html`${first}${rest.map((one) => html`, ${one}`)}`
  }
  const name = typeof type === 'string' ? type : 'anything'
  const more = [format, contentEncoding, contentMediaType].filter((one) => typeof one === 'string')
  const bounds = boundsOf(schema)
  const told = [name, ...more, ...(bounds === undefined ? [] : [bounds])].join(', ')
  const isTold = typeof pattern === 'string' && format === undefined
  return html`${told}${isTold ? html`, like <code>${pattern}</code>` : ''}`
}

const BOUNDS = [
  ['minLength', 'maxLength', 'characters'],
  ['minItems', 'maxItems', 'items'],
  ['minimum', 'maximum', ''],
] as const

function boundsOf(schema: Schema): string | undefined {
  for (const [least, most, unit] of BOUNDS) {
    const from = numberOf(schema[least])
    const to = numberOf(schema[most])
    const said =
      from === undefined
        ? to === undefined
          ? undefined
          : `at most ${to}`
        : to === undefined
          ? `at least ${from}`
          : `${from} to ${to}`
    if (said !== undefined) return `${said} ${unit}`.trim()
  }
  return undefined
}

/** Bounds that every number has say nothing. */
function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined
}
