import type { EntityName } from '../../access/directory.ts'
import type { EntityOutcome } from '../../store/directory/entities.ts'
import type { Store } from '../../store/store.ts'
import type { EntityToSet } from './read-entity.ts'

/** How many entities came to what. */
export type EntityCounts = Readonly<Record<EntityOutcome, number>>

export const NO_ENTITIES: EntityCounts = {
  added: 0,
  changed: 0,
  unchanged: 0,
  removed: 0,
  absent: 0,
}

type Asked = {
  readonly by: string
  readonly now: Date
}

/** Sets all of these or none, in one statement with their audit rows. `source`: of those that say none. */
export async function setEntities(
  store: Pick<Store, 'changeEntities'>,
  {
    entities,
    source,
    ...asked
  }: Asked & {
    readonly entities: readonly EntityToSet[]
    readonly source: string
  },
): Promise<EntityCounts> {
  const changes = entities.map((one) => ({ ...one, source: one.source ?? source }))
  return countOutcomes(await store.changeEntities({ changes, ...asked }))
}

/** Removes all of these or none; one that is not there is counted as absent. */
export async function removeEntities(
  store: Pick<Store, 'changeEntities'>,
  { entities, ...asked }: Asked & { readonly entities: readonly EntityName[] },
): Promise<EntityCounts> {
  const changes = entities.map(({ kind, type, id }) => ({ kind, type, id, properties: null }))
  return countOutcomes(await store.changeEntities({ changes, ...asked }))
}

export function addCounts(one: EntityCounts, other: EntityCounts): EntityCounts {
  return {
    added: one.added + other.added,
    changed: one.changed + other.changed,
    unchanged: one.unchanged + other.unchanged,
    removed: one.removed + other.removed,
    absent: one.absent + other.absent,
  }
}

function countOutcomes(outcomes: readonly EntityOutcome[]): EntityCounts {
  const counts = { ...NO_ENTITIES }
  for (const outcome of outcomes) counts[outcome] += 1
  return counts
}
