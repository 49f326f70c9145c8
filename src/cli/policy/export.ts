import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { COMMAND } from '../../base/command.ts'
import { formatDocument } from '../../operations/release/format-document.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { StoredDocument } from '../../store/rules/documents.ts'
import type { Store } from '../../store/store.ts'
import { printJson, printText } from '../framework/output.ts'
import { FILE_OF_KIND, KINDS } from './document-kinds.ts'
import { MOST_VERSIONS } from './find-version.ts'
import { placeOfVersion, writeDocument } from './folder.ts'
import { readInForce } from './in-force.ts'
import { readCandidate } from './read-document.ts'

type Written = {
  readonly kind: DocumentKind
  readonly hash: string
  readonly file: string
  readonly changed: boolean
}

/**
 * Writes the documents in force, and all versions if asked to, into a folder. A file that holds the
 * same document already is left as it is written: what did not change is no change in a repository.
 */
export async function exportDocuments(
  store: Store,
  options: {
    readonly folder: string
    readonly isAll: boolean
    readonly json: boolean
    readonly now: Date
  },
): Promise<number> {
  const { folder, isAll, json, now } = options
  const written: Written[] = []
  for (const kind of KINDS) {
    const active = await readInForce(store, kind)
    written.push(write(active, join(folder, FILE_OF_KIND[kind]), now))
    if (!isAll) continue
    for (const { hash } of await store.listDocuments(kind, MOST_VERSIONS)) {
      const version = await store.document(kind, hash)
      if (version !== null) written.push(write(version, placeOfVersion(folder, kind, hash), now))
    }
  }
  if (json) printJson({ files: written })
  else printText(describe(written, folder))
  return 0
}

function write({ kind, hash, body }: StoredDocument, file: string, now: Date): Written {
  const changed = !holds(kind, file, { hash, now })
  if (changed) writeDocument(file, formatDocument(kind, body))
  return { kind, hash, file, changed }
}

function holds(
  kind: DocumentKind,
  file: string,
  { hash, now }: { readonly hash: string; readonly now: Date },
): boolean {
  return existsSync(file) && readCandidate(kind, file, { now }).checked?.compiled.hash === hash
}

function describe(written: readonly Written[], folder: string): string {
  const lines = written.map(
    ({ file, hash, changed }) => `${file}  ${hash}${changed ? '' : '  (unchanged)'}\n`,
  )
  return `${lines.join('')}
Change the files, then see what that would do, and do it:
  ${COMMAND} policy plan --dir ${folder}
  ${COMMAND} policy apply --dir ${folder}
`
}
