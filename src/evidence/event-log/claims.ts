import { ok, type Result } from '../../base/result.ts'
import type { ParseFailure } from '../bytes.ts'
import type { BootClaims } from './boot-claims.ts'
import type { LogFailure } from './failure.ts'
import type { VerifiedLog } from './replay.ts'
import { readSecureBoot, type SecureBootState } from './secure-boot.ts'
import { SIPA } from './sipa-names.ts'
import type { RsaPublicKey } from './sipa-payloads.ts'
import { findMisplacedSigner } from './unread.ts'
import { readWindowsEvents, type WindowsEvent } from './windows.ts'
import { readIdentityKey, readWindowsClaims } from './windows-claims.ts'

export type { BootClaims, RsaPublicKey }

/** Everything that is read from a verified log; as good as the quote that its PCRs came from. */
export type BootMeasurements = {
  readonly claims: BootClaims
  /** Key that signs VBS enclave reports; `undefined` when VBS measured none. */
  readonly idks: RsaPublicKey | undefined
  /** The secure kernel's decryption key: never a signer. */
  readonly idk: RsaPublicKey | undefined
  readonly events: readonly WindowsEvent[]
  /** Where a key that signs reports stands that is not read, looked for when it is asked; for people. */
  readonly findMisplacedSigner: () => string | undefined
}

/**
 * Reads the boot's claims from a verified log, only from PCRs that it was proven against: 7 for
 * Secure Boot; 12, 13 and 14 together for everything of Windows. A log of another system yields the
 * Secure Boot claims alone.
 *
 * Anything that does not fit refuses the whole log rather than one claim: an attacker who could
 * spoil single claims would choose which.
 */
export function readBootClaims(
  log: VerifiedLog,
): Result<BootMeasurements, LogFailure | ParseFailure> {
  const secureBoot = readSecureBoot(log)
  if (!secureBoot.ok) return secureBoot
  const events = readWindowsEvents(log)
  if (!events.ok) return events
  const windows = readWindowsClaims(events.value)
  if (!windows.ok) return windows
  const idks = readIdentityKey(events.value, SIPA.vsmIdksInfo)
  if (!idks.ok) return idks
  const idk = readIdentityKey(events.value, SIPA.vsmIdkInfo)
  if (!idk.ok) return idk
  return ok({
    claims: { ...windows.value, ...firmwareClaims(secureBoot.value) },
    idks: idks.value,
    idk: idk.value,
    events: events.value,
    findMisplacedSigner: () => findMisplacedSigner(log.log),
  })
}

function firmwareClaims({ enabled, keys, firmwareDebugged }: SecureBootState): BootClaims {
  return {
    ...(enabled === undefined ? {} : { secureBootEnabled: enabled }),
    ...(Object.keys(keys).length === 0 ? {} : { secureBootKeys: keys }),
    // A debugger under the firmware is below everything that Windows could say of its own.
    ...(firmwareDebugged ? { bootDebuggingDisabled: false } : {}),
  }
}
