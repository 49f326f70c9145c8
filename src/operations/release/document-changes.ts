import { isDeepStrictEqual } from 'node:util'
import type { DocumentKind } from '../../rollout/in-force.ts'

/** One thing by which two documents differ. */
export type DocumentChange = {
  readonly change: 'added' | 'removed' | 'changed' | 'moved'
  readonly what: 'clause' | 'enclave' | 'pin' | 'anchor' | 'member'
  readonly name: string
  /** Of what changed: its members that differ. */
  readonly members?: readonly string[]
}

type Item = { readonly name: string; readonly value: Members }
type Members = Readonly<Record<string, unknown>>

/** What was added, removed or changed, by the entries of lists; empty for equal documents. */
export function findChanges(
  kind: DocumentKind,
  before: unknown,
  after: unknown,
): readonly DocumentChange[] {
  const [old, young] = [membersOf(before), membersOf(after)]
  const lists = kind === 'policy' ? [CLAUSES] : [ENCLAVES, PINS, ANCHORS]
  const listed: readonly string[] = lists.map(({ member }) => member)
  const others = differingMembers(old, young).filter((name) => !listed.includes(name))
  return [
    ...others.map((name): DocumentChange => ({ change: 'changed', what: 'member', name })),
    ...lists.flatMap(({ what, member, nameOf }) => {
      const items = (document: Members) => itemsOf(document[member], nameOf)
      return compareItems(what, items(old), items(young))
    }),
  ]
}

const CLAUSES = {
  what: 'clause',
  member: 'clauses',
  nameOf: ({ id }: Members) => String(id),
} as const
const ENCLAVES = {
  what: 'enclave',
  member: 'enclaves',
  nameOf: ({ name }: Members) => String(name),
} as const
const PINS = {
  what: 'pin',
  member: 'azure_policies',
  nameOf: ({ issuer, hash }: Members) => `${issuer} ${hash}`,
} as const
/** Without its certificate, which nobody reads; that it differs is told as of any member. */
const ANCHORS = {
  what: 'anchor',
  member: 'trust_anchors',
  nameOf: ({ name, known }: Members) => String(name ?? known),
} as const

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {}
}

/** Entries may share a name: the second one is `name (2)`. */
function itemsOf(list: unknown, nameOf: (item: Members) => string): readonly Item[] {
  const counts = new Map<string, number>()
  return (Array.isArray(list) ? list : []).map((value) => {
    const name = nameOf(membersOf(value))
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return { name: count === 1 ? name : `${name} (${count})`, value: membersOf(value) }
  })
}

function compareItems(
  what: DocumentChange['what'],
  before: readonly Item[],
  after: readonly Item[],
): readonly DocumentChange[] {
  const old = new Map(before.map(({ name, value }) => [name, value]))
  const young = new Map(after.map(({ name, value }) => [name, value]))
  const removed = before
    .filter(({ name }) => !young.has(name))
    .map(({ name }): DocumentChange => ({ change: 'removed', what, name }))
  const others = after.flatMap(({ name, value }): readonly DocumentChange[] => {
    const earlier = old.get(name)
    if (earlier === undefined) return [{ change: 'added', what, name }]
    const members = differingMembers(earlier, value)
    return members.length === 0 ? [] : [{ change: 'changed', what, name, members }]
  })
  return [...removed, ...others, ...findMoved(what, before, after)]
}

/** Clauses are told to people in their order, so that it is a difference as well. */
function findMoved(
  what: DocumentChange['what'],
  before: readonly Item[],
  after: readonly Item[],
): readonly DocumentChange[] {
  const names = new Set(after.map(({ name }) => name))
  const kept = before.map(({ name }) => name).filter((name) => names.has(name))
  const places = new Set(kept)
  const now = after.map(({ name }) => name).filter((name) => places.has(name))
  const first = now.find((name, at) => name !== kept[at])
  return first === undefined ? [] : [{ change: 'moved', what, name: first }]
}

function differingMembers(before: Members, after: Members): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names.filter((name) => !isDeepStrictEqual(before[name], after[name]))
}

const MARKS = { added: '+', removed: '-', changed: '~', moved: '~' } as const

/** `~ clause vbs_on: require, texts` */
export function describeChange({ change, what, name, members }: DocumentChange): string {
  const detail = members === undefined ? '' : `: ${members.join(', ')}`
  return `${MARKS[change]} ${what} ${name}${change === 'moved' ? ' stands elsewhere' : detail}`
}
