import { createPublicKey } from 'node:crypto'
import { CompactSign, decodeJwt } from 'jose'
import { toBase64, toBase64Url, toUtf8 } from '../base/encoding.ts'
import type { AkAuthority } from './ak-authority.ts'
import { type BootLog, toBootLog } from './boot-log.ts'
import { toUtf16 } from './byte-writer.ts'
import type { KeySource } from './key-source.ts'
import { digestEvent, EV, type MeasuredEvent } from './tcg-log-encoding.ts'
import type { VirtualDevice } from './virtual-device.ts'
import { toWebKey } from './web-key.ts'

/**
 * The device with a log in which Secure Boot is on, although it was measured as off. With `digests`
 * kept, the event no longer matches its own digest; recomputed, the log no longer replays to the
 * quoted PCR.
 */
export function claimSecureBoot(
  device: VirtualDevice,
  digests: 'kept' | 'recomputed',
): VirtualDevice {
  const name = Buffer.from(toUtf16('SecureBoot', false))
  const isSecureBoot = (event: MeasuredEvent) =>
    event.type === EV.efiVariableDriverConfig && Buffer.from(event.data).includes(name)
  return { ...device, bootLog: rewriteEvents(device.bootLog, isSecureBoot, digests) }
}

function rewriteEvents(
  log: BootLog,
  matches: (event: MeasuredEvent) => boolean,
  digests: 'kept' | 'recomputed',
): BootLog {
  const events = log.events.map((event) => {
    if (!matches(event)) return event
    const data = Uint8Array.from(event.data)
    data[data.length - 1] = 1
    return digests === 'kept' ? { ...event, data } : digestEvent({ ...event, data })
  })
  return toBootLog(log.startupLocality, events)
}

/** Claims that a forger would like to have. */
const FLATTERING_CLAIMS = { secureBootEnabled: true, vbsEnabled: true, hvciEnabled: true }

/**
 * A genuine token with better claims, signed by a key of the forger's whose certificate chain stands
 * in the header. A verifier that takes its key from there believes it.
 */
export async function forgeWithOwnCertificate(input: {
  readonly token: string
  readonly keys: KeySource
  readonly authority: AkAuthority
}): Promise<string> {
  const key = await input.keys()
  const certificate = await input.authority.issue(createPublicKey(key))
  return await new CompactSign(flatter(input.token))
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'forged', x5c: [toBase64(certificate)] })
    .sign(await toWebKey(key, 'RS256'))
}

/** The same without a signature at all (`alg` `none`). */
export function forgeWithoutSignature(token: string): string {
  const header = toBase64Url(toUtf8(JSON.stringify({ alg: 'none', typ: 'JWT' })))
  return `${header}.${toBase64Url(flatter(token))}.`
}

function flatter(token: string): Uint8Array {
  return toUtf8(JSON.stringify({ ...decodeJwt(token), ...FLATTERING_CLAIMS }))
}
