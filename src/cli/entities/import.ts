import type { EntityCounts } from '../../operations/entities/change-entities.ts'
import {
  checkEntityLines,
  type EntityImportFailure,
  importEntities,
  type Lines,
} from '../../operations/entities/import-entities.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'

/** Sets what a file of JSON lines says of entities, once all of the file has been looked at. */
export async function importFile(
  store: Pick<Store, 'changeEntities'>,
  asked: {
    readonly path: string
    readonly lines: Lines
    readonly source: string
    readonly json: boolean
  },
): Promise<number> {
  const { path, lines, source, json } = asked
  const signal = listenForStop()
  const progress = createProgress(process.stderr, () => new Date())
  try {
    const checked = await checkEntityLines(lines, {
      signal,
      onProgress: (entities) => progress.show(`${count(entities)} lines checked`),
    })
    if (!checked.ok) throw new Error(`${path}: ${describeFailure(checked.failure)}`)
    const { entities } = checked.value
    const counts = await importEntities(store, lines, {
      ...{ source, signal, by: COMMAND_LINE, clock: () => new Date() },
      onProgress: (done) =>
        progress.show(`${renderBar(done, entities)}  ${count(done)} of ${count(entities)}`),
    })
    progress.end()
    if (json) printJson(counts)
    else printText(describeCounts(counts))
    return EXIT.done
  } finally {
    progress.end()
  }
}

function describeFailure({ problems, count: all }: EntityImportFailure): string {
  const lines = problems.map(({ line, message }) => `  line ${line}: ${message}`)
  const more = all > problems.length ? [`  and ${count(all - problems.length)} more`] : []
  return ['nothing was changed, because the file has mistakes:', ...lines, ...more].join('\n')
}

export function describeCounts({ added, changed, unchanged }: EntityCounts): string {
  return `${count(added)} added, ${count(changed)} changed, ${count(unchanged)} were so already.\n`
}
