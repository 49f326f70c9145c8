import { and, asc, eq, isNotNull, isNull, lt, or, sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { ClientKeys } from '../../oauth/client-keys.ts'
import type { Scope } from '../../oauth/scopes.ts'
import { storableId } from '../devices/trust-records.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { client } from '../schema/system-schema.ts'

export type Clients = {
  readonly createClient: (input: ClientToCreate) => Promise<void>
  /** Disabled clients are found too: `disabledAt` tells. */
  readonly findClient: (clientId: string) => Promise<StoredClient | null>
  /** All of them, oldest first. */
  readonly listClients: () => Promise<readonly ApiClient[]>
  /** Those that are not disabled and whose secret ends, or has ended: the earliest first. */
  readonly expiringClients: (limit: number) => Promise<readonly ApiClient[]>
  readonly disableClient: (input: ClientToDisable) => Promise<ClientChangeAnswer>
  /**
   * Gives a client another secret; the one before counts `until` then. `rotation_under_way`: there is one
   * before it already, and another one is to count too.
   */
  readonly rotateClientSecret: (input: ClientToRotate) => Promise<ClientRotationAnswer>
  /** Gives a client that has keys others; with `endTokens` its access tokens end. */
  readonly setClientKeys: (input: ClientKeysToSet) => Promise<ClientKeysAnswer>
  /**
   * Ends one access token of a client. Past so many that are remembered of one client all of its tokens end,
   * so that what is read with each request stays small.
   */
  readonly revokeAccessToken: (token: TokenToRevoke) => Promise<TokenRevocationAnswer>
  /** Keeps when a secret was used, unless a use within the hour before is kept. Not audited. */
  readonly noteClientUse: (use: ClientUse) => Promise<void>
}

export type ApiClient = {
  readonly clientId: string
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly createdAt: Date
  readonly disabledAt: Date | null
  /** Null for a client that proves itself by a secret. */
  readonly keys: ClientKeys | null
  /** Null for the secret, or the keys, that it was created with. What is said of secrets is said of keys. */
  readonly secretChangedAt: Date | null
  /** From then on the secret does not count; null where it has no end. */
  readonly secretExpiresAt: Date | null
  /** To the hour; null where no use was noted. */
  readonly secretUsedAt: Date | null
  /** How long the secret before this one counts; null without one. */
  readonly previousSecretUntil: Date | null
  readonly previousSecretUsedAt: Date | null
}

/** With the hashes that its secrets are compared to (`verifyClientSecret`). */
export type StoredClient = ApiClient & {
  /** Null for a client that proves itself by keys. */
  readonly secretHash: string | null
  readonly previousSecretHash: string | null
  /** Access tokens of another generation do not count. */
  readonly generation: number
  /** Ids of access tokens that ended before their time, and when they would have. */
  readonly revokedTokens: Readonly<Record<string, string>>
}

/** When somebody proved to be a client, and by which of its secrets. */
export type ClientUse = {
  readonly clientId: string
  /** Null where it was by one of its keys. */
  readonly secretHash: string | null
  readonly at: Date
}

export type ClientToCreate = {
  readonly clientId: string
  readonly name: string
  /** One of them. A hash from `hashClientSecret`: the secret itself never comes here. */
  readonly secretHash?: string
  readonly keys?: ClientKeys
  /** When the secret ends; without it never by itself. */
  readonly secretExpiresAt?: Date | undefined
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
  /** When the new secret ends; null for never by itself. */
  readonly expiresAt: Date | null
}

export type ClientRotationAnswer =
  | 'applied'
  | 'client_unknown'
  | 'client_disabled'
  | 'client_has_keys'
  | 'rotation_under_way'

export type ClientKeysToSet = ClientToDisable & {
  readonly keys: ClientKeys
  readonly endTokens: boolean
}

export type ClientKeysAnswer =
  | 'applied'
  | 'client_unknown'
  | 'client_disabled'
  | 'client_has_secret'

export type TokenToRevoke = ClientToDisable & {
  readonly tokenId: string
  readonly generation: number
  readonly expiresAt: Date
}

/** `unchanged`: it does not count already. */
export type TokenRevocationAnswer = 'applied' | 'unchanged' | 'client_unknown'

/** Revoked tokens that are remembered of one client. */
export const MOST_REVOKED_TOKENS = 256

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
  'p_keys',
  'p_secret_expires_at',
] as const
const DISABLE = ['p_client_id', 'p_at', 'p_by', 'p_audit_id'] as const
const ROTATE = [
  ...(['p_client_id', 'p_secret_hash', 'p_until', 'p_at', 'p_by', 'p_audit_id'] as const),
  ...(['p_expires_at'] as const),
] as const
const SET_KEYS = ['p_client_id', 'p_keys', 'p_end_tokens', 'p_at', 'p_by', 'p_audit_id'] as const
const REVOKE = [
  ...(['p_client_id', 'p_token_id', 'p_generation', 'p_expires_at', 'p_most'] as const),
  ...(['p_at', 'p_by', 'p_audit_id'] as const),
] as const

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
  const setKeys = prepareChange<(typeof SET_KEYS)[number], ClientKeysAnswer>(
    db,
    'set_client_keys',
    SET_KEYS,
  )
  const revoke = prepareChange<(typeof REVOKE)[number], TokenRevocationAnswer>(
    db,
    'revoke_access_token',
    REVOKE,
  )
  const find = db
    .select({
      ...clientColumns,
      secretHash: client.secretHash,
      previousSecretHash: client.previousSecretHash,
      generation: client.generation,
      revokedTokens: client.revokedTokens,
    })
    .from(client)
    .where(eq(client.clientId, sql.placeholder('clientId')))
    .prepare('find_client')

  return {
    async createClient(input) {
      await create({
        p_client_id: input.clientId,
        p_name: encodeText(input.name),
        p_secret_hash: input.secretHash ?? null,
        p_scopes: encodeJson(input.scopes),
        p_at: input.now.toISOString(),
        p_by: encodeText(input.by),
        p_audit_id: newRecordId(input.now),
        p_keys: input.keys === undefined ? null : encodeJson(input.keys),
        p_secret_expires_at: input.secretExpiresAt?.toISOString() ?? null,
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
    async expiringClients(limit) {
      return await db
        .select(clientColumns)
        .from(client)
        .where(and(isNotNull(client.secretExpiresAt), isNull(client.disabledAt)))
        .orderBy(asc(client.secretExpiresAt), asc(client.clientId))
        .limit(limit)
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
        p_expires_at: input.expiresAt?.toISOString() ?? null,
      }),
    setClientKeys: (input) =>
      setKeys({
        p_client_id: storableId(input.clientId),
        p_keys: encodeJson(input.keys),
        p_end_tokens: input.endTokens,
        p_at: input.now.toISOString(),
        p_by: encodeText(input.by),
        p_audit_id: newRecordId(input.now),
      }),
    revokeAccessToken: (input) =>
      revoke({
        p_client_id: storableId(input.clientId),
        p_token_id: storableId(input.tokenId),
        p_generation: input.generation,
        p_expires_at: input.expiresAt.toISOString(),
        p_most: MOST_REVOKED_TOKENS,
        p_at: input.now.toISOString(),
        p_by: encodeText(input.by),
        p_audit_id: newRecordId(input.now),
      }),
    async noteClientUse({ clientId, secretHash, at }) {
      const before = new Date(at.getTime() - CLIENT_USE_NOTED_EVERY_MS)
      const isLongAgo = (column: AnyPgColumn) => or(isNull(column), lt(column, before))
      const isCurrent =
        secretHash === null ? isNull(client.secretHash) : eq(client.secretHash, secretHash)
      const isPrevious =
        secretHash === null ? sql`false` : eq(client.previousSecretHash, secretHash)
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
  keys: client.keys,
  secretChangedAt: client.secretChangedAt,
  secretExpiresAt: client.secretExpiresAt,
  secretUsedAt: client.secretUsedAt,
  previousSecretUntil: client.previousSecretUntil,
  previousSecretUsedAt: client.previousSecretUsedAt,
}
