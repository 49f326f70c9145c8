import { COMMAND } from '../../base/command.ts'
import {
  addCounts,
  type EntityCounts,
  NO_ENTITIES,
  removeEntities,
} from '../../operations/entities/change-entities.ts'
import { type EntityFilter, walkEntities } from '../../operations/entities/walk-entities.ts'
import type { Entity } from '../../store/directory/entities.ts'
import type { Store } from '../../store/store.ts'
import { showEntity } from '../../views/show-entity.ts'
import { EXIT } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText, writeOut } from '../framework/output.ts'
import { createProgress } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'
import { renderTable } from '../framework/table.ts'

const MAX_SHOWN_CHARS = 60

/** The first entities that are meant. */
export async function listEntities(
  store: Pick<Store, 'entityPage'>,
  asked: { readonly filter: EntityFilter; readonly limit: number; readonly json: boolean },
): Promise<number> {
  const { filter, limit, json } = asked
  const found: Entity[] = []
  for await (const page of walkEntities(store, filter, listenForStop())) {
    found.push(...page)
    if (found.length > limit) break
  }
  const shown = found.slice(0, limit)
  if (json) printJson(shown.map(showEntity))
  else if (shown.length === 0) {
    printText(`There are no such entities. To bring some: ${COMMAND} entities import --help\n`)
  } else {
    const head = ['kind', 'type', 'id or name', 'source', 'properties']
    printText(`${renderTable(head, shown.map(describe))}\n`)
    if (found.length > limit) printText(`… and more: say --limit, or ${COMMAND} entities export\n`)
  }
  return EXIT.done
}

function describe({ kind, type, id, source, properties }: Entity): string[] {
  return [kind, type, cut(id), cut(source), cut(JSON.stringify(properties))]
}

function cut(text: string): string {
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS - 1)}…` : text
}

/** Writes all entities that are meant to standard output, in the form that an import reads. */
export async function exportEntities(
  store: Pick<Store, 'entityPage'>,
  filter: EntityFilter,
): Promise<number> {
  const progress = createProgress(process.stderr, () => new Date())
  let written = 0
  try {
    for await (const page of walkEntities(store, filter, listenForStop())) {
      await writeOut(page.map((entity) => `${JSON.stringify(showEntity(entity))}\n`).join(''))
      written += page.length
      if (!process.stdout.isTTY) progress.show(`${count(written)} entities written`)
    }
    return EXIT.done
  } finally {
    progress.end()
  }
}

/** Removes all entities that are meant, page by page. Begun again, it goes on with those that are left. */
export async function removeAll(
  store: Pick<Store, 'entityPage' | 'changeEntities'>,
  asked: {
    readonly filter: EntityFilter
    readonly isMeant: (entity: Entity) => boolean
    readonly json: boolean
  },
): Promise<number> {
  const { filter, isMeant, json } = asked
  const progress = createProgress(process.stderr, () => new Date())
  let counts: EntityCounts = NO_ENTITIES
  try {
    for await (const page of walkEntities(store, filter, listenForStop())) {
      const entities = page.filter(isMeant)
      if (entities.length === 0) continue
      const removed = await removeEntities(store, { entities, by: COMMAND_LINE, now: new Date() })
      counts = addCounts(counts, removed)
      progress.show(`${count(counts.removed)} entities removed`)
    }
  } finally {
    progress.end()
  }
  if (json) printJson({ removed: counts.removed })
  else printText(`${count(counts.removed)} removed.\n`)
  return EXIT.done
}
