import { and, gt, inArray, isNull, sql } from 'drizzle-orm'
import type { Control } from '../../rollout/in-force.ts'
import { type InForceRevision, inForceColumns } from '../devices/trust-records.ts'
import { type Database, onlyRow } from '../drivers/database.ts'
import { activeDocument, control, hold, override, rollout } from '../schema/steering-schema.ts'
import { toHold } from './holds.ts'
import { toOverride } from './overrides.ts'
import { toRollout } from './rollouts.ts'

/** What steers decisions beside documents and trust records: small, and read when it has changed. */
export type ControlReads = {
  /** The documents in force and the revision of everything else, read in one statement. */
  readonly inForce: () => Promise<InForceRevision>
  /** Never older than its revision. With `now`, what expired long before it is left out. */
  readonly control: (now?: Date) => Promise<Control>
}

/** Clocks of processes differ by less. */
const EXPIRED_KEPT_MS = 86_400_000

export function prepareControlReads(db: Database): ControlReads {
  const inForce = db.select(inForceColumns).from(sql`(values (0)) as one`).prepare('in_force')
  return {
    inForce: async () => onlyRow(await inForce.execute()),
    async control(now = new Date(EXPIRED_KEPT_MS)) {
      // First the revision: what is read after it may be newer than it says, and never older.
      const revisions = await db.select({ revision: control.revision }).from(control)
      const active = await db
        .select({
          kind: activeDocument.kind,
          hash: activeDocument.hash,
          activatedAt: activeDocument.activatedAt,
        })
        .from(activeDocument)
      const open = inArray(rollout.state, ['running', 'paused'])
      const rollouts = await db.select().from(rollout).where(open)
      const expired = new Date(now.getTime() - EXPIRED_KEPT_MS)
      const overrides = await db
        .select()
        .from(override)
        .where(and(isNull(override.endedAt), gt(override.expiresAt, expired)))
      const holds = await db.select().from(hold).where(isNull(hold.endedAt))
      return {
        revision: onlyRow(revisions).revision,
        active,
        rollouts: rollouts.map(toRollout),
        overrides: overrides.map(toOverride),
        holds: holds.map(toHold),
      }
    },
  }
}
