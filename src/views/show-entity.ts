import { writeEntityName } from '../operations/entities/read-entity.ts'
import type { Entity } from '../store/directory/entities.ts'

/** An entity of the directory in the form of its import, as it stands in answers and in lines. */
export function showEntity(entity: Entity) {
  const { properties, source, updatedAt } = entity
  return {
    ...writeEntityName(entity),
    properties,
    source,
    updated_at: updatedAt.toISOString(),
  }
}
