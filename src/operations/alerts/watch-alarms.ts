import { type Alarm, compareAlarms } from '../../alerts/alarms.ts'
import type { Log } from '../../base/log.ts'
import { SERVICE } from '../../store/schema/system-schema.ts'
import type { Store } from '../../store/store.ts'
import { type FindAlarmsDependencies, findAlarms } from './find-alarms.ts'

export type WatchAlarmsDependencies = FindAlarmsDependencies & {
  readonly store: FindAlarmsDependencies['store'] & Pick<Store, 'standingAlarms' | 'changeAlarms'>
  readonly log: Log
}

/**
 * One round of the alarms: what is wrong now is held against what was told, and what has changed is told to every
 * destination and to the log. Any number of processes may run it and die anywhere: each change is told by one
 * statement that finds it untold.
 */
export async function watchAlarms(dependencies: WatchAlarmsDependencies): Promise<void> {
  const { store, clock } = dependencies
  const standing = await store.standingAlarms()
  const found = await findAlarms(dependencies)
  // What a process noticed in a moment is not looked for here, and stays until its time is over.
  await tell(dependencies, compareAlarms(standing, found, clock()))
}

/** Tells what one process noticed in a moment; the others of its alarms stay as they are. */
export async function noteAlarms(
  dependencies: Pick<WatchAlarmsDependencies, 'log' | 'clock'> & {
    readonly store: Pick<Store, 'standingAlarms' | 'changeAlarms'>
  },
  noticed: readonly Alarm[],
): Promise<void> {
  if (noticed.length === 0) return
  const standing = await dependencies.store.standingAlarms()
  const changes = compareAlarms(standing, noticed, dependencies.clock())
  await tell(dependencies, { ...changes, cleared: [] })
}

async function tell(
  {
    store,
    clock,
    log,
  }: Pick<WatchAlarmsDependencies, 'log' | 'clock'> & {
    readonly store: Pick<Store, 'changeAlarms'>
  },
  changes: ReturnType<typeof compareAlarms>,
): Promise<void> {
  const told = await store.changeAlarms({ ...changes, by: SERVICE, now: clock() })
  if (told === 0) return
  for (const { name, subject, level, detail } of changes.raised) {
    log.error('alarm_raised', { alarm: name, subject, level, detail: JSON.stringify(detail) })
  }
  for (const { name, subject } of changes.cleared)
    log.info('alarm_cleared', { alarm: name, subject })
}
