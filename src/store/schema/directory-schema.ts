import { jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import type { EntityKind } from '../../access/directory.ts'
import type { Json } from '../json.ts'
import { asciiText, instant } from './columns.ts'

/**
 * What administrators keep about subjects, resources and actions. All of it is on one machine, or on each
 * of a distributed database: a decision reads it in the statement that reads its device. Names are
 * compared by their bytes, and the key is the order in which a search goes through one type.
 */
export const entity = pgTable(
  'entity',
  {
    kind: asciiText('kind').$type<EntityKind>().notNull(),
    /** Empty for actions. */
    type: asciiText('type').notNull(),
    id: asciiText('id').notNull(),
    properties: jsonb('properties').$type<Json>().notNull(),
    /** Where it comes from, in the words of whoever brought it. */
    source: text('source').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.type, table.id] })],
)
