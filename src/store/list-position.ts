import { type Column, type SQL, sql } from 'drizzle-orm'
import { storableId } from './devices/trust-records.ts'

/** Where a page of a list ends that has the newest first: the next one begins behind it. */
export type ListPosition = { readonly at: Date; readonly id: string }

/** Whether a row comes behind a position, by the columns that the list is ordered by. */
export function isBefore(at: Column, id: Column, position: ListPosition): SQL {
  return sql`(${at}, ${id}) < (${position.at.toISOString()}::timestamptz, ${storableId(position.id)})`
}
