import { formatNoteKey, type NoteKey } from '../../audit/note.ts'
import { fromBase64Url } from '../../base/encoding.ts'
import type { StoredSigningKey, StoredSigningKeys } from '../../store/system/stored-signing-keys.ts'

/** The name that a log of audit entries has from its first checkpoint on. C2SP tlog-checkpoint, "origin" */
export function auditOrigin(publicUrl: string): string {
  const { host, pathname } = new URL(publicUrl)
  return `${host}${pathname.replace(/\/+$/, '')}/audit`
}

/** One of our keys as others verify the notes of a log by it. */
export function noteKeyOf(
  { publicJwk }: Pick<StoredSigningKey, 'publicJwk'>,
  origin: string,
): NoteKey {
  const publicKey = fromBase64Url(String(Object(publicJwk).x))
  if (publicKey === undefined) throw new TypeError('one of our keys is no key of Ed25519')
  return { name: origin, kind: 'ed25519', publicKey }
}

/**
 * The keys that signed, or sign, the checkpoints of a log: all but those that an administrator ended
 * because somebody else may have them.
 */
export async function auditKeysOf(
  store: Pick<StoredSigningKeys, 'listSigningKeys'>,
  origin: string,
): Promise<readonly string[]> {
  const keys = await store.listSigningKeys()
  return keys
    .filter(({ use, retiredAt }) => use === 'audit-log' && retiredAt === null)
    .map((key) => formatNoteKey(noteKeyOf(key, origin)))
}
