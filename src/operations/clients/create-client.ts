import { toBase64Url } from '../../base/encoding.ts'
import { CLIENT_SECRET_BYTES, hashClientSecret, newClientSecret } from '../../keys/client-secret.ts'
import type { ClientKeys } from '../../oauth/client-keys.ts'
import type { Scope, Store } from '../../store/store.ts'

export type CreatedClient = {
  /** `cli_…` */
  readonly clientId: string
  /** Shown once: only its hash is kept. Absent for a client with keys. */
  readonly secret: string | undefined
}

/** Makes a program known that may call the API, with a fresh id, and a fresh secret unless it has keys. */
export async function createClient(
  dependencies: {
    readonly store: Pick<Store, 'createClient'>
    readonly random: (length: number) => Uint8Array
  },
  client: {
    readonly name: string
    readonly scopes: readonly Scope[]
    readonly keys?: ClientKeys | undefined
    /** When its secret ends; without it, it never does by itself. */
    readonly secretExpiresAt?: Date | undefined
    readonly by: string
    readonly now: Date
  },
): Promise<CreatedClient> {
  const { store, random } = dependencies
  const { name, keys, secretExpiresAt, by, now } = client
  const clientId = `cli_${toBase64Url(random(12))}`
  const shared = { clientId, name, scopes: [...client.scopes], by, now }
  if (keys !== undefined) {
    await store.createClient({ ...shared, keys })
    return { clientId, secret: undefined }
  }
  const secret = newClientSecret(random(CLIENT_SECRET_BYTES))
  const secretHash = hashClientSecret(secret)
  await store.createClient({ ...shared, secretHash, secretExpiresAt })
  return { clientId, secret }
}
