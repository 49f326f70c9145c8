import { toBase32 } from '../../base/encoding.ts'
import type { SignInName } from '../../store/system/sign-ins.ts'
import { SIGN_IN_SECONDS } from '../../vendors/oidc/limits.ts'

const ID = /^sin_[a-z2-7]{32}_([0-9a-z]{6,8})$/
const RANDOM_BYTES = 20

/** A name for a sign-in that begins now. 160 random bits: nobody finds one by trying. */
export function newSignInName(random: (length: number) => Uint8Array, now: Date): SignInName {
  const seconds = Math.floor(now.getTime() / 1000) + SIGN_IN_SECONDS
  const signInId = `sin_${toBase32(random(RANDOM_BYTES))}_${seconds.toString(36)}`
  return { signInId, expiresAt: new Date(seconds * 1000) }
}

/**
 * The name that an id is of. Whoever changes the time in it names no sign-in: the row is looked for by both.
 * `undefined` for what is no id.
 */
export function readSignInName(signInId: string): SignInName | undefined {
  const [, seconds] = ID.exec(signInId) ?? []
  if (seconds === undefined) return undefined
  return { signInId, expiresAt: new Date(Number.parseInt(seconds, 36) * 1000) }
}
