import { z } from 'zod'
import { isDeviceId } from '../../../access/device-id.ts'
import type { Result } from '../../../base/result.ts'
import type { DeviceSearch } from '../../../operations/devices/find-devices.ts'
import { splitLabels } from '../../../operations/devices/read-import.ts'
import { DEVICE_GROUPS } from '../../../store/devices/device-reads.ts'
import { deviceFilters, searchOf } from '../../admin/device-lists.ts'
import { parseForm, type RequestFailure } from '../../read-json.ts'

const HOUR_MS = 3_600_000

/** By their last accepted attestation, as a time from now: links that are kept go on meaning the same. */
export const SEEN = {
  'within-1h': { title: 'within an hour', after: HOUR_MS },
  'within-1d': { title: 'within a day', after: 24 * HOUR_MS },
  'over-1d': { title: 'over a day ago', before: 24 * HOUR_MS },
  'over-7d': { title: 'over 7 days ago', before: 7 * 24 * HOUR_MS },
  'over-30d': { title: 'over 30 days ago', before: 30 * 24 * HOUR_MS },
  'over-90d': { title: 'over 90 days ago', before: 90 * 24 * HOUR_MS },
} as const satisfies Readonly<
  Record<string, { readonly title: string; readonly after?: number; readonly before?: number }>
>

const SEEN_NAMES = Object.keys(SEEN) as [keyof typeof SEEN]

const pageQuery = z.strictObject({
  ...deviceFilters,
  seen: z.enum(SEEN_NAMES).optional(),
  by: z.enum(DEVICE_GROUPS).optional(),
  after: z.string().refine(isDeviceId, 'must be the end of a page').optional(),
})

export type DevicesQuery = z.infer<typeof pageQuery>

/** What was chosen, by the names of its fields: what links of the page go on with. */
export type Chosen = Readonly<Record<string, string>>

/** What the address of a page says; fields that are empty say nothing. */
export function readChosen(url: string): {
  readonly chosen: Chosen
  /** Whether the address has fields that say nothing. */
  readonly hasEmpty: boolean
} {
  const fields = [...new URL(url).searchParams]
  const chosen = fields.filter(([, value]) => value.trim() !== '')
  return { chosen: Object.fromEntries(chosen), hasEmpty: chosen.length < fields.length }
}

export function parseChosen(chosen: Chosen): Result<DevicesQuery, RequestFailure> {
  const { label, ...others } = chosen
  const labels = label === undefined ? {} : { label: splitLabels(label) }
  return parseForm(pageQuery, { ...others, ...labels })
}

export function searchOfQuery(
  { seen, by: _by, after: _after, ...filters }: DevicesQuery,
  now: Date,
): DeviceSearch {
  const search = searchOf(filters)
  if (seen === undefined) return search
  const { after, before }: { readonly after?: number; readonly before?: number } = SEEN[seen]
  const ago = (ms: number) => new Date(now.getTime() - ms)
  return {
    ...search,
    ...(after !== undefined && { attestedAfter: ago(after) }),
    ...(before !== undefined && { attestedBefore: ago(before) }),
  }
}
