import { and, asc, desc, eq, sql } from 'drizzle-orm'
import type { DocumentHash } from '../../base/document-hash.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { storableId } from '../devices/trust-records.ts'
import { type Argument, type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { activeDocument, document } from '../schema/steering-schema.ts'

/** Policies and sets of reference values: immutable, named by their hash, one of each kind active. */
export type StoredDocuments = {
  readonly activeDocument: (kind: DocumentKind) => Promise<ActiveDocument | null>
  readonly document: (kind: DocumentKind, hash: string) => Promise<StoredDocument | null>
  /** All documents of a kind without their bodies, the newest first. */
  readonly listDocuments: (kind: DocumentKind, limit: number) => Promise<readonly ListedDocument[]>
  /** Keeps a document that is not in force yet. `unchanged` if it is there already. */
  readonly proposeDocument: (input: DocumentToActivate) => Promise<'applied' | 'unchanged'>
  /**
   * Keeps the document and moves the pointer of its kind to it, with audit row and event, in one
   * statement. `unchanged` if it is the active one already. `superseded`, and nothing is written, if
   * another than `expected` is active, or than `beside` of the other kind ('' for none): two who change documents at
   * once must not undo each other, and nothing comes into force beside what it was not compared with.
   * So it is where another rollout of this document was the last to halt than `despite`, which is ''
   * for none and notes there who released it all the same. Open rollouts end.
   * The store takes `hash` as given: who activates has computed it from the body.
   */
  readonly activateDocument: (
    input: DocumentToActivate & {
      readonly expected: DocumentHash | ''
      readonly beside: DocumentHash | ''
      readonly despite?: string | undefined
    },
  ) => Promise<Activation>
  /** The same, only if no document of this kind is active: the first start of a service. */
  readonly ensureActiveDocument: (input: DocumentToActivate) => Promise<'applied' | 'unchanged'>
}

export type Activation = 'applied' | 'unchanged' | 'superseded'

export type StoredDocument = {
  readonly kind: DocumentKind
  readonly hash: DocumentHash
  readonly body: Json
  /** The document that was in force when this one came; `null` for the first. */
  readonly parent: string | null
  readonly author: string
  readonly reason: string
  readonly createdAt: Date
}

export type ListedDocument = Omit<StoredDocument, 'body'>

export type ActiveDocument = StoredDocument & {
  readonly activatedAt: Date
  readonly activatedBy: string
  /** What was in force before and can be returned to; `null` once it was, and for the first. */
  readonly previous: string | null
}

export type DocumentToActivate = {
  readonly kind: DocumentKind
  readonly hash: DocumentHash
  readonly body: Json
  readonly author: string
  readonly reason: string
  readonly now: Date
}

const ACTIVATE = [
  'p_kind',
  'p_hash',
  'p_body',
  'p_author',
  'p_reason',
  'p_at',
  'p_expected',
  'p_beside',
  'p_despite',
  'p_audit_id',
  'p_event_id',
] as const

const PROPOSE = [
  'p_kind',
  'p_hash',
  'p_body',
  'p_author',
  'p_reason',
  'p_at',
  'p_audit_id',
] as const

/** For `expected`: that no document of the kind is active. */
const NONE = ''

export function prepareDocuments(db: Database): StoredDocuments {
  const activate = prepareChange<(typeof ACTIVATE)[number], Activation>(
    db,
    'activate_document',
    ACTIVATE,
  )
  const propose = prepareChange<(typeof PROPOSE)[number], 'applied' | 'unchanged'>(
    db,
    'propose_document',
    PROPOSE,
  )
  const active = db
    .select({
      ...documentColumns,
      activatedAt: activeDocument.activatedAt,
      activatedBy: activeDocument.activatedBy,
      previous: activeDocument.previous,
    })
    .from(activeDocument)
    .innerJoin(
      document,
      and(eq(document.kind, activeDocument.kind), eq(document.hash, activeDocument.hash)),
    )
    .where(eq(activeDocument.kind, sql.placeholder('kind')))
    .prepare('active_document')
  const one = db
    .select(documentColumns)
    .from(document)
    .where(
      and(eq(document.kind, sql.placeholder('kind')), eq(document.hash, sql.placeholder('hash'))),
    )
    .prepare('document')

  return {
    async activeDocument(kind) {
      const [row] = await active.execute({ kind })
      return row ?? null
    },
    async document(kind, hash) {
      const [row] = await one.execute({ kind, hash: storableId(hash) })
      return row ?? null
    },
    async listDocuments(kind, limit) {
      const { body: _, ...listed } = documentColumns
      return await db
        .select(listed)
        .from(document)
        .where(eq(document.kind, kind))
        .orderBy(desc(document.createdAt), asc(document.hash))
        .limit(limit)
    },
    proposeDocument(input) {
      const { p_kind, p_hash, p_body, p_author, p_reason, p_at, p_audit_id } =
        activationArguments(input)
      return propose({ p_kind, p_hash, p_body, p_author, p_reason, p_at, p_audit_id })
    },
    activateDocument: (input) => activate(activationArguments(input)),
    async ensureActiveDocument(input) {
      const answer = await activate(activationArguments({ ...input, expected: NONE }))
      return answer === 'applied' ? answer : 'unchanged'
    },
  }
}

const documentColumns = {
  kind: document.kind,
  hash: document.hash,
  body: document.body,
  parent: document.parent,
  author: document.author,
  reason: document.reason,
  createdAt: document.createdAt,
}

function activationArguments(
  input: DocumentToActivate & {
    readonly expected?: string
    readonly beside?: string
    readonly despite?: string | undefined
  },
): Record<(typeof ACTIVATE)[number], Argument> {
  return {
    p_kind: input.kind,
    p_hash: input.hash,
    p_body: encodeJson(input.body),
    p_author: encodeText(input.author),
    p_reason: encodeText(input.reason),
    p_at: input.now.toISOString(),
    p_expected: input.expected ?? null,
    p_beside: input.beside ?? null,
    p_despite: input.despite ?? null,
    p_audit_id: newRecordId(input.now),
    p_event_id: newRecordId(input.now),
  }
}
