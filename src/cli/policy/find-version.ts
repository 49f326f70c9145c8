import { existsSync } from 'node:fs'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import { lintStored } from '../../operations/release/check-document.ts'
import { formatDocument } from '../../operations/release/format-document.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { StoredDocument } from '../../store/rules/documents.ts'
import type { Store } from '../../store/store.ts'
import { UsageError } from '../framework/usage-error.ts'
import { kindOption, NAME_OF_KIND } from './document-kinds.ts'
import { type Candidate, STANDARD_INPUT } from './read-document.ts'

/** More versions than anybody has made by hand. */
export const MOST_VERSIONS = 10_000
/** As many digits of a hash as lists show. */
export const SHORT_HASH_CHARS = 12
/** Fewer could be meant for anything; they count as long as they begin one hash alone. */
const LEAST_HASH_CHARS = 4
export const HASH_HELP = `a hash, or its first ${LEAST_HASH_CHARS} digits or more`

/** A document in the database by its hash, or by the first digits of it. */
export async function findVersion(
  store: Store,
  kind: DocumentKind,
  prefix: string,
): Promise<StoredDocument> {
  if (!isHashLike(prefix)) throw new UsageError(describeUnlike(prefix, kind))
  const whole = prefix.length === 64 ? prefix : await completeHash(store, kind, prefix)
  const found = await store.document(kind, whole)
  if (found === null) throw new Error(describeUnknown(kind, prefix))
  return found
}

/** The same as a candidate for a release, looked through by lint as any other. */
export async function findCandidate(
  store: Store,
  version: { readonly kind: DocumentKind; readonly prefix: string; readonly now: Date },
): Promise<Candidate> {
  const { kind, prefix, now } = version
  const stored = await findVersion(store, kind, prefix)
  const linted = lintStored(stored, now)
  const label = shorten(stored.hash)
  const checked = linted.checked?.compiled.hash
  if (checked !== undefined && checked !== stored.hash) {
    throw new Error(`${label} was kept as ${checked}: apply the file that it came from instead`)
  }
  return { ...linted, label, text: formatDocument(kind, stored.body) }
}

async function completeHash(store: Store, kind: DocumentKind, prefix: string): Promise<string> {
  const all = await store.listDocuments(kind, MOST_VERSIONS)
  const [first, second] = all.filter(({ hash }) => hash.startsWith(prefix))
  if (first === undefined) throw new Error(describeUnknown(kind, prefix))
  if (second !== undefined) {
    throw new Error(`${prefix} begins more than one hash: ${first.hash}, ${second.hash}`)
  }
  return first.hash
}

function describeUnlike(text: string, kind: DocumentKind): string {
  const what = /^[0-9a-f]+$/.test(text)
    ? `has ${plural(text.length, 'digit')}, and the hash of a version ${LEAST_HASH_CHARS} to 64`
    : 'is not the hash of a version, which has the digits 0 to 9 and a to f'
  return `'${text}' ${what}: ${COMMAND} policy list${kindOption(kind)} shows them`
}

function describeUnknown(kind: DocumentKind, hash: string): string {
  return `there is no ${NAME_OF_KIND[kind]} ${hash}: ${COMMAND} policy list${kindOption(kind)} shows those that there are`
}

function isHashLike(text: string): boolean {
  return /^[0-9a-f]+$/.test(text) && text.length >= LEAST_HASH_CHARS && text.length <= 64
}

/** What an argument names: a file goes first, as `./abcdef01` cannot be told from it otherwise. */
export function isVersion(argument: string): boolean {
  return argument !== STANDARD_INPUT && isHashLike(argument) && !existsSync(argument)
}

export function shorten(hash: string): string {
  return hash.slice(0, SHORT_HASH_CHARS)
}
