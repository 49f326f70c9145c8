import { asc, eq, sql } from 'drizzle-orm'
import { storableId } from '../devices/trust-records.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { client } from '../schema/schema.ts'
import type { Scope } from './scopes.ts'

export type Clients = {
  readonly createClient: (input: ClientToCreate) => Promise<void>
  /** Disabled clients are found too: `disabledAt` tells. */
  readonly findClient: (clientId: string) => Promise<StoredClient | null>
  /** All of them, oldest first. */
  readonly listClients: () => Promise<readonly ApiClient[]>
  readonly disableClient: (input: ClientToDisable) => Promise<ClientChangeAnswer>
}

export type ApiClient = {
  readonly clientId: string
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly createdAt: Date
  readonly disabledAt: Date | null
}

/** With the hash its secret is compared to (`verifyClientSecret`). */
export type StoredClient = ApiClient & { readonly secretHash: string }

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

export function prepareClients(db: Database): Clients {
  const create = prepareChange<(typeof CREATE)[number], 'applied'>(db, 'create_client', CREATE)
  const disable = prepareChange<(typeof DISABLE)[number], ClientChangeAnswer>(
    db,
    'disable_client',
    DISABLE,
  )
  const find = db
    .select({ ...clientColumns, secretHash: client.secretHash })
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
  }
}

const clientColumns = {
  clientId: client.clientId,
  name: client.name,
  scopes: client.scopes,
  createdAt: client.createdAt,
  disabledAt: client.disabledAt,
}
