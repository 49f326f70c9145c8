import { sql } from 'drizzle-orm'
import type { DeviceKeyKind } from '../../access/trust-record.ts'
import { foldText } from '../../base/fold-text.ts'
import {
  type Argument,
  auditedRows,
  callOf,
  type Database,
  prepareChange,
  requestArgument,
} from '../drivers/database.ts'
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
  /**
   * Members that are absent stay as they are; `null` empties. `superseded` where `labelsBefore` are not the
   * labels of the device any more.
   */
  readonly setDeviceAttributes: (
    input: AttributesToSet,
  ) => Promise<DeviceChangeAnswer | 'superseded'>
  /** All of these or none, in one statement. */
  readonly importDevices: (input: DevicesToImport) => Promise<readonly ImportedRow[]>
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
  readonly attributes: DeviceAttributes
  readonly by: string
  readonly now: Date
}

/** What administrators say about a device; members that are absent stay as they are, `null` empties. */
export type DeviceAttributes = {
  readonly owner?: string | null | undefined
  readonly entraDeviceId?: string | null | undefined
  /** What people call it. */
  readonly name?: string | null | undefined
  /** Serial number of the hardware. */
  readonly serial?: string | null | undefined
  readonly labels?: readonly string[] | undefined
}

export type AttributesToSet = {
  readonly deviceId: string
  readonly changes: DeviceAttributes
  /** Nothing is set if these are not the labels any more: for whoever adds to what it has read. */
  readonly labelsBefore?: readonly string[] | undefined
  readonly by: string
  readonly now: Date
}

export type DevicesToImport = {
  readonly rows: readonly RowToImport[]
  readonly by: string
  readonly now: Date
}

export type RowToImport = {
  /** Where it stands in its file. */
  readonly line: number
  readonly device: DeviceReference
  readonly changes: DeviceAttributes
}

/** How a row names its device. One that is named by its key is put on the list if nobody knows it. */
export type DeviceReference =
  | { readonly deviceId: string; readonly key?: DeviceKey }
  | { readonly entraDeviceId: string }
  | { readonly serial: string }

export type DeviceKey = {
  readonly kind: DeviceKeyKind
  /** base64url SHA-256 of the key. */
  readonly hash: string
  readonly ring: number
}

/** Where there is a refusal, only the refused rows are answered. */
export type ImportedRow = {
  readonly line: number
  readonly outcome: 'enrolled' | 'applied' | 'unchanged' | ImportRefusal
  readonly deviceId: string | null
}

/** No device has this name; several have it; a row before it named the same device. */
export const IMPORT_REFUSALS = ['unknown', 'ambiguous', 'repeated'] as const

export type ImportRefusal = (typeof IMPORT_REFUSALS)[number]

const CHANGE = ['p_device_id', 'p_at', 'p_by', 'p_reason', 'p_audit_id', 'p_event_id'] as const
const SIGN_OUT = ['p_device_id', 'p_at', 'p_by', 'p_reason', 'p_audit_id'] as const
const IMPORT = ['p_rows', 'p_at', 'p_by'] as const
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
  'p_name',
  'p_serial',
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
  const set = prepareChange<(typeof SET)[number], DeviceChangeAnswer | 'superseded'>(
    db,
    'set_device_attributes',
    SET,
  )
  const imported = db
    .select({
      line: sql<number>`line`,
      outcome: sql<ImportedRow['outcome']>`outcome`,
      deviceId: sql<string | null>`target`,
    })
    .from(auditedRows(callOf('import_devices', IMPORT), 'imported'))
    .prepare('import_devices')
  return {
    quarantineDevice: change('quarantine_device'),
    releaseDevice: change('release_device'),
    signOutDevice: underAnyName(db, (input: DeviceChange) => signOut(changeArguments(input))),
    admitDevice: change('admit_device'),
    enrolDevice: (input) => enrol(enrolArguments(input)),
    setDeviceAttributes: underAnyName(db, (input: AttributesToSet) =>
      set({
        p_device_id: storableId(input.deviceId),
        p_changes: encodeJson({ ...input.changes, labelsBefore: input.labelsBefore }),
        p_folded: encodeJson(foldNames(input.changes)),
        p_at: input.now.toISOString(),
        p_by: encodeText(input.by),
        p_audit_id: newRecordId(input.now),
      }),
    ),
    importDevices: ({ rows, by, now }) =>
      imported.execute({
        p_rows: encodeJson(rows.map((row) => importArguments(row, now))),
        p_at: now.toISOString(),
        p_by: encodeText(by),
        ...requestArgument(),
      }),
  }
}

function importArguments({ line, device, changes }: RowToImport, now: Date) {
  const names = {
    ...('deviceId' in device && { device_id: storableId(device.deviceId) }),
    ...('entraDeviceId' in device && { entra: foldText(device.entraDeviceId) }),
    ...('serial' in device && { serial: foldText(device.serial) }),
  }
  const key = 'key' in device ? device.key : undefined
  return {
    line,
    ...names,
    ...(key !== undefined && { key_kind: key.kind, key_hash: key.hash, ring: key.ring }),
    changes,
    folded: foldNames(changes),
    audit_id: newRecordId(now),
  }
}

/** Whoever quarantines a device by the name of one of its keys means the device. */
function underAnyName<T extends { readonly deviceId: string }, A extends string>(
  db: Database,
  change: (input: T) => Promise<A | 'device_unknown'>,
): (input: T) => Promise<A | 'device_unknown'> {
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
  const { owner, entraDeviceId, name, serial, labels = [] } = input.attributes
  return {
    p_device_id: input.deviceId,
    p_key_kind: input.keyKind,
    p_device_key_hash: input.deviceKeyHash,
    p_ring: input.ring,
    p_owner: encodeName(owner),
    p_entra_device_id: encodeName(entraDeviceId),
    p_labels: encodeJson(labels),
    p_folded: encodeJson(foldNames(input.attributes)),
    p_at: input.now.toISOString(),
    p_by: encodeText(input.by),
    p_audit_id: newRecordId(input.now),
    p_name: encodeName(name),
    p_serial: encodeName(serial),
  }
}

function encodeName(text: string | null | undefined): string | null {
  return text === undefined || text === null ? null : encodeText(text)
}

/** What a device is searched by; members that are absent stay so. */
function foldNames({ owner, entraDeviceId, name, serial, labels }: DeviceAttributes) {
  const fold = (text: string | null) => (text === null ? null : foldText(text))
  return {
    ...(owner !== undefined && { owner: fold(owner) }),
    ...(entraDeviceId !== undefined && { entraDeviceId: fold(entraDeviceId) }),
    ...(name !== undefined && { name: fold(name) }),
    ...(serial !== undefined && { serial: fold(serial) }),
    ...(labels !== undefined && { labels: labels.map(foldText) }),
  }
}
