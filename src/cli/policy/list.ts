import { COMMAND } from '../../base/command.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { ListedDocument } from '../../store/rules/documents.ts'
import type { Store } from '../../store/store.ts'
import { printJson, printText } from '../framework/output.ts'
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
  if (json) printJson(versions.map((one) => showVersion(one, active?.hash)))
  else printText(describe(versions, { kind, active: active?.hash, areMore: listed.length > limit }))
  return 0
}

export function showVersion(version: ListedDocument, active: string | undefined): object {
  const { kind, hash, author, reason, parent, createdAt } = version
  return { kind, hash, active: hash === active, author, reason, parent, created_at: createdAt }
}

function describe(
  versions: readonly ListedDocument[],
  options: {
    readonly kind: DocumentKind
    readonly active: string | undefined
    readonly areMore: boolean
  },
): string {
  const { kind, active, areMore } = options
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
  const more = areMore ? `There are more than ${versions.length}: raise --limit.\n` : ''
  return `${table}\n\n* is in force.\n${more}One of them whole: ${COMMAND} policy show VERSION${kindOption(kind)}\n`
}
