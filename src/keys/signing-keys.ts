import type { JSONWebKeySet, JWK } from 'jose'
import type { SigningKeyUse } from '../store/schema/schema.ts'
import type { StoredSigningKey, StoredSigningKeys } from '../store/system/stored-signing-keys.ts'
import type { MasterSecret } from './master-secret.ts'
import { derivePurposeKey } from './sealing.ts'
import {
  createSigningKey,
  openPrivateKey,
  type PrivateKey,
  type SigningAlgorithm,
} from './signing-key-material.ts'

export const SIGNING_KEY_USES = ['attestation', 'device-token', 'receipt', 'enrolment'] as const

/**
 * Our own signing keys. Of each use there may be several: the newest that is not retired signs,
 * and all that are not retired are published, so that what an older one signed still verifies.
 */
export type SigningKeys = {
  readonly signingKey: (use: SigningKeyUse, now: Date) => SigningKey
  /**
   * RFC 7517. `attestation` in the shape of Azure Attestation (`kid`, `kty` and `x5c` only),
   * `device-token` as plain JWKs with `alg` and `use`.
   */
  readonly publishedKeySet: (use: SigningKeyUse, now: Date) => JSONWebKeySet
}

export type SigningKey = {
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  readonly privateKey: PrivateKey
  readonly publicJwk: JWK
  /** DER in base64, as in `x5c`. */
  readonly certificate: string | null
}

/** The stored keys were sealed with another master secret than the one given now. */
export class MasterSecretMismatchError extends Error {
  override readonly name = 'MasterSecretMismatchError'
}

/**
 * Reads the signing keys and opens them, making the first one of each use if there is none. Any
 * number of processes may start at once on one database: all get the same keys.
 *
 * Throws `MasterSecretMismatchError` rather than replacing keys that it cannot open.
 */
export async function loadSigningKeys(input: {
  readonly store: StoredSigningKeys
  readonly masterSecret: MasterSecret
  /** URL of our issuer: the name on the certificate of the attestation key. */
  readonly issuer: string
  readonly now: Date
}): Promise<SigningKeys> {
  const { store, masterSecret, issuer, now } = input
  const sealingKey = derivePurposeKey(masterSecret, 'signing keys')
  const stored = await listWithEveryUse({ store, sealingKey, issuer, now })
  const opened = await Promise.all(
    stored.filter((key) => isInUse(key, now)).map((key) => openKey(key, sealingKey)),
  )
  const ofUse = (use: SigningKeyUse, at: Date) => {
    return opened.filter(({ row }) => row.use === use && isInUse(row, at))
  }
  return {
    signingKey(use, at) {
      const newest = ofUse(use, at).at(-1)
      if (newest === undefined) throw new Error(`all signing keys for ${use} are retired`)
      return newest.key
    },
    publishedKeySet: (use, at) => ({ keys: ofUse(use, at).map(({ key }) => publish(key)) }),
  }
}

async function listWithEveryUse(input: {
  readonly store: StoredSigningKeys
  readonly sealingKey: Uint8Array
  readonly issuer: string
  readonly now: Date
}): Promise<readonly StoredSigningKey[]> {
  const { store, now } = input
  const stored = await store.listSigningKeys()
  const missing = SIGNING_KEY_USES.filter((use) => {
    return !stored.some((key) => key.use === use && isInUse(key, now))
  })
  if (missing.length === 0) return stored
  for (const use of missing) {
    const generations = stored.filter((key) => key.use === use).map((key) => key.generation)
    const generation = 1 + Math.max(0, ...generations)
    await store.insertSigningKeyIfAbsent(await createSigningKey({ ...input, use, generation }))
  }
  // Another process may have been faster: what is stored counts, not what we made.
  return store.listSigningKeys()
}

type OpenedKey = { readonly row: StoredSigningKey; readonly key: SigningKey }

async function openKey(row: StoredSigningKey, sealingKey: Uint8Array): Promise<OpenedKey> {
  const { kid, use, certificate } = row
  const privateKey = await openPrivateKey(row, sealingKey)
  if (privateKey === undefined) {
    throw new MasterSecretMismatchError(
      `the ${use} signing key ${kid} was sealed with another master secret: start with the secret this database was first used with`,
    )
  }
  const algorithm = row.algorithm as SigningAlgorithm
  const publicJwk = row.publicJwk as JWK
  return { row, key: { kid, algorithm, privateKey, publicJwk, certificate } }
}

function publish({ kid, algorithm, publicJwk, certificate }: SigningKey): JWK {
  if (certificate !== null) return { kid, kty: 'RSA', x5c: [certificate] }
  return { ...publicJwk, kid, alg: algorithm, use: 'sig' }
}

function isInUse({ retiresAt }: StoredSigningKey, now: Date): boolean {
  return retiresAt === null || now < retiresAt
}
