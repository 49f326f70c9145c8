import type { JWK } from 'jose'
import type { Log } from '../base/log.ts'
import { SERVICE, type SigningKeyUse } from '../store/schema/system-schema.ts'
import { StoreError } from '../store/store-error.ts'
import type { SealedSecrets } from '../store/system/sealed-secrets.ts'
import type { StoredSigningKey, StoredSigningKeys } from '../store/system/stored-signing-keys.ts'
import { makeFirstKey } from './first-key.ts'
import { KEY_MAX_AGE_MS, KEY_REREAD_MS, keyState } from './key-times.ts'
import type { MasterSecrets } from './master-secret.ts'
import { derivePurposeKeys, type PurposeKeys } from './sealing.ts'
import { openPrivateKey, type SigningAlgorithm } from './signing-key-material.ts'
import {
  createSigningKeys,
  FIRST_KEY_USES,
  type OpenedRow,
  type SigningKey,
  type SigningKeys,
} from './signing-keys.ts'

/**
 * A `kid` that nobody knows, which anybody can send, makes us read the keys unless they were read so
 * long ago; and while others are just reading them, so many times.
 */
const UNKNOWN_KID_MS = 1000
const UNKNOWN_KID_READS = 8
/** Whoever needs keys that are too old reads them, since none may wait for another; so many at once. */
const READS_AT_ONCE = 64
/** For so long nobody asks a database again that could not answer. */
const FAILED_READ_MS = 1000

/**
 * Our own signing keys in this process, which follow the database without a restart. Nothing here
 * waits for what another request began: on Workers it may not.
 */
export type KeyRing = {
  /** As they were read last, however long ago. Asks no store: for what has to work without one. */
  readonly latest: () => SigningKeys
  /** Not older than `KEY_MAX_AGE_MS`; read by this caller if need be. Throws `StoreError`. */
  readonly current: () => SigningKeys | Promise<SigningKeys>
  /** Reads them now. Throws `StoreError`. */
  readonly reread: () => Promise<SigningKeys>
  /**
   * The accepted key that a header names. For a name that is not known the keys are read again unless
   * that was within a second, since another process may have made it a moment ago.
   */
  readonly keyOf: (
    use: SigningKeyUse,
    kid: string,
  ) => SigningKey | undefined | Promise<SigningKey | undefined>
}

/** The stored keys were sealed with another master secret than those given now, or were tampered with. */
export class MasterSecretMismatchError extends Error {
  override readonly name = 'MasterSecretMismatchError'
}

export type KeyRingInput = {
  readonly store: StoredSigningKeys & Pick<SealedSecrets, 'reseal'>
  readonly secrets: MasterSecrets
  /** URL of our issuer: the name on the certificates. */
  readonly issuer: string
  readonly log: Log
  readonly clock: () => Date
}

/**
 * Reads the signing keys and opens them, making the first one of most uses if there is none. Any
 * number of processes may start at once on one database: all get the same keys. What the previous
 * master secret sealed is sealed anew.
 *
 * Throws `MasterSecretMismatchError` rather than replacing keys that it cannot open.
 */
export async function openKeyRing(input: KeyRingInput): Promise<KeyRing> {
  const { store, clock, log } = input
  const sealingKeys = signingSealingKeys(input.secrets)
  const opener = createOpener(sealingKeys)
  const first = await opener.open(await listWithEveryUse({ ...input, sealingKeys }), clock())
  const [unopened] = first.unopened
  if (unopened !== undefined) throw mismatchOf(unopened)
  await reseal(input, first.opened)
  let latest = createSigningKeys(first.rows, first.opened)
  let readAt = clock().getTime()
  let begunAt = readAt
  const told = new Set<string>()

  let begun = 0
  let kept = 0
  let underWay = 0
  let failure: { readonly at: number; readonly error: unknown } | undefined
  const read = async () => {
    underWay += 1
    try {
      const rows = await store.listSigningKeys()
      failure = undefined
      return rows
    } catch (error) {
      failure = { at: clock().getTime(), error }
      throw error
    } finally {
      underWay -= 1
    }
  }
  const reread = async () => {
    begunAt = clock().getTime()
    begun += 1
    const turn = begun
    const { rows, opened, unopened } = await opener.open(await read(), clock())
    for (const row of unopened) {
      if (!told.has(row.kid)) log.error('signing_key_not_opened', { ...nameOf(row), ...NOT_OPENED })
      told.add(row.kid)
    }
    // One that began earlier may end later, and knows less: of a key that was retired, for one.
    if (turn < kept) return latest
    kept = turn
    latest = createSigningKeys(rows, opened)
    readAt = clock().getTime()
    return latest
  }
  const since = (time: number) => Math.abs(clock().getTime() - time)
  const current = () => {
    const age = since(readAt)
    if (age < KEY_REREAD_MS) return latest
    if (age < KEY_MAX_AGE_MS && since(begunAt) < KEY_REREAD_MS) return latest
    // Anybody can ask for what is signed: that must not keep a sick database sick.
    if (failure !== undefined && since(failure.at) < FAILED_READ_MS) {
      return Promise.reject(failure.error)
    }
    const isCrowded = underWay >= READS_AT_ONCE
    return isCrowded ? Promise.reject(new StoreError('too many read the keys at once')) : reread()
  }
  let unknown = { from: begunAt, reads: 0 }
  const mayReadForUnknown = (hasKeys: boolean) => {
    // The first key of a use is not announced before it signs, as the later ones are.
    if (hasKeys && since(readAt) < UNKNOWN_KID_MS) return false
    if (since(unknown.from) >= UNKNOWN_KID_MS) unknown = { from: clock().getTime(), reads: 0 }
    unknown.reads += 1
    return unknown.reads <= UNKNOWN_KID_READS
  }
  const keyOf: KeyRing['keyOf'] = (use, kid) => {
    const keys = current()
    if (keys instanceof Promise) return keys.then((read) => read.acceptedKey(use, kid, clock()))
    const known = keys.acceptedKey(use, kid, clock())
    if (known !== undefined || !mayReadForUnknown(keys.rows(use).length > 0)) return known
    return reread().then((read) => read.acceptedKey(use, kid, clock()))
  }
  return { latest: () => latest, current, reread, keyOf }
}

const NOT_OPENED = {
  consequence: 'this process neither signs with it nor accepts what it signed',
  remedy: 'start it with the SECRET_KEY of the other processes',
}

export function signingSealingKeys(secrets: MasterSecrets): PurposeKeys {
  return derivePurposeKeys(secrets, 'signing keys')
}

function nameOf({ use, kid }: StoredSigningKey) {
  return { use, kid }
}

function mismatchOf({ use, kid }: StoredSigningKey): MasterSecretMismatchError {
  return new MasterSecretMismatchError(
    `the ${use} signing key ${kid} was sealed with another master secret: start with the secret this database was first used with, or give the one before in SECRET_KEY_PREVIOUS`,
  )
}

async function listWithEveryUse(
  input: KeyRingInput & { readonly sealingKeys: PurposeKeys },
): Promise<readonly StoredSigningKey[]> {
  const { store, clock } = input
  const now = clock()
  const stored = await store.listSigningKeys()
  const isLiving = (key: StoredSigningKey) => keyState(key, now) !== 'ended'
  const missing = FIRST_KEY_USES.filter((use) => {
    return !stored.some((key) => key.use === use && isLiving(key))
  })
  if (missing.length === 0) return stored
  for (const use of missing) await makeFirstKey(input, { use, stored, now })
  // Another process may have been faster: what is stored counts, not what we made.
  return store.listSigningKeys()
}

type Opened = OpenedRow & { readonly resealed: string | undefined }

type Reading = {
  readonly rows: readonly StoredSigningKey[]
  readonly opened: readonly Opened[]
  /** Living keys that none of our secrets sealed. */
  readonly unopened: readonly StoredSigningKey[]
}

/** Opens each key once. One that it saw retired stays so, whatever a row says later. */
function createOpener(sealingKeys: PurposeKeys) {
  const kept = new Map<string, Opened>()
  const retired = new Map<string, Date>()
  return {
    async open(stored: readonly StoredSigningKey[], now: Date): Promise<Reading> {
      for (const { kid, retiredAt } of stored) if (retiredAt !== null) retired.set(kid, retiredAt)
      const rows = stored.map((row) => ({
        ...row,
        retiredAt: retired.get(row.kid) ?? row.retiredAt,
      }))
      const opened: Opened[] = []
      const unopened: StoredSigningKey[] = []
      for (const row of rows) {
        if (keyState(row, now) === 'ended') continue
        const known = kept.get(row.kid)
        const one = known === undefined ? await openRow(row, sealingKeys) : { ...known, row }
        if (one === undefined) unopened.push(row)
        else opened.push(one)
      }
      kept.clear()
      for (const one of opened) kept.set(one.row.kid, one)
      return { rows, opened, unopened }
    },
  }
}

async function openRow(
  row: StoredSigningKey,
  sealingKeys: PurposeKeys,
): Promise<Opened | undefined> {
  const opened = await openPrivateKey(row, sealingKeys)
  if (opened === undefined) return undefined
  const { kid, certificate } = row
  const algorithm = row.algorithm as SigningAlgorithm
  const publicJwk = row.publicJwk as JWK
  const { privateKey, resealed } = opened
  return { row, key: { kid, algorithm, privateKey, publicJwk, certificate }, resealed }
}

/** In one statement, so that a process that dies leaves all of them under one secret. */
async function reseal({ store, clock, log }: KeyRingInput, opened: readonly Opened[]) {
  const signingKeys = opened.flatMap(({ row, resealed }) =>
    resealed === undefined || row.sealedPrivateKey === null
      ? []
      : [{ name: row.kid, from: row.sealedPrivateKey, to: resealed }],
  )
  if (signingKeys.length === 0) return
  const answer = await store.reseal({ signingKeys, secrets: [], by: SERVICE, now: clock() })
  if (answer === 'applied') log.warn('signing_keys_resealed', { keys: signingKeys.length })
}
