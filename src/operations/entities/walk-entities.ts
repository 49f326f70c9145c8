import type { EntityKind, EntityName } from '../../access/directory.ts'
import type { Entity } from '../../store/directory/entities.ts'
import type { Store } from '../../store/store.ts'

/** Which entities are meant; every member narrows it. */
export type EntityFilter = {
  readonly kind?: EntityKind | undefined
  /** With a kind only. */
  readonly type?: string | undefined
  readonly source?: string | undefined
}

const PAGE = 500

/**
 * All entities that are meant, in the order of their names, page by page: for commands and jobs, as it
 * may go through all of the directory. Rejects with the reason of `signal`.
 */
export async function* walkEntities(
  store: Pick<Store, 'entityPage'>,
  { source, ...prefix }: EntityFilter,
  signal: AbortSignal,
): AsyncGenerator<readonly Entity[]> {
  let after: EntityName | undefined
  for (;;) {
    signal.throwIfAborted()
    const page = await store.entityPage({ ...prefix, after, limit: PAGE })
    yield source === undefined ? page : page.filter((one) => one.source === source)
    if (page.length < PAGE) return
    after = page.at(-1)
  }
}
