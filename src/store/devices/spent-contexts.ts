import { sql } from 'drizzle-orm'
import type { Database } from '../drivers/database.ts'
import { spentContext } from '../schema/device-schema.ts'

export type SpentContexts = {
  /**
   * Uses up a service context of the built-in verifier. Of any number of calls with one `contextId`,
   * of any processes, exactly one answers `true`.
   */
  readonly spendContext: (context: ContextToSpend) => Promise<boolean>
}

export type ContextToSpend = { readonly contextId: string; readonly expiresAt: Date }

export function prepareSpentContexts(db: Database): SpentContexts {
  const spend = db
    .insert(spentContext)
    .values({
      contextId: sql.placeholder('contextId'),
      expiresAt: sql.placeholder('expiresAt'),
    })
    .onConflictDoNothing()
    .returning({ one: sql<number>`1` })
    .prepare('spend_context')
  return {
    async spendContext(context) {
      return (await spend.execute(context)).length === 1
    },
  }
}
