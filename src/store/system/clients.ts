import { and, asc, eq, isNull, lt, or, sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import { storableId } from '../devices/trust-records.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { client } from '../schema/system-schema.ts'
import type { Scope } from './scopes.ts'

export type Clients = {
  readonly createClient: (input: ClientToCreate) => Promise<void>
  /** Disabled clients are found too: `disabledAt` tells. */
  readonly findClient: (clientId: string) => Promise<StoredClient | null>
  /** All of them, oldest first. */
  readonly listClients: () => Promise<readonly ApiClient[]>
  readonly disableClient: (input: ClientToDisable) => Promise<ClientChangeAnswer>
  /**
   * Gives a client another secret; the one before counts `until` then. `rotation_under_way`: there is one
   * before it already, and another one is to count too.
   */
  readonly rotateClientSecret: (input: ClientToRotate) => Promise<ClientRotationAnswer>
  /** Keeps when a secret was used, unless a use within the hour before is kept. Not audited. */
  readonly noteClientUse: (use: ClientUse) => Promise<void>
}

export type ApiClient = {
  readonly clientId: string
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly createdAt: Date
  readonly disabledAt: Date | null
  /** Null for the secret that it was created with. */
  readonly secretChangedAt: Date | null
  /** To the hour; null where no use was noted. */
  readonly secretUsedAt: Date | null
  /** How long the secret before this one counts; null without one. */
  readonly previousSecretUntil: Date | null
  readonly previousSecretUsedAt: Date | null
}

/** With the hashes that its secrets are compared to (`verifyClientSecret`). */
export type StoredClient = ApiClient & {
  readonly secretHash: string
  readonly previousSecretHash: string | null
}

/** When somebody proved to be a client, and by which of its secrets. */
export type ClientUse = {
  readonly clientId: string
  readonly secretHash: string
  readonly at: Date
}

export type ClientToCreate = {
  readonly clientId: string
  readonly name: string
  /** From `hashClientSecret`: the secret itself never comes here. */
  readonly secretHash: string
  readonly scopes: readonly Scope[]
  readonly by: string
  readonly now: Date
}

export type ClientToDisable = {
  readonly clientId: string
  readonly by: string
  readonly now: Date
}

export type ClientChangeAnswer = 'applied' | 'unchanged' | 'client_unknown'

export type ClientToRotate = ClientToDisable & {
  /** Of the new secret. */
  readonly secretHash: string
  /** Not later than `now`: the old secret ends at once. */
  readonly until: Date
}

export type ClientRotationAnswer =
  | 'applied'
  | 'client_unknown'
  | 'client_disabled'
  | 'rotation_under_way'

/** A use is not noted again before: for people who look which secret is in use, and no hot row. */
export const CLIENT_USE_NOTED_EVERY_MS = 3_600_000

const CREATE = [
  'p_client_id',
  'p_name',
  'p_secret_hash',
  'p_scopes',
  'p_at',
  'p_by',
  'p_audit_id',
] as const
const DISABLE = ['p_client_id', 'p_at', 'p_by', 'p_audit_id'] as const
const ROTATE = ['p_client_id', 'p_secret_hash', 'p_until', 'p_at', 'p_by', 'p_audit_id'] as const

export function prepareClients(db: Database): Clients {
  const create = prepareChange<(typeof CREATE)[number], 'applied'>(db, 'create_client', CREATE)
  const disable = prepareChange<(typeof DISABLE)[number], ClientChangeAnswer>(
    db,
    'disable_client',
    DISABLE,
  )
  const rotate = prepareChange<(typeof ROTATE)[number], ClientRotationAnswer>(
    db,
    'rotate_client_secret',
    ROTATE,
  )
  const find = db
    .select({
      ...clientColumns,
      secretHash: client.secretHash,
      previousSecretHash: client.previousSecretHash,
    })
    .from(client)
    .where(eq(client.clientId, sql.placeholder('clientId')))
    .prepare('find_client')

  return {
    async createClient(input) {
      await create({
        p_client_id: input.clientId,
        p_name: encodeText(input.name),
        p_secret_hash: input.secretHash,
        p_scopes: encodeJson(input.scopes),
        p_at: input.now.toISOString(),
        p_by: encodeText(input.by),
        p_audit_id: newRecordId(input.now),
      })
    },
    async findClient(clientId) {
      const [row] = await find.execute({ clientId: storableId(clientId) })
      return row ?? null
    },
    async listClients() {
      return await db
        .select(clientColumns)
        .from(client)
        .orderBy(asc(client.createdAt), asc(client.clientId))
    },
    disableClient: (input) =>
      disable({
        p_client_id: storableId(input.clientId),
        p_at: input.now.toISOString(),
        p_by: encodeText(input.by),
        p_audit_id: newRecordId(input.now),
      }),
    rotateClientSecret: (input) =>
      rotate({
        p_client_id: storableId(input.clientId),
        p_secret_hash: input.secretHash,
        p_until: input.until.toISOString(),
        p_at: input.now.toISOString(),
        p_by: encodeText(input.by),
        p_audit_id: newRecordId(input.now),
      }),
    async noteClientUse({ clientId, secretHash, at }) {
      const before = new Date(at.getTime() - CLIENT_USE_NOTED_EVERY_MS)
      const isLongAgo = (column: AnyPgColumn) => or(isNull(column), lt(column, before))
      const isCurrent = eq(client.secretHash, secretHash)
      const isPrevious = eq(client.previousSecretHash, secretHash)
      const time = sql`${at.toISOString()}::timestamptz`
      await db
        .update(client)
        .set({
          secretUsedAt: sql`case when ${isCurrent} then ${time} else ${client.secretUsedAt} end`,
          previousSecretUsedAt: sql`case when ${isPrevious} then ${time}
            else ${client.previousSecretUsedAt} end`,
        })
        .where(
          and(
            eq(client.clientId, clientId),
            or(
              and(isCurrent, isLongAgo(client.secretUsedAt)),
              and(isPrevious, isLongAgo(client.previousSecretUsedAt)),
            ),
          ),
        )
    },
  }
}

const clientColumns = {
  clientId: client.clientId,
  name: client.name,
  scopes: client.scopes,
  createdAt: client.createdAt,
  disabledAt: client.disabledAt,
  secretChangedAt: client.secretChangedAt,
  secretUsedAt: client.secretUsedAt,
  previousSecretUntil: client.previousSecretUntil,
  previousSecretUsedAt: client.previousSecretUsedAt,
}
