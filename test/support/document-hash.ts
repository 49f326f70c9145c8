import type { DocumentHash } from '../../src/base/document-hash.ts'

/** A name of a document that is none of ours: the store takes names as they are. */
export function namedHash(text: string): DocumentHash {
  return text as DocumentHash
}
