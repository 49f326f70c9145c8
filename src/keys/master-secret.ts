import { fromBase64 } from '../base/encoding.ts'

export const MASTER_SECRET_BYTES = 32

/**
 * The one secret of a deployment. Every other key is derived from it or sealed with such a key, so
 * it must be the same in all processes and outlive them; who has it can be the service.
 */
export type MasterSecret = Uint8Array & { readonly [brand]: true }

declare const brand: unique symbol

/**
 * The secret of a deployment and, while it is being replaced, the one before. What is sealed is sealed
 * with the first; what either sealed is opened.
 */
export type MasterSecrets = readonly [MasterSecret, ...MasterSecret[]]

/** Reads 32 bytes in base64 (`openssl rand -base64 32`); `undefined` for anything else. */
export function parseMasterSecret(text: string): MasterSecret | undefined {
  const bytes = fromBase64(text.trim())
  return bytes !== undefined && isMasterSecret(bytes) ? bytes : undefined
}

/**
 * The secret of a deployment, read or in base64, and the one before it if there is one. Throws for
 * a text that the settings should have refused.
 */
export function masterSecretsOf(
  current: MasterSecret | string,
  previous: string | undefined,
): MasterSecrets {
  const first = typeof current === 'string' ? requireSecret(current) : current
  return previous === undefined ? [first] : [first, requireSecret(previous)]
}

function requireSecret(text: string): MasterSecret {
  const secret = parseMasterSecret(text)
  if (secret === undefined) throw new Error('SECRET_KEY: must be 32 bytes in base64')
  return secret
}

function isMasterSecret(bytes: Uint8Array): bytes is MasterSecret {
  return bytes.length === MASTER_SECRET_BYTES
}
