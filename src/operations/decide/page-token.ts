import type { SearchRequest } from '../../access/search-request.ts'
import { nameDocument } from '../../base/document-hash.ts'
import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { parseJson } from '../../base/json/parse.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { type PurposeKeys, seal, unsealWithAny } from '../../keys/sealing.ts'

export const PAGE_TOKEN_REASONS = ['page_token_refused', 'page_token_expired'] as const

/** One reason for every token that is not ours for this caller and this search: the seal tells no more. */
export type PageTokenFailure = {
  readonly reason: (typeof PAGE_TOKEN_REASONS)[number]
  readonly member: 'page.token'
  readonly message: string
}

/** How far a search has come. */
export type PagePosition = {
  /** Id of the entity that was looked at last, granted or not; empty before the first. */
  readonly after: string
  readonly limit: number | undefined
}

/** Whose page of which search it is, and what seals it. */
export type PageTokenBinding = {
  readonly keys: PurposeKeys
  readonly clientId: string
  readonly search: SearchRequest
  readonly now: Date
}

/** For so long the next page can be asked for. */
const LIFETIME_MS = 3_600_000

/**
 * The token of the next page (AuthZEN §8). It is sealed, as it holds the id of an entity that the caller
 * may not have been granted; and authenticated together with the caller and everything of the search but
 * its page, so that nobody else and no other search can go on with it.
 */
export function sealPageToken(
  { after, limit }: PagePosition,
  { keys, now, ...bound }: PageTokenBinding,
): string {
  const expires = now.getTime() + LIFETIME_MS
  const plaintext = toUtf8(JSON.stringify([after, limit ?? null, expires]))
  return toBase64Url(seal({ key: keys[0], plaintext, context: contextOf(bound) }))
}

/**
 * Opens the token of a search. A limit that is not said again is as it was (AuthZEN §8: what is said has to
 * be unchanged), and another one is refused.
 */
export function openPageToken(
  token: string,
  { keys, now, ...bound }: PageTokenBinding,
): Result<PagePosition, PageTokenFailure> {
  const sealed = fromBase64Url(token)
  if (sealed === undefined) return refused()
  const plaintext = unsealWithAny({ keys, sealed, context: contextOf(bound) })
  if (plaintext === undefined) return refused()
  const [after, limit, expires] = parseJson(fromUtf8(plaintext) ?? '') as Sealed
  if (now.getTime() > expires) return expired()
  const { limit: asked } = bound.search.page
  if (asked !== undefined && asked !== limit) return refused()
  return ok({ after, limit: limit ?? undefined })
}

/** Sealed by us, so that its form is ours. */
type Sealed = readonly [after: string, limit: number | null, expires: number]

function contextOf({ clientId, search }: Pick<PageTokenBinding, 'clientId' | 'search'>): string {
  const question = { kind: search.kind, type: search.type, ...search.questionAbout('') }
  // What has no canonical form is bound by the form in which it came.
  const named = nameDocument(question)?.hash ?? JSON.stringify(question)
  return `search page\n${JSON.stringify(clientId)}\n${named}`
}

function refused() {
  return err({
    reason: 'page_token_refused',
    member: 'page.token',
    message: 'page.token is not one of this search: ask again as for the page before it',
  } as const)
}

function expired() {
  return err({
    reason: 'page_token_expired',
    member: 'page.token',
    message: 'page.token has expired: begin the search anew',
  } as const)
}
