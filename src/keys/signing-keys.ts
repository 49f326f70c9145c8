import type { JSONWebKeySet, JWK } from 'jose'
import { SIGNING_KEY_USES, type SigningKeyUse } from '../store/schema/system-schema.ts'
import type { StoredSigningKey } from '../store/system/stored-signing-keys.ts'
import { keyState, signerAt } from './key-times.ts'
import type { PrivateKey, SigningAlgorithm } from './signing-key-material.ts'

/**
 * Uses that get their first key when something is to be signed with it, so that processes of the version
 * before, which would not know it, run on meanwhile.
 */
const LATER_USES: readonly SigningKeyUse[] = [
  'security-event',
  'access-token',
  'sign-in',
  'external-evaluation',
  'audit-log',
]
/** Uses whose first key is made at the first start. */
export const FIRST_KEY_USES = SIGNING_KEY_USES.filter((use) => !LATER_USES.includes(use))

export type SigningKey = {
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  readonly privateKey: PrivateKey
  readonly publicJwk: JWK
  /** DER in base64, as in `x5c`. */
  readonly certificate: string | null
}

/** Our signing keys as they were read from the database once, opened. */
export type SigningKeys = {
  /** The key that signs at `now`. */
  readonly signingKey: (use: SigningKeyUse, now: Date) => SigningKey
  /** All that have not ended, oldest first: those that were announced, the one that signs, and before. */
  readonly acceptedKeys: (use: SigningKeyUse, now: Date) => readonly SigningKey[]
  /** One of them, by `kid`. */
  readonly acceptedKey: (use: SigningKeyUse, kid: string, now: Date) => SigningKey | undefined
  /**
   * The same as others read it. RFC 7517. `attestation` in the shape of Azure Attestation (`kid`,
   * `kty` and `x5c` only), `device-token` and `receipt` as plain JWKs with `alg` and `use`.
   */
  readonly publishedKeySet: (use: SigningKeyUse, now: Date) => JSONWebKeySet
  /** The rows of a use, oldest first, as they were read, those of ended keys among them. */
  readonly rows: (use: SigningKeyUse) => readonly StoredSigningKey[]
}

/** A key and its row. */
export type OpenedRow = { readonly row: StoredSigningKey; readonly key: SigningKey }

/** `opened`: of `rows` those whose private halves could be opened; both by use, then oldest first. */
export function createSigningKeys(
  rows: readonly StoredSigningKey[],
  opened: readonly OpenedRow[],
): SigningKeys {
  const rowsOf = new Map(
    SIGNING_KEY_USES.map((use) => [use, rows.filter((row) => row.use === use)]),
  )
  const openedOf = new Map(
    SIGNING_KEY_USES.map((use) => [use, opened.filter(({ row }) => row.use === use)]),
  )
  const keyOf = new Map(opened.map(({ row, key }) => [row.kid, key]))
  const accepted = (use: SigningKeyUse, now: Date) =>
    (openedOf.get(use) ?? []).filter(({ row }) => keyState(row, now) !== 'ended')
  const acceptedKeys = (use: SigningKeyUse, now: Date) => accepted(use, now).map(({ key }) => key)
  return {
    signingKey(use, now) {
      const signer = signerAt(
        (openedOf.get(use) ?? []).map(({ row }) => row),
        now,
      )
      const key = signer && keyOf.get(signer.kid)
      if (key === undefined) throw new Error(`all signing keys for ${use} have ended`)
      return key
    },
    acceptedKeys,
    acceptedKey: (use, kid, now) => accepted(use, now).find(({ row }) => row.kid === kid)?.key,
    publishedKeySet: (use, now) => ({ keys: acceptedKeys(use, now).map(publish) }),
    rows: (use) => rowsOf.get(use) ?? [],
  }
}

function publish({ kid, algorithm, publicJwk, certificate }: SigningKey): JWK {
  if (certificate !== null) return { kid, kty: 'RSA', x5c: [certificate] }
  return { ...publicJwk, kid, alg: algorithm, use: 'sig' }
}
