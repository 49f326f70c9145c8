import { sql } from 'drizzle-orm'
import type { DeviceId } from '../../access/device-id.ts'
import type { DeviceKeyKind, Enrolment } from '../../access/trust-record.ts'
import {
  auditedRows,
  callOf,
  type Database,
  onlyRow,
  requestArgument,
} from '../drivers/database.ts'
import { encodeJson, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { device } from '../schema/device-schema.ts'
import type { EnrolmentMode } from './recording.ts'

/** How many keys of one TPM are known at once. Windows makes one with each installation. */
export const KEYS_PER_DEVICE_MOST = 64

/** One TPM is one device, whatever key it comes with. */
export type Links = {
  /**
   * Makes a key, and every other name of its TPM, one device in one statement: what stands under
   * any of the names (quarantine, owner, labels, history) is that device's, with an audit row and
   * an event. May be repeated. A ticket counts once.
   */
  readonly linkDevice: (input: DeviceToLink) => Promise<LinkAnswer>
}

export type DeviceToLink = {
  /** What the TPM names the device, or whatever else evidence names it by. */
  readonly deviceId: string
  readonly keyKind: DeviceKeyKind
  /** The 32 bytes behind that name, in base64url. */
  readonly identity: string
  readonly ring: number
  /** base64url SHA-256 of the key. */
  readonly key: string
  /** The key's own name first, then further descriptions of the same TPM. */
  readonly names: readonly DeviceName[]
  readonly enrolmentMode: EnrolmentMode
  /** Of an enrolment: `expiresAt` is when it would be refused for its age alone. */
  readonly ticket: { readonly id: string; readonly expiresAt: Date } | null
  /** For the audit row: who says that they belong together. */
  readonly detail: Readonly<Record<string, Json>>
  readonly now: Date
}

export type DeviceName = {
  readonly deviceId: string
  readonly keyKind: DeviceKeyKind
  readonly keyHash: string
}

export type LinkAnswer =
  | {
      readonly outcome: 'linked'
      readonly deviceId: DeviceId
      readonly enrolment: Enrolment
      readonly isQuarantined: boolean
    }
  | { readonly outcome: 'device_not_listed' | 'device_keys_exhausted' | 'ticket_spent' }

const PARAMETERS = [
  'p_device_id',
  'p_key_kind',
  'p_device_key_hash',
  'p_ring',
  'p_key_hash',
  'p_names',
  'p_most_keys',
  'p_enrolment_mode',
  'p_ticket_id',
  'p_ticket_expires_at',
  'p_detail',
  'p_at',
  'p_audit_id',
  'p_event_id',
] as const

export function prepareLinks(db: Database): Links {
  const link = db
    .select({
      outcome: sql<LinkAnswer['outcome']>`outcome`,
      deviceId: sql<DeviceId | null>`linked_device_id`,
      enrolment: sql<Enrolment | null>`enrolment`,
      quarantinedAt: sql`quarantined_at`.mapWith(device.quarantinedAt),
    })
    .from(auditedRows(callOf('link_device', PARAMETERS), 'linked'))
    .prepare('link_device')

  return {
    async linkDevice(input) {
      const row = onlyRow(await link.execute({ ...argumentsOf(input), ...requestArgument() }))
      const { outcome, deviceId, enrolment, quarantinedAt } = row
      if (outcome !== 'linked') return { outcome }
      if (deviceId === null || enrolment === null) throw new TypeError('a link has a device')
      return { outcome, deviceId, enrolment, isQuarantined: quarantinedAt !== null }
    },
  }
}

function argumentsOf(input: DeviceToLink) {
  return {
    p_device_id: input.deviceId,
    p_key_kind: input.keyKind,
    p_device_key_hash: input.identity,
    p_ring: input.ring,
    p_key_hash: input.key,
    p_names: encodeJson(input.names),
    p_most_keys: KEYS_PER_DEVICE_MOST,
    p_enrolment_mode: input.enrolmentMode,
    p_ticket_id: input.ticket?.id ?? null,
    p_ticket_expires_at: input.ticket?.expiresAt.toISOString() ?? null,
    p_detail: encodeJson(input.detail),
    p_at: input.now.toISOString(),
    p_audit_id: newRecordId(input.now),
    p_event_id: newRecordId(input.now),
  }
}
