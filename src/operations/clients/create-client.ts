import { toBase64Url } from '../../base/encoding.ts'
import { CLIENT_SECRET_BYTES, hashClientSecret, newClientSecret } from '../../keys/client-secret.ts'
import type { Scope, Store } from '../../store/store.ts'

export type CreatedClient = {
  /** `cli_…` */
  readonly clientId: string
  /** Shown once: only its hash is kept. */
  readonly secret: string
}

/** Makes a program known that may call the API, with a fresh id and a fresh secret. */
export async function createClient(
  dependencies: {
    readonly store: Pick<Store, 'createClient'>
    readonly random: (length: number) => Uint8Array
  },
  client: {
    readonly name: string
    readonly scopes: readonly Scope[]
    readonly by: string
    readonly now: Date
  },
): Promise<CreatedClient> {
  const { store, random } = dependencies
  const clientId = `cli_${toBase64Url(random(12))}`
  const secret = newClientSecret(random(CLIENT_SECRET_BYTES))
  const secretHash = hashClientSecret(secret)
  await store.createClient({ ...client, scopes: [...client.scopes], clientId, secretHash })
  return { clientId, secret }
}
