import { and, asc, eq, isNotNull, lte, ne, sql } from 'drizzle-orm'
import type { BytePatch, StatusChunk } from '../../access/status-list/chunks.ts'
import type { Verdict } from '../../access/trust-record.ts'
import { callOf, type Database, onlyRow, prepareChange } from '../drivers/database.ts'
import { encodeJson } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { device } from '../schema/device-schema.ts'
import { retiredPlace, statusChunk, statusDue, statusList } from '../schema/status-list-schema.ts'

/** The fleet as a list of statuses, for whoever keeps it, and the signed list for whoever serves it. */
export type StatusLists = {
  /** Names the state of the chunks: read before what is to be written into them. */
  readonly statusListRevision: () => Promise<number>
  /** Devices of which others were told something else than the list says, at most `most`. */
  readonly unlistedDevices: (most: number) => Promise<readonly UnlistedDevice[]>
  /** When devices of the list have to be looked at again: what is due at `now`, first things first. */
  readonly dueStatuses: (query: {
    readonly now: Date
    readonly rows: number
  }) => Promise<readonly DueRow[]>
  /** Places of devices that are there no more, at most `most`. */
  readonly retiredPlaces: (most: number) => Promise<readonly number[]>
  /**
   * Writes statuses, and what goes with them, in one transaction. `superseded`, and nothing is written,
   * if anybody has written since `revision` was read.
   */
  readonly patchStatusList: (patch: StatusListPatch) => Promise<'applied' | 'superseded'>
  /** Notes what was written, of devices of which others still are told the same. */
  readonly noteListed: (devices: readonly ListedDevice[]) => Promise<void>
  /** All that the list is built from, as of one moment. */
  readonly statusChunks: () => Promise<readonly StatusChunk[]>
  /** Keeps a signed list in the place of an older one. */
  readonly keepStatusList: (list: SignedStatusList) => Promise<'applied' | 'superseded'>
  readonly statusListTime: () => Promise<Date | null>
  /** The list that was kept last; `null` if that is the one of `known`, or there is none. */
  readonly signedStatusList: (known: Date | null) => Promise<SignedStatusList | null>
}

export type ListedDevice = { readonly deviceId: string; readonly verdict: Verdict }

export type UnlistedDevice = ListedDevice & {
  readonly place: number
  /** When its evidence ends; null without any. */
  readonly validUntil: Date | null
}

export type DueRow = DueKey & { readonly deviceIds: readonly string[] }

type DueKey = { readonly dueAt: Date; readonly batch: string }

export type StatusListPatch = {
  readonly revision: number
  readonly patches: readonly BytePatch[]
  /** Devices to be looked at again, by when. */
  readonly dues: ReadonlyMap<number, readonly string[]>
  /** What was due and is done. */
  readonly done: readonly DueKey[]
  /** Places of devices that are gone, whose last status is among the patches. */
  readonly retired: readonly number[]
  readonly now: Date
}

export type SignedStatusList = { readonly token: string; readonly issuedAt: Date }

const PATCH = ['p_revision', 'p_entries', 'p_dues', 'p_done', 'p_retired'] as const
const KEEP = ['p_token', 'p_issued_at'] as const

export function prepareStatusLists(db: Database): StatusLists {
  const patch = prepareChange<(typeof PATCH)[number], number | null>(db, 'patch_status_list', PATCH)
  const keep = prepareChange<(typeof KEEP)[number], 'applied' | 'superseded'>(
    db,
    'keep_status_list',
    KEEP,
  )
  const note = db
    .select({ noted: sql<number>`noted` })
    .from(sql`${callOf('note_listed', ['p_devices'])} as noted`)
    .prepare('note_listed')
  const state = db
    .select({ revision: statusList.revision, issuedAt: statusList.issuedAt })
    .from(statusList)
    .prepare('status_list_state')
  return {
    ...prepareStatusListReads(db),
    statusListRevision: async () => onlyRow(await state.execute()).revision,
    statusListTime: async () => onlyRow(await state.execute()).issuedAt,
    async patchStatusList({ revision, patches, dues, done, retired, now }) {
      const wanted = [...dues].map(([at, ids]) => {
        return { due_at: new Date(at).toISOString(), batch: newRecordId(now), device_ids: ids }
      })
      const settled = done.map(({ dueAt, batch }) => ({ due_at: dueAt.toISOString(), batch }))
      const written = await patch({
        p_revision: revision,
        p_entries: encodeJson(patches),
        p_dues: encodeJson(wanted),
        p_done: encodeJson(settled),
        p_retired: encodeJson(retired),
      })
      return written === null ? 'superseded' : 'applied'
    },
    async noteListed(devices) {
      const named = devices.map(({ deviceId, verdict }) => ({ device_id: deviceId, verdict }))
      await note.execute({ p_devices: encodeJson(named) })
    },
    keepStatusList: ({ token, issuedAt }) => {
      return keep({ p_token: token, p_issued_at: issuedAt.toISOString() })
    },
  }
}

type Reads = Pick<
  StatusLists,
  'unlistedDevices' | 'dueStatuses' | 'retiredPlaces' | 'statusChunks' | 'signedStatusList'
>

function prepareStatusListReads(db: Database): Reads {
  return {
    async unlistedDevices(most) {
      // As the index has it (`device_unlisted`).
      const isUnlisted = and(
        isNotNull(device.statusPlace),
        sql`${device.listedVerdict} is distinct from ${device.announcedVerdict}`,
      )
      const rows = await db
        .select({
          deviceId: device.deviceId,
          place: sql<number>`${device.statusPlace}`,
          verdict: device.announcedVerdict,
          validUntil: device.validUntil,
        })
        .from(device)
        .where(isUnlisted)
        .orderBy(asc(device.deviceId))
        .limit(most)
      return rows
    },
    async dueStatuses({ now, rows }) {
      return await db
        .select()
        .from(statusDue)
        .where(lte(statusDue.dueAt, now))
        .orderBy(asc(statusDue.dueAt), asc(statusDue.batch))
        .limit(rows)
    },
    async retiredPlaces(most) {
      const rows = await db.select().from(retiredPlace).orderBy(asc(retiredPlace.place)).limit(most)
      return rows.map(({ place }) => place)
    },
    async statusChunks() {
      // As text, which all drivers give alike.
      const rows = await db
        .select({
          chunk: statusChunk.chunk,
          statuses: sql<string>`encode(${statusChunk.statuses}, 'hex')`,
        })
        .from(statusChunk)
      return rows.map(({ chunk, statuses }) => ({ chunk, statuses: Buffer.from(statuses, 'hex') }))
    },
    async signedStatusList(known) {
      const isNews = known === null ? undefined : ne(statusList.issuedAt, known)
      const [row] = await db
        .select({ token: statusList.token, issuedAt: statusList.issuedAt })
        .from(statusList)
        .where(and(eq(statusList.id, 1), isNotNull(statusList.token), isNews))
      if (row === undefined) return null
      const { token, issuedAt } = row
      return token === null || issuedAt === null ? null : { token, issuedAt }
    },
  }
}
