import { type SQL, sql } from 'drizzle-orm'
import {
  type DirectoryEntries,
  type EntityName,
  type EntityProperties,
  entityKey,
} from '../../access/directory.ts'
import { encodeJson } from '../json.ts'

/**
 * What the directory knows of the entities in the placeholder `names`, as one value, so that it can be
 * read with anything else in one statement. Each of them is looked up by the key of the table.
 */
export function entriesOf(): SQL<string | null> {
  return sql<string | null>`(
    select json_agg(json_build_array(e.kind, e.type, e.id, e.properties))::text
    from jsonb_to_recordset(${sql.placeholder('names')}::jsonb)
      as n(kind text, type text, id text)
    join entity as e on e.kind = n.kind and e.type = n.type and e.id = n.id)`
}

export function encodeNames(names: readonly EntityName[]): string {
  return encodeJson(names.map(({ kind, type, id }) => ({ kind, type, id })))
}

type Entry = readonly [EntityName['kind'], string, string, EntityProperties]

export function decodeEntries(text: string | null): DirectoryEntries {
  const entries = text === null ? [] : (JSON.parse(text) as readonly Entry[])
  return new Map(
    entries.map(([kind, type, id, properties]) => [entityKey({ kind, type, id }), properties]),
  )
}
