import { describeIssue } from '../../base/fields.ts'
import { measureJson, parseJson } from '../../base/json/parse.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import { addCounts, type EntityCounts, NO_ENTITIES, setEntities } from './change-entities.ts'
import { ENTITIES_AT_ONCE, type EntityToSet, entityToSet } from './read-entity.ts'

export const ENTITY_IMPORT_REASONS = ['entity_import_refused'] as const

/** The file has mistakes: nothing was written. `line` counts from 1. */
export type EntityImportFailure = {
  readonly reason: (typeof ENTITY_IMPORT_REASONS)[number]
  /** The first of them. */
  readonly problems: readonly { readonly line: number; readonly message: string }[]
  /** Of all that were found, these included. */
  readonly count: number
}

/** Lines of a file in their order; asked for once for each time that it is gone through. */
export type Lines = () => AsyncIterable<string>

const PROBLEMS_TOLD = 20
/** A longer line cannot be an entity within its bounds, however it is escaped. */
const MAX_LINE_CHARS = 65_536

/** Looks at every line of a file of JSON lines, one entity each, and counts them; empty lines are none. */
export async function checkEntityLines(
  lines: Lines,
  { onProgress, signal }: Walk,
): Promise<Result<{ readonly entities: number }, EntityImportFailure>> {
  const problems: { line: number; message: string }[] = []
  let count = 0
  let entities = 0
  for await (const { line, read } of readLines(lines, signal)) {
    if (typeof read === 'string') {
      count += 1
      if (problems.length < PROBLEMS_TOLD) problems.push({ line, message: read })
    } else entities += 1
    if (entities % ENTITIES_AT_ONCE === 0) onProgress(entities)
  }
  return count > 0 ? err({ reason: 'entity_import_refused', problems, count }) : ok({ entities })
}

type Walk = {
  /** Called now and then with how many entities it has come to. */
  readonly onProgress: (entities: number) => void
  readonly signal: AbortSignal
}

/**
 * Writes entities batch by batch, all of a batch or none of it, holding no more than one in memory. A file
 * that was written to some line may be written again from its beginning: what is there already stays as it
 * is, and has no audit row of its own. The lines have to be those that `checkEntityLines` has seen.
 */
export async function importEntities(
  store: Pick<Store, 'changeEntities'>,
  lines: Lines,
  input: Walk & {
    /** Of lines that say none. */
    readonly source: string
    readonly by: string
    readonly clock: () => Date
  },
): Promise<EntityCounts> {
  const { source, by, clock, onProgress, signal } = input
  let counts = NO_ENTITIES
  let written = 0
  let batch: EntityToSet[] = []
  const write = async () => {
    signal.throwIfAborted()
    const entities = batch
    batch = []
    counts = addCounts(counts, await setEntities(store, { entities, source, by, now: clock() }))
    written += entities.length
    onProgress(written)
  }
  for await (const { line, read } of readLines(lines, signal)) {
    if (typeof read === 'string') throw new Error(`line ${line} has changed meanwhile: ${read}`)
    batch.push(read)
    if (batch.length === ENTITIES_AT_ONCE) await write()
  }
  if (batch.length > 0) await write()
  return counts
}

type ReadLine = {
  readonly line: number
  /** In words, where it is no entity. */
  readonly read: EntityToSet | string
}

async function* readLines(lines: Lines, signal: AbortSignal): AsyncGenerator<ReadLine> {
  let line = 0
  for await (const text of lines()) {
    signal.throwIfAborted()
    line += 1
    // A byte order mark is what editors leave at the beginning of a file.
    const entity = line === 1 ? text.replace(/^\uFEFF/, '') : text
    if (entity.trim() !== '') yield { line, read: readLine(entity) }
  }
}

function readLine(text: string): EntityToSet | string {
  if (text.length > MAX_LINE_CHARS) return `has more than ${MAX_LINE_CHARS} characters`
  const json = measureJson(text) === undefined ? undefined : parseJson(text)
  if (json === undefined) return 'is not JSON'
  const entity = entityToSet.safeParse(json)
  if (entity.success) return entity.data
  const [issue] = entity.error.issues
  if (issue === undefined) return 'is no entity'
  const place = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `
  return `${place}${describeIssue(issue)}`
}
