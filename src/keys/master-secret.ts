import { fromBase64 } from '../base/encoding.ts'

export const MASTER_SECRET_BYTES = 32

/**
 * The one secret of a deployment. Every other key is derived from it or sealed with such a key, so
 * it must be the same in all processes and outlive them; who has it can be the service.
 */
export type MasterSecret = Uint8Array & { readonly [brand]: true }

declare const brand: unique symbol

/** Reads 32 bytes in base64 (`openssl rand -base64 32`); `undefined` for anything else. */
export function parseMasterSecret(text: string): MasterSecret | undefined {
  const bytes = fromBase64(text.trim())
  return bytes !== undefined && isMasterSecret(bytes) ? bytes : undefined
}

function isMasterSecret(bytes: Uint8Array): bytes is MasterSecret {
  return bytes.length === MASTER_SECRET_BYTES
}
