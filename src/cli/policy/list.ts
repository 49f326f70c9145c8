import { COMMAND } from '../../base/command.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Rollout } from '../../rollout/rollout.ts'
import type { ListedDocument } from '../../store/rules/documents.ts'
import type { Store } from '../../store/store.ts'
import { showHalt } from '../../views/show-control.ts'
import { printable, printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { kindOption, NAME_OF_KIND } from './document-kinds.ts'
import { shorten } from './find-version.ts'

/** Prints the versions of a kind, the newest first. */
export async function listVersions(
  store: Store,
  options: { readonly kind: DocumentKind; readonly limit: number; readonly json: boolean },
): Promise<number> {
  const { kind, limit, json } = options
  const active = await store.activeDocument(kind)
  const listed = await store.listDocuments(kind, limit + 1)
  const versions = listed.slice(0, limit)
  const halts = await readHalts(store, kind)
  if (json) {
    printJson(
      versions.map((one) =>
        showVersion(one, { active: active?.hash, halted: halts.get(one.hash) }),
      ),
    )
  } else {
    const areMore = listed.length > limit
    printText(describe(versions, { kind, active: active?.hash, halts, areMore }))
  }
  return 0
}

/** By the hash of the document, the rollout of it that was the last to halt. */
async function readHalts(store: Store, kind: DocumentKind): Promise<ReadonlyMap<string, Rollout>> {
  const newestFirst = await store.haltedRollouts(kind)
  return new Map(newestFirst.toReversed().map((one) => [one.to, one]))
}

export function showVersion(
  version: ListedDocument,
  beside: { readonly active: string | undefined; readonly halted: Rollout | undefined },
): object {
  const { kind, hash, author, reason, parent, createdAt } = version
  const about = { kind, hash, active: hash === beside.active, author, reason, parent }
  return { ...about, created_at: createdAt, halted: showHalt(beside.halted) }
}

/** What happened to the last rollout of a document that halted, and who released it all the same. */
export function describeHalt({ rolloutId, note, despite }: Rollout): string {
  const by =
    despite && `; released all the same by ${despite.by} at ${despite.at}: ${despite.reason}`
  return `${rolloutId} ${note}${by ?? ''}`
}

function describe(
  versions: readonly ListedDocument[],
  options: {
    readonly kind: DocumentKind
    readonly active: string | undefined
    readonly halts: ReadonlyMap<string, Rollout>
    readonly areMore: boolean
  },
): string {
  const { kind, active, halts, areMore } = options
  if (versions.length === 0) {
    return `There is no ${NAME_OF_KIND[kind]} yet. The first start of the service makes one: ${COMMAND} serve\n`
  }
  const rows = versions.map(({ hash, author, reason, createdAt, parent }) => [
    hash === active ? '*' : '',
    shorten(hash),
    createdAt.toISOString(),
    author,
    parent === null ? '' : shorten(parent),
    reason,
  ])
  const table = renderTable(['', 'version', 'created', 'author', 'parent', 'reason'], rows)
  const halted = versions.flatMap(({ hash }) => {
    const halt = halts.get(hash)
    return halt === undefined ? [] : [`${shorten(hash)}: ${printable(describeHalt(halt))}\n`]
  })
  const told = halted.length === 0 ? '' : `Halted:\n${halted.join('')}`
  const more = areMore ? `There are more than ${versions.length}: raise --limit.\n` : ''
  return `${table}\n\n* is in force.\n${told}${more}One of them whole: ${COMMAND} policy show VERSION${kindOption(kind)}\n`
}
