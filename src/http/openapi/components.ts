import { z } from 'zod'

const PLACE = '#/components/schemas/'

/** A reference to a schema of the document. */
export function refer(name: string): { readonly $ref: string } {
  return { $ref: PLACE + name }
}

/**
 * Schemas as they stand in an OpenAPI 3.1 document: JSON Schema of draft 2020-12, of what is sent. Where
 * one of them stands in another, a reference to it does.
 */
export function toComponents(
  schemas: Readonly<Record<string, z.ZodType>>,
): Readonly<Record<string, object>> {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id })
  const made = z.toJSONSchema(registry, {
    ...{ io: 'input', uri: (id: string) => PLACE + id },
    // What a schema checks by code of its own says its form in `meta`.
    unrepresentable: 'any',
  }).schemas
  const components = Object.entries(made).map(([name, { $schema: _, $id: __, ...schema }]) => {
    return [name, schema] as const
  })
  return Object.fromEntries(components)
}
