import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { COMMAND } from '../../base/command.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { FILE_OF_KIND, KINDS } from './document-kinds.ts'

/** A file that holds a document of a kind. */
export type DocumentFile = {
  readonly kind: DocumentKind
  readonly file: string
  /** The hash that the file is named by, where it is one of all versions. */
  readonly hash?: string
}

/** The documents in a folder, in the order in which they come into force. */
export function findDocuments(folder: string): readonly DocumentFile[] {
  const files = KINDS.map((kind) => ({ kind, file: join(folder, FILE_OF_KIND[kind]) }))
  const found = files.filter(({ file }) => existsSync(file))
  if (found.length > 0) return found
  throw new Error(
    `${folder} has neither ${FILE_OF_KIND.policy} nor ${FILE_OF_KIND['reference-values']}: write what is in force there with ${COMMAND} policy export --dir ${folder}`,
  )
}

/** The files of all versions, as `export --all` writes them. */
export function findVersions(folder: string): readonly DocumentFile[] {
  return KINDS.flatMap((kind) => {
    const place = join(folder, 'versions', kind)
    if (!existsSync(place)) return []
    const names = readdirSync(place).filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
    return names
      .toSorted()
      .map((name) => ({ kind, file: join(place, name), hash: basename(name, '.json') }))
  })
}

export function placeOfVersion(folder: string, kind: DocumentKind, hash: string): string {
  return join(folder, 'versions', kind, `${hash}.json`)
}

export function writeDocument(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'refused'
    throw new Error(`${file} cannot be written (${code})`)
  }
}
