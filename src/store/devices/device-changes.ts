import type { DeviceKeyKind } from '../../access/trust-record.ts'
import { foldText } from '../../base/fold-text.ts'
import { type Argument, type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { readLinks } from './read-links.ts'
import { storableId } from './trust-records.ts'

/**
 * What administrators change about devices. Each is one statement that writes the state, the audit
 * row and the event that announces it, and may be repeated: the second time it is `unchanged` and
 * writes nothing.
 */
export type DeviceChanges = {
  /** Ends trust in the device until it is released, whatever it attests. */
  readonly quarantineDevice: (input: DeviceChange) => Promise<DeviceChangeAnswer>
  readonly releaseDevice: (input: DeviceChange) => Promise<DeviceChangeAnswer>
  /**
   * Ends every device token of the device, and says nothing about its trust: it attests again and gets
   * another. Never `unchanged`.
   */
  readonly signOutDevice: (input: DeviceChange) => Promise<DeviceChangeAnswer>
  /** Ends the state `pending` of the enrolment mode `approval`. */
  readonly admitDevice: (input: DeviceChange) => Promise<DeviceChangeAnswer>
  /** Puts a device on the list before its first attestation; `unchanged` if it is known. */
  readonly enrolDevice: (input: DeviceToEnrol) => Promise<'applied' | 'unchanged'>
  /** Members that are absent stay as they are; `null` empties. */
  readonly setDeviceAttributes: (input: AttributesToSet) => Promise<DeviceChangeAnswer>
}

export type DeviceChangeAnswer = 'applied' | 'unchanged' | 'device_unknown'

export type DeviceChange = {
  readonly deviceId: string
  /** Who asks for it: a client id or an administrator's name. */
  readonly by: string
  readonly reason: string
  readonly now: Date
}

export type DeviceToEnrol = {
  readonly deviceId: string
  readonly keyKind: DeviceKeyKind
  readonly deviceKeyHash: string
  readonly ring: number
  readonly owner: string | null
  readonly entraDeviceId: string | null
  readonly labels: readonly string[]
  readonly by: string
  readonly now: Date
}

export type AttributesToSet = {
  readonly deviceId: string
  readonly changes: {
    readonly owner?: string | null
    readonly entraDeviceId?: string | null
    readonly labels?: readonly string[]
  }
  readonly by: string
  readonly now: Date
}

const CHANGE = ['p_device_id', 'p_at', 'p_by', 'p_reason', 'p_audit_id', 'p_event_id'] as const
const SIGN_OUT = ['p_device_id', 'p_at', 'p_by', 'p_reason', 'p_audit_id'] as const
const SET = ['p_device_id', 'p_changes', 'p_folded', 'p_at', 'p_by', 'p_audit_id'] as const
const ENROL = [
  'p_device_id',
  'p_key_kind',
  'p_device_key_hash',
  'p_ring',
  'p_owner',
  'p_entra_device_id',
  'p_labels',
  'p_folded',
  'p_at',
  'p_by',
  'p_audit_id',
] as const

export function prepareDeviceChanges(db: Database): DeviceChanges {
  const change = (name: string) => {
    const run = prepareChange<(typeof CHANGE)[number], DeviceChangeAnswer>(db, name, CHANGE)
    return underAnyName(db, (input: DeviceChange) => run(changeArguments(input)))
  }
  const signOut = prepareChange<(typeof SIGN_OUT)[number], DeviceChangeAnswer>(
    db,
    'sign_out_device',
    SIGN_OUT,
  )
  const enrol = prepareChange<(typeof ENROL)[number], 'applied' | 'unchanged'>(
    db,
    'enrol_device',
    ENROL,
  )
  const set = prepareChange<(typeof SET)[number], DeviceChangeAnswer>(
    db,
    'set_device_attributes',
    SET,
  )
  return {
    quarantineDevice: change('quarantine_device'),
    releaseDevice: change('release_device'),
    signOutDevice: underAnyName(db, (input: DeviceChange) => signOut(changeArguments(input))),
    admitDevice: change('admit_device'),
    enrolDevice: (input) => enrol(enrolArguments(input)),
    setDeviceAttributes: underAnyName(db, (input: AttributesToSet) =>
      set({
        p_device_id: storableId(input.deviceId),
        p_changes: encodeJson(input.changes),
        p_folded: encodeJson(foldNames(input.changes)),
        p_at: input.now.toISOString(),
        p_by: encodeText(input.by),
        p_audit_id: newRecordId(input.now),
      }),
    ),
  }
}

/** Whoever quarantines a device by the name of one of its keys means the device. */
function underAnyName<T extends { readonly deviceId: string }>(
  db: Database,
  change: (input: T) => Promise<DeviceChangeAnswer>,
): (input: T) => Promise<DeviceChangeAnswer> {
  return async (input) => {
    const answer = await change(input)
    if (answer !== 'device_unknown') return answer
    const id = storableId(input.deviceId)
    const deviceId = (await readLinks(db, [id])).get(id)
    return deviceId === undefined ? answer : change({ ...input, deviceId })
  }
}

function changeArguments(input: DeviceChange): Record<(typeof CHANGE)[number], Argument> {
  return {
    p_device_id: storableId(input.deviceId),
    p_at: input.now.toISOString(),
    p_by: encodeText(input.by),
    p_reason: encodeText(input.reason),
    p_audit_id: newRecordId(input.now),
    p_event_id: newRecordId(input.now),
  }
}

function enrolArguments(input: DeviceToEnrol): Record<(typeof ENROL)[number], Argument> {
  return {
    p_device_id: input.deviceId,
    p_key_kind: input.keyKind,
    p_device_key_hash: input.deviceKeyHash,
    p_ring: input.ring,
    p_owner: input.owner === null ? null : encodeText(input.owner),
    p_entra_device_id: input.entraDeviceId === null ? null : encodeText(input.entraDeviceId),
    p_labels: encodeJson(input.labels),
    p_folded: encodeJson(foldNames(input)),
    p_at: input.now.toISOString(),
    p_by: encodeText(input.by),
    p_audit_id: newRecordId(input.now),
  }
}

/** What a device is searched by; members that are absent stay so. */
function foldNames({ owner, entraDeviceId, labels }: AttributesToSet['changes']) {
  const fold = (text: string | null) => (text === null ? null : foldText(text))
  return {
    ...(owner !== undefined && { owner: fold(owner) }),
    ...(entraDeviceId !== undefined && { entraDeviceId: fold(entraDeviceId) }),
    ...(labels !== undefined && { labels: labels.map(foldText) }),
  }
}
