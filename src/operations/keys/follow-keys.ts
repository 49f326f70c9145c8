import { COMMAND } from '../../base/command.ts'
import { describeFault, type Log } from '../../base/log.ts'
import type { Config } from '../../config/config.ts'
import type { KeyRing } from '../../keys/key-ring.ts'
import type { SigningKeys } from '../../keys/signing-keys.ts'
import { SERVICE, SIGNING_KEY_USES } from '../../store/schema/system-schema.ts'
import type { StoredSigningKey } from '../../store/system/stored-signing-keys.ts'
import { newestOf, type RotateDependencies, rotateKey } from './rotate-key.ts'

const DAY_MS = 86_400_000

export type FollowDependencies = Omit<RotateDependencies, 'issuer' | 'sealingKeys'> & {
  readonly config: Pick<Config, 'signingKeyDays' | 'publicUrl'>
  readonly keyRing: Pick<KeyRing, 'reread'>
  readonly sealing: { readonly signingKey: RotateDependencies['sealingKeys'] }
  readonly log: Log
}

/**
 * Reads the keys of this process again, so that no request has to, and rotates what has signed for as
 * long as the configuration says. Any number of processes may run it: one of them rotates, and the
 * others find it done.
 */
export async function followKeys(dependencies: FollowDependencies): Promise<void> {
  const { keyRing, log } = dependencies
  try {
    await rotateDue(dependencies, await keyRing.reread())
  } catch (error) {
    // What cannot be read now is read by the next run, or by a request before it is too old.
    log.error('keys_not_followed', describeFault(error))
  }
}

async function rotateDue(dependencies: FollowDependencies, keys: SigningKeys): Promise<void> {
  const { config, sealing, clock, log } = dependencies
  const making = { ...dependencies, issuer: config.publicUrl, sealingKeys: sealing.signingKey }
  for (const use of SIGNING_KEY_USES) {
    if (!isDue(newestOf(keys.rows(use)), config.signingKeyDays, clock())) continue
    const rotated = await rotateKey(making, { use, by: SERVICE })
    if (rotated.ok) {
      const { kid, signsFrom } = rotated.value
      log.warn('signing_key_published', { use, kid, signs_from: signsFrom.toISOString() })
    } else if (rotated.failure.reason === 'signing_keys_too_many') {
      log.error('signing_keys_too_many', { use, remedy: `${COMMAND} keys list` })
    }
  }
}

/** Whether a key has signed for so many days; never for none. */
export function isDue(
  newest: Pick<StoredSigningKey, 'signsFrom'> | undefined,
  days: number,
  now: Date,
): boolean {
  if (newest === undefined || days === 0) return false
  return now.getTime() - newest.signsFrom.getTime() >= days * DAY_MS
}
