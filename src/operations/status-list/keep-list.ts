import type { Store } from '../../store/store.ts'
import { type BuildDependencies, buildStatusList } from './build-list.ts'
import { type DueDependencies, examineDue } from './examine-due.ts'
import { type WriteDependencies, writeStatuses } from './write-statuses.ts'

export type KeepListDependencies = DueDependencies &
  WriteDependencies &
  BuildDependencies & { readonly store: Pick<Store, 'statusListTime'> }

/** The list is signed anew so many times in its life, so that a copy of it can be kept for a while. */
const LISTS_PER_TTL = 4

/**
 * One round of the list of statuses: looks at devices whose evidence has ended, writes what others were
 * told of devices since the last round, and when it is time, and nothing is left to write, signs the list
 * anew. While more is to be written than a round does, the list that is served grows old, up to its `ttl`,
 * and is then served no more: it never says of a device what was so longer ago.
 *
 * Any number of these may run at once and die anywhere: statuses are written by who has read them last
 * (`patchStatusList`), what was written is noted afterwards, and a list replaces only older ones.
 */
export async function keepStatusList(dependencies: KeepListDependencies): Promise<void> {
  const { store, clock, config } = dependencies
  const { statusListTtlSeconds } = config
  if (statusListTtlSeconds === 0) return
  await examineDue(dependencies)
  const writtenAsOf = await writeStatuses(dependencies)
  if (writtenAsOf === undefined) return
  const last = await store.statusListTime()
  const age = last === null ? Infinity : clock().getTime() - last.getTime()
  if (age >= (statusListTtlSeconds * 1000) / LISTS_PER_TTL) {
    await buildStatusList(dependencies, writtenAsOf)
  }
}
