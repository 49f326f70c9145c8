import { deviceIdOf } from '../../access/device-id.ts'
import type { DeviceKeyKind } from '../../access/trust-record.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { DeviceToLink, LinkAnswer, Links } from '../../store/devices/links.ts'
import type { EnrolmentMode } from '../../store/devices/recording.ts'
import type { Json } from '../../store/json.ts'

export type LinkFailure = {
  readonly reason: Exclude<LinkAnswer['outcome'], 'linked'>
}

export type LinkServices = {
  readonly store: Links
  /** The ring of a device by what names it. */
  readonly ringOf: (identity: Uint8Array) => number
  readonly config: { readonly enrolment: EnrolmentMode; readonly deviceKey: DeviceKeyKind }
}

/** Makes a key one of a TPM's, for the store and whoever asks it from now on. */
export async function linkTpm(
  { store, config, ringOf }: LinkServices,
  link: {
    /** 32 bytes that name the TPM, or what else names the device. */
    readonly identity: Uint8Array
    readonly keyKind: DeviceKeyKind
    /** SHA-256 of the key. */
    readonly deviceKey: Uint8Array
    /** What else names the TPM, 32 bytes each. */
    readonly otherNames: readonly Uint8Array[]
    readonly ticket: DeviceToLink['ticket']
    readonly detail: Readonly<Record<string, Json>>
    readonly now: Date
  },
): Promise<Result<Extract<LinkAnswer, { outcome: 'linked' }>, LinkFailure>> {
  const { identity, keyKind, deviceKey, otherNames, ticket, detail, now } = link
  const key = toBase64Url(deviceKey)
  const name = (bytes: Uint8Array, kind: DeviceKeyKind) => {
    return { deviceId: deviceIdOf(bytes), keyKind: kind, keyHash: toBase64Url(bytes) }
  }
  const answer = await store.linkDevice({
    deviceId: deviceIdOf(identity),
    keyKind,
    identity: toBase64Url(identity),
    ring: ringOf(identity),
    key,
    names: [name(deviceKey, config.deviceKey), ...otherNames.map((one) => name(one, 'tpm'))],
    enrolmentMode: config.enrolment,
    ticket,
    detail,
    now,
  })
  return answer.outcome === 'linked' ? ok(answer) : err({ reason: answer.outcome })
}
