import { asc, inArray } from 'drizzle-orm'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { SIGNING_KEY_USES, type SigningKeyUse, signingKey } from '../schema/system-schema.ts'

/** Our signing keys as they are kept: the private halves sealed. Room `keys` opens them. */
export type StoredSigningKeys = {
  /** All of the uses that this version knows, by use and then oldest first. */
  readonly listSigningKeys: () => Promise<readonly StoredSigningKey[]>
  /**
   * Keeps the next key of a use, and ends the time of the one before it: that one signs until the new
   * one does, and is accepted until `previousAcceptedUntil`. Of any number of calls for one generation
   * exactly one is answered `applied`.
   */
  readonly publishSigningKey: (input: KeyToPublish) => Promise<PublishAnswer>
  /** Ends a key at once and destroys its private half. Another one signs from the same moment on. */
  readonly retireSigningKey: (input: KeyToRetire) => Promise<RetireAnswer>
}

export type StoredSigningKey = {
  readonly kid: string
  readonly use: SigningKeyUse
  /** 1 for the first key of a use; its successor has the next number. */
  readonly generation: number
  readonly algorithm: string
  readonly publicJwk: Json
  /** DER in base64, for keys that are published as a certificate. */
  readonly certificate: string | null
  /** `null` once it is destroyed. */
  readonly sealedPrivateKey: string | null
  readonly createdAt: Date
  readonly signsFrom: Date
  readonly signsUntil: Date | null
  readonly acceptedUntil: Date | null
  readonly retiredAt: Date | null
}

/** A key that was just made. What is still to come of its times is not known yet. */
export type NewSigningKey = Omit<
  StoredSigningKey,
  'generation' | 'sealedPrivateKey' | 'signsUntil' | 'acceptedUntil' | 'retiredAt'
> & { readonly sealedPrivateKey: string }

export type KeyToPublish = {
  readonly key: NewSigningKey
  readonly generation: number
  readonly previousAcceptedUntil: Date
  readonly by: string
  readonly now: Date
}

export type KeyToRetire = {
  readonly kid: string
  /** Kept if no other key of the use can take over; it signs at once. */
  readonly replacement: NewSigningKey
  readonly by: string
  readonly reason: string
  readonly now: Date
}

/** `under_way`: the newest key does not sign yet. `superseded`: somebody else was faster. */
export type PublishAnswer = 'applied' | 'under_way' | 'superseded'

export type RetireAnswer = 'applied' | 'unchanged' | 'key_unknown'

const KEY = [
  'p_kid',
  'p_use',
  'p_algorithm',
  'p_public_jwk',
  'p_certificate',
  'p_sealed_private_key',
] as const
const PUBLISH = [
  ...KEY,
  'p_generation',
  'p_signs_from',
  'p_previous_accepted_until',
  'p_at',
  'p_by',
  'p_audit_id',
  'p_event_id',
] as const
const RETIRE = [
  'p_retired_kid',
  ...KEY,
  'p_at',
  'p_by',
  'p_reason',
  'p_audit_id',
  'p_event_id',
] as const

export function prepareSigningKeys(db: Database): StoredSigningKeys {
  const list = db
    .select()
    .from(signingKey)
    .where(inArray(signingKey.use, [...SIGNING_KEY_USES]))
    .orderBy(asc(signingKey.use), asc(signingKey.generation))
    .prepare('list_signing_keys')
  const publish = prepareChange<(typeof PUBLISH)[number], PublishAnswer>(
    db,
    'publish_signing_key',
    PUBLISH,
  )
  const retire = prepareChange<(typeof RETIRE)[number], RetireAnswer>(
    db,
    'retire_signing_key',
    RETIRE,
  )
  return {
    listSigningKeys: async () => await list.execute(),
    publishSigningKey: ({ key, generation, previousAcceptedUntil, by, now }) =>
      publish({
        ...keyArguments(key),
        p_generation: generation,
        p_signs_from: key.signsFrom.toISOString(),
        p_previous_accepted_until: previousAcceptedUntil.toISOString(),
        ...changeArguments(by, now),
      }),
    retireSigningKey: ({ kid, replacement, by, reason, now }) =>
      retire({
        p_retired_kid: encodeText(kid),
        ...keyArguments(replacement),
        p_reason: encodeText(reason),
        ...changeArguments(by, now),
      }),
  }
}

function keyArguments(key: NewSigningKey) {
  return {
    p_kid: key.kid,
    p_use: key.use,
    p_algorithm: key.algorithm,
    p_public_jwk: encodeJson(key.publicJwk),
    p_certificate: key.certificate,
    p_sealed_private_key: key.sealedPrivateKey,
  }
}

function changeArguments(by: string, now: Date) {
  return {
    p_at: now.toISOString(),
    p_by: encodeText(by),
    p_audit_id: newRecordId(now),
    p_event_id: newRecordId(now),
  }
}
