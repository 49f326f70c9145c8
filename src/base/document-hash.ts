import { hash } from 'node:crypto'
import canonicalize from 'canonicalize'

declare const documentHash: unique symbol

/**
 * The name of a policy or of reference values of ours: 64 lower-case hexadecimal digits. Made by the
 * functions of this file alone, and by the store of its own rows, so that the hash of a provider's
 * policy (`AttestationPolicyHash`) cannot be taken for it.
 */
export type DocumentHash = string & { readonly [documentHash]: true }

/** A document in its one canonical form (RFC 8785) and that form's SHA-256, its name. */
export type NamedDocument = {
  readonly canonical: string
  readonly hash: DocumentHash
}

/**
 * Names a policy or a reference-value document. `undefined` for what RFC 8785 cannot write: half of
 * a surrogate pair, or a number that is not finite.
 */
export function nameDocument(document: object): NamedDocument | undefined {
  let canonical: string | undefined
  try {
    canonical = canonicalize(document)
  } catch {
    return undefined
  }
  if (canonical === undefined) return undefined
  return { canonical, hash: hash('sha256', canonical, 'hex') as DocumentHash }
}

/** In canonical JSON an even number of backslashes before it says that it is no escape. */
const NUL = /(?<!\\)(?:\\\\)*\\u0000/

/**
 * The same for a document that is to be kept, `undefined` too for what the database would have to
 * change: U+0000 in a text, after which the name would be another document's.
 */
export function nameKeptDocument(document: object): NamedDocument | undefined {
  const named = nameDocument(document)
  return named !== undefined && NUL.test(named.canonical) ? undefined : named
}
