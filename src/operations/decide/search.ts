import type { Documents } from '../../access/assess.ts'
import { type Case, decide } from '../../access/decide.ts'
import { completeRequest, type Directory, type EntityKind } from '../../access/directory.ts'
import { SEARCH_PAGE, SEARCH_PAGE_MOST } from '../../access/limits.ts'
import type { SearchRequest } from '../../access/search-request.ts'
import { ok, type Result } from '../../base/result.ts'
import { visitInSlices } from '../../base/slices.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'
import type { Entity } from '../../store/directory/entities.ts'
import type { Store } from '../../store/store.ts'
import { type FactsDependencies, findFacts } from './facts.ts'
import {
  openPageToken,
  type PagePosition,
  type PageTokenBinding,
  type PageTokenFailure,
  sealPageToken,
} from './page-token.ts'
import { nameDevice, type VerifyDeviceToken } from './question.ts'

export type SearchDependencies = {
  readonly store: FactsDependencies['store'] & Pick<Store, 'entityPage'>
  readonly rules: FactsDependencies['rules']
  readonly verifyDeviceToken: VerifyDeviceToken
  /** What page tokens are sealed with. */
  readonly searchPageKeys: PurposeKeys
  readonly clock: () => Date
}

/** A page of results as AuthZEN words it; `page` comes first (§8). */
export type SearchResults = {
  readonly page: { readonly next_token: string; readonly count: number }
  readonly results: readonly SearchResult[]
}

export type SearchResult =
  | { readonly type: string; readonly id: string }
  | { readonly name: string }

/** Entities that one page looks at, and one statement reads. */
const EXAMINED_MOST = 1000
const READ_AT_ONCE = 200
/**
 * For so long a page reads on, and for so long it looks at what one statement has read; at one entity at
 * least. So a page takes no longer than twice that and one statement.
 */
const SEARCH_MS = 250

/**
 * A page of a search (AuthZEN §8): the entities of the directory about which an evaluation of the same
 * question would be granted now, by the same code.
 *
 * The directory is gone through in the order of its key, a bounded number of entities or for a bounded time
 * a page. So a page may have fewer results than were asked for, none even, and leads on to the next; a
 * search through a million entities is a thousand short requests. Nothing of it is counted as a decision,
 * and rollouts learn nothing from it.
 */
export async function search(
  dependencies: SearchDependencies,
  request: SearchRequest,
  { clientId }: { readonly clientId: string },
): Promise<Result<SearchResults, PageTokenFailure>> {
  const { store, clock, searchPageKeys: keys } = dependencies
  const now = clock()
  const binding = { keys, clientId, search: request, now }
  const opened = openPosition(request, binding)
  if (!opened.ok) return opened
  const { after, limit } = opened.value
  const most = Math.min(limit ?? SEARCH_PAGE, SEARCH_PAGE_MOST)
  const judge = await prepareJudge(dependencies, request, now)
  if (judge === undefined) return ok({ page: { next_token: '', count: 0 }, results: [] })
  const found = await walk(store, { request, after, most, judge, clock })
  const { results, position } = found
  const next = position === undefined ? '' : sealPageToken({ after: position, limit }, binding)
  return ok({ page: { next_token: next, count: results.length }, results })
}

function openPosition(
  { page }: SearchRequest,
  binding: PageTokenBinding,
): Result<PagePosition, PageTokenFailure> {
  const { token, limit } = page
  return token === undefined ? ok({ after: '', limit }) : openPageToken(token, binding)
}

type Judge = (candidate: Entity) => boolean

/** `undefined` where whoever is found would be denied, as a device is missing, unknown or untold. */
async function prepareJudge(
  { verifyDeviceToken, ...dependencies }: SearchDependencies,
  { kind, questionAbout }: SearchRequest,
  now: Date,
): Promise<Judge | undefined> {
  const request = questionAbout('')
  const { device, token } = await nameDevice(request, verifyDeviceToken)
  const question = { request, device, token, requestDigest: undefined }
  const { rulesInForce, recordOf, directoryOf } = await findFacts(dependencies, [question])
  const record = recordOf(question)
  const { rules, reliefs } = rulesInForce.rulesFor(record, now)
  const unnamed = device.ok ? undefined : device.failure.reason
  if (isHopeless({ rules, record, unnamed })) return undefined
  const known = directoryOf(question)
  const isRead = rulesInForce.directoryKinds.has(kind)
  return ({ id, properties }) => {
    const directory: Directory = { ...known, ...(isRead && { [kind]: properties }) }
    const completed = completeRequest(questionAbout(id), directory)
    const asked: Case = { rules, record, request: completed, token, unnamed, reliefs, now }
    return decide(asked).decision.decision
  }
}

function isHopeless({
  rules,
  record,
  unnamed,
}: {
  readonly rules: Documents
  readonly record: Case['record']
  readonly unnamed: Case['unnamed']
}): boolean {
  if (unnamed === undefined) return record === null
  return unnamed !== 'device_not_named' || rules.policy.deviceCondition === undefined
}

type Walk = {
  readonly request: Pick<SearchRequest, 'kind' | 'type'>
  /** Id of the entity behind which it begins. */
  readonly after: string
  /** Results that end it. */
  readonly most: number
  readonly judge: Judge
  readonly clock: () => Date
}

/** `position`: behind which entity the next page goes on; `undefined` where nothing is left. */
type Walked = { readonly results: readonly SearchResult[]; readonly position: string | undefined }

async function walk(
  store: Pick<Store, 'entityPage'>,
  { request: { kind, type }, after, most, judge, clock }: Walk,
): Promise<Walked> {
  const results: SearchResult[] = []
  let position = after
  let examined = 0
  const isFull = () => results.length >= most || examined >= EXAMINED_MOST
  const maySearchOn = startTimer(clock)
  while (!isFull() && (examined === 0 || maySearchOn())) {
    const from = { kind, type, id: position }
    const page = await store.entityPage({ kind, type, after: from, limit: READ_AT_ONCE })
    const mayLookOn = startTimer(clock)
    let seen = 0
    await visitInSlices(page, (candidate) => {
      if (isFull() || (seen > 0 && !mayLookOn())) return
      if (judge(candidate)) results.push(describe(kind, candidate))
      position = candidate.id
      examined += 1
      seen += 1
    })
    if (seen === page.length && page.length < READ_AT_ONCE) return { results, position: undefined }
    if (seen < page.length) break
  }
  return { results, position }
}

/** Whether there is time left; a clock that is set back is no more of it. */
function startTimer(clock: () => Date): () => boolean {
  const begun = clock().getTime()
  return () => Math.abs(clock().getTime() - begun) <= SEARCH_MS
}

function describe(kind: EntityKind, { type, id }: Entity): SearchResult {
  return kind === 'action' ? { name: id } : { type, id }
}
