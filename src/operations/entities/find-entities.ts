import type { EntityKind, EntityName } from '../../access/directory.ts'
import type { Entity } from '../../store/directory/entities.ts'
import type { Store } from '../../store/store.ts'

export type EntitySearch = {
  readonly kind?: EntityKind | undefined
  /** With a kind only. */
  readonly type?: string | undefined
  /** How the id begins, byte for byte; with a kind and a type only, of actions with the kind alone. */
  readonly begins?: string | undefined
  /** The last one of the page before. */
  readonly after?: EntityName | undefined
  readonly limit: number
}

export type FoundEntities = {
  readonly entities: readonly Entity[]
  /** The last one, where more may follow. */
  readonly next: EntityName | undefined
}

/** A page of entities in the order of their names, which is that of the primary key: none is looked at besides. */
export async function findEntities(
  store: Pick<Store, 'entityPage'>,
  { begins, limit, ...search }: EntitySearch,
): Promise<FoundEntities> {
  const { kind, type = '', after } = search
  const from =
    begins === undefined || kind === undefined || after !== undefined
      ? undefined
      : { kind, type, id: begins }
  const rows = await store.entityPage({ ...search, from, limit: limit + 1 })
  const found = rows.filter(({ id }) => begins === undefined || id.startsWith(begins))
  const entities = found.slice(0, limit)
  return { entities, next: found.length > limit ? entities.at(-1) : undefined }
}

/** One entity with all that is kept of it; `undefined` where there is none of this name. */
export async function findEntity(
  store: Pick<Store, 'entityPage'>,
  name: EntityName,
): Promise<Entity | undefined> {
  const { kind, type, id } = name
  const [found] = await store.entityPage({ kind, type, from: name, limit: 1 })
  return found?.kind === kind && found.type === type && found.id === id ? found : undefined
}
