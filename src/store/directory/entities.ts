import { and, asc, eq, type SQL, sql } from 'drizzle-orm'
import type {
  DirectoryEntries,
  EntityKind,
  EntityName,
  EntityProperties,
} from '../../access/directory.ts'
import {
  auditedRows,
  callOf,
  type Database,
  onlyRow,
  requestArgument,
} from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { entity } from '../schema/directory-schema.ts'
import { decodeEntries, encodeNames, entriesOf } from './entries.ts'

/** The entity directory: what is known of subjects, resources and actions. */
export type Entities = {
  /** What is known of these entities; of those that are not there nothing. */
  readonly directoryEntries: (names: readonly EntityName[]) => Promise<DirectoryEntries>
  /** Entities in the order of kind, type and id, each of them as bytes. Without a kind, all. */
  readonly entityPage: (query: EntityQuery) => Promise<readonly Entity[]>
  /**
   * Sets and removes entities, each with its audit row, all of them or none. The answer tells of each
   * change what came of it, by its place among them.
   */
  readonly changeEntities: (input: EntitiesToChange) => Promise<readonly EntityOutcome[]>
}

export type Entity = EntityName & {
  readonly properties: EntityProperties
  readonly source: string
  readonly updatedAt: Date
}

export type EntityQuery = {
  readonly kind?: EntityKind | undefined
  /** With a kind only. */
  readonly type?: string | undefined
  /** The last one of the page before. */
  readonly after?: EntityName | undefined
  /** Where the page begins at the earliest; itself too. */
  readonly from?: EntityName | undefined
  readonly limit: number
}

/** `properties` replace those that are there; without them the entity is removed. */
export type EntityChange = EntityName &
  (
    | { readonly properties: EntityProperties; readonly source: string }
    | { readonly properties: null }
  )

export type EntitiesToChange = {
  readonly changes: readonly EntityChange[]
  /** Who asks for it: a client id, or who runs a command. */
  readonly by: string
  readonly now: Date
}

/** `absent`: it was to be removed and was not there. */
export type EntityOutcome = 'added' | 'changed' | 'unchanged' | 'removed' | 'absent'

const CHANGE = ['p_changes', 'p_at', 'p_by'] as const

export function prepareEntities(db: Database): Entities {
  const find = db
    .select({ entries: entriesOf() })
    .from(sql`(values (0)) as one`)
    .prepare('directory_entries')
  const change = db
    .select({ place: sql<number>`place`, outcome: sql<EntityOutcome>`outcome` })
    .from(auditedRows(callOf('change_entities', CHANGE), 'changed'))
    .prepare('change_entities')
  return {
    async directoryEntries(names) {
      if (names.length === 0) return new Map()
      const row = onlyRow(await find.execute({ names: encodeNames(names) }))
      return decodeEntries(row.entries)
    },
    async entityPage({ limit, ...query }) {
      const rows = await db
        .select({
          kind: entity.kind,
          type: entity.type,
          id: entity.id,
          // As text, which no driver reads in a way of its own.
          properties: sql<string>`${entity.properties}::text`,
          source: entity.source,
          updatedAt: entity.updatedAt,
        })
        .from(entity)
        .where(conditionOf(query))
        .orderBy(asc(entity.kind), asc(entity.type), asc(entity.id))
        .limit(limit)
      return rows.map((row) => ({ ...row, properties: JSON.parse(row.properties) }))
    },
    async changeEntities({ changes, by, now }) {
      const rows = await change.execute({
        p_changes: encodeJson(
          changes.map((one, place) => ({ ...one, place, audit_id: newRecordId(now) })),
        ),
        p_at: now.toISOString(),
        p_by: encodeText(by),
        ...requestArgument(),
      })
      return rows.toSorted((a, b) => a.place - b.place).map(({ outcome }) => outcome)
    },
  }
}

function conditionOf({ kind, type, after, from }: Omit<EntityQuery, 'limit'>): SQL | undefined {
  return and(
    kind && eq(entity.kind, kind),
    kind === undefined || type === undefined ? undefined : eq(entity.type, encodeText(type)),
    after &&
      sql`(${entity.kind}, ${entity.type}, ${entity.id})
        > (${after.kind}, ${encodeText(after.type)}, ${encodeText(after.id)})`,
    from &&
      sql`(${entity.kind}, ${entity.type}, ${entity.id})
        >= (${from.kind}, ${encodeText(from.type)}, ${encodeText(from.id)})`,
  )
}
