import { err, ok, type Result } from '../base/result.ts'
import { ENTITY_KINDS, type EntityKind } from './directory.ts'
import {
  type AuthzenFailure,
  type EvaluationRequest,
  illTyped,
  isMembers,
  type Members,
  readRequest,
} from './evaluation-request.ts'
import { MAX_PAGE_TOKEN_CHARS } from './limits.ts'

/** The three searches of AuthZEN 1.0 (§8), by what they look for. */
export const SEARCHES = ENTITY_KINDS

/** A search request: checked for shape and size. */
export type SearchRequest = {
  /** What is looked for. */
  readonly kind: EntityKind
  /** The type that is looked for; empty for actions. */
  readonly type: string
  /** The question about an entity of this id (of an action, this name): the same for all but for it. */
  readonly questionAbout: (id: string) => EvaluationRequest
  readonly page: SearchPage
}

export type SearchPage = {
  /** Of the page before; absent for the first. */
  readonly token: string | undefined
  /** Results that are wanted at most. */
  readonly limit: number | undefined
}

export const SEARCH_REQUEST_REASONS = ['search_of_devices'] as const

export type SearchRequestFailure =
  | AuthzenFailure
  | {
      readonly reason: (typeof SEARCH_REQUEST_REASONS)[number]
      readonly member: string
      readonly message: string
    }

/**
 * Reads the parsed body of a search. What is looked for needs its type and no id, which is ignored; all
 * else has to be complete as in an evaluation. Unknown members are ignored, those of `page` too.
 *
 * Devices are not looked for: they are millions, and in no directory.
 */
export function parseSearch(
  kind: EntityKind,
  json: unknown,
): Result<SearchRequest, SearchRequestFailure> {
  if (!isMembers(json)) return illTyped('', 'an object')
  const page = readPage(json)
  if (!page.ok) return page
  const sample = readRequest(withId(json, kind, ''))
  if (!sample.ok) return sample
  const { [kind]: wanted } = sample.value
  const type = 'type' in wanted ? wanted.type : ''
  if (kind === 'subject' && type === 'device') {
    return err({
      reason: 'search_of_devices',
      member: 'subject.type',
      message: 'devices are not searched for: ask about one by its id',
    })
  }
  const questionAbout = (id: string): EvaluationRequest => {
    const { subject, resource, action } = sample.value
    if (kind === 'subject') return { ...sample.value, subject: { ...subject, id } }
    if (kind === 'resource') return { ...sample.value, resource: { ...resource, id } }
    return { ...sample.value, action: { ...action, name: id } }
  }
  return ok({ kind, type, questionAbout, page: page.value })
}

/** The request as if it were about one entity, so that it is read as any other question. */
function withId(json: Members, kind: EntityKind, id: string): Members {
  const wanted = json[kind]
  if (kind !== 'action') return isMembers(wanted) ? { ...json, [kind]: { ...wanted, id } } : json
  // An action is left out, and ignored where it is not; its properties would be of no action.
  return { ...json, action: { name: id } }
}

function readPage({ page }: Members): Result<SearchPage, AuthzenFailure> {
  if (page === undefined) return ok({ token: undefined, limit: undefined })
  if (!isMembers(page)) return illTyped('page', 'an object')
  const { token, limit } = page
  if (token !== undefined && typeof token !== 'string') return illTyped('page.token', 'a string')
  if (token !== undefined && token.length > MAX_PAGE_TOKEN_CHARS) {
    return err({
      reason: 'authzen_over_limit',
      member: 'page.token',
      message: 'page.token is too large',
    })
  }
  if (limit !== undefined && !isCount(limit)) {
    return illTyped('page.limit', 'an integer that is not negative')
  }
  // An empty token is what the last page gives: as if there were none.
  return ok({ token: token === '' ? undefined : token, limit })
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
