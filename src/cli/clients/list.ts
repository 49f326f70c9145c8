import { COMMAND } from '../../base/command.ts'
import type { ApiClient, Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { describeKeys, showKeys } from './keys.ts'

/** Lists the clients; with `unusedMs` those that are active and of which no use was noted for so long. */
export async function listClients(
  store: Pick<Store, 'listClients'>,
  options: { readonly unusedMs: number | undefined; readonly json: boolean; readonly now: Date },
): Promise<number> {
  const { unusedMs, json, now } = options
  const all = await store.listClients()
  const clients =
    unusedMs === undefined ? all : all.filter((client) => isUnused(client, unusedMs, now))
  if (json) printJson(clients.map((client) => showClient(client, now)))
  else if (all.length === 0) {
    printText(`There are no clients. To make one: ${COMMAND} clients create --help\n`)
  } else if (clients.length === 0) printText('Every active client was in use.\n')
  else printText(`${describeClients(clients, now)}\n`)
  return EXIT.done
}

/** Active, and neither made nor used since then, by any of its secrets. */
function isUnused(client: ApiClient, unusedMs: number, now: Date): boolean {
  const { createdAt, secretChangedAt, secretUsedAt, previousSecretUsedAt } = client
  const signs = [createdAt, secretChangedAt, secretUsedAt, previousSecretUsedAt]
  const last = Math.max(...signs.map((time) => time?.getTime() ?? 0))
  return client.disabledAt === null && last + unusedMs <= now.getTime()
}

function describeClients(clients: readonly ApiClient[], now: Date): string {
  const rows = clients.map((client) => [
    client.clientId,
    client.name,
    client.scopes.join(' '),
    client.disabledAt === null ? 'active' : `disabled ${toMinute(client.disabledAt)}`,
    client.keys === null ? describeSecret(client) : describeKeys(client.keys),
    toHour(client.secretUsedAt),
    describePrevious(client, now),
  ])
  return renderTable(
    ['client', 'name', 'scopes', 'state', 'proven by', 'last used', 'old secret'],
    rows,
  )
}

function describeSecret({ secretExpiresAt }: ApiClient): string {
  return secretExpiresAt === null ? 'secret' : `secret until ${toMinute(secretExpiresAt)}`
}

function describePrevious(client: ApiClient, now: Date): string {
  const { previousSecretUntil, previousSecretUsedAt } = client
  if (!countsStill(previousSecretUntil, now)) return ''
  return `until ${toMinute(previousSecretUntil)}, last used ${toHour(previousSecretUsedAt)}`
}

function showClient(client: ApiClient, now: Date) {
  const { previousSecretUntil: until, previousSecretUsedAt } = client
  return {
    client_id: client.clientId,
    name: client.name,
    scopes: client.scopes,
    created_at: client.createdAt,
    ...(client.keys !== null && showKeys(client.keys)),
    disabled_at: client.disabledAt,
    secret_changed_at: client.secretChangedAt,
    secret_expires_at: client.secretExpiresAt,
    last_used_at: client.secretUsedAt,
    previous_secret: countsStill(until, now) ? { until, last_used_at: previousSecretUsedAt } : null,
  }
}

function countsStill(until: Date | null, now: Date): until is Date {
  return until !== null && now < until
}

function toMinute(time: Date): string {
  return `${time.toISOString().slice(0, 16)}Z`
}

/** Uses are noted to the hour. */
function toHour(time: Date | null): string {
  return time === null ? 'never noted' : `${time.toISOString().slice(0, 13)}h`
}
