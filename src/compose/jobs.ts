import type { Alarm } from '../alerts/alarms.ts'
import type { KeySets } from '../azure/key-sets.ts'
import type { Log } from '../base/log.ts'
import {
  noteAlarms,
  type WatchAlarmsDependencies,
  watchAlarms,
} from '../operations/alerts/watch-alarms.ts'
import type { BreakGlassUses } from '../operations/audit/break-glass-uses.ts'
import { type GrowDependencies, growAuditLog } from '../operations/audit/grow-audit-log.ts'
import { type NoteUsesDependencies, noteClientUses } from '../operations/clients/note-uses.ts'
import { type ForecastDependencies, forecastInRounds } from '../operations/expiry/forecast-fleet.ts'
import { announceExpired } from '../operations/jobs/announce-expired.ts'
import { type DriveRolloutsDependencies, driveRollouts } from '../operations/jobs/drive-rollouts.ts'
import { type EndExpiredDependencies, endExpired } from '../operations/jobs/end-expired.ts'
import { type HoldCausesDependencies, holdCauses } from '../operations/jobs/hold-causes.ts'
import { type LeaseDependencies, runExclusively } from '../operations/jobs/lease.ts'
import { type ObserveDependencies, observeDeployment } from '../operations/jobs/observe.ts'
import { keepPublicUrl } from '../operations/jobs/public-url.ts'
import { recordQuestions } from '../operations/jobs/record-questions.ts'
import {
  type ReportShadowDependencies,
  reportShadowDecisions,
} from '../operations/jobs/report-shadow.ts'
import { runRetention } from '../operations/jobs/retention.ts'
import { runRounds } from '../operations/jobs/run-rounds.ts'
import { startJob } from '../operations/jobs/start-job.ts'
import { type SweepDependencies, sweepFleet } from '../operations/jobs/sweep.ts'
import { createChangeSweep } from '../operations/jobs/sweep-after-change.ts'
import { watchVerifiers } from '../operations/jobs/watch-verifiers.ts'
import { followKeys } from '../operations/keys/follow-keys.ts'
import { createDeliverer, deliverRound } from '../operations/signals/deliver-round.ts'
import { type KeepListDependencies, keepStatusList } from '../operations/status-list/keep-list.ts'
import type { Store } from '../store/store.ts'
import type { Services } from './services.ts'
import { deliverServices } from './signals.ts'

export type ControlDependencies = { readonly log: Log } & ReportShadowDependencies &
  EndExpiredDependencies &
  LeaseDependencies &
  DriveRolloutsDependencies &
  HoldCausesDependencies &
  SweepDependencies &
  ObserveDependencies &
  NoteUsesDependencies &
  Omit<WatchAlarmsDependencies, 'providerKeys'> &
  Pick<ForecastDependencies, 'store'> & {
    readonly keySets: Pick<KeySets, 'known'>
    /** What happened in this process alone since it was asked last. */
    readonly noticeInProcess: (now: Date) => Promise<readonly Alarm[]>
  }

const RETENTION_EVERY_MS = 60_000
const QUESTIONS_EVERY_MS = 15_000
/** So that no request has to: with its spread, a run is never later than `KEY_REREAD_MS`. */
const KEYS_EVERY_MS = 10_000

/** How late an event is at most where nothing wakes whoever delivers. */
const DELIVER_EVERY_MS = 500

/** How late the end of evidence, or what other rules make of devices, is told at most. */
const WATCH_EVERY_MS = 250

const STATUS_LIST_EVERY_MS = 15_000
/** How late an entry of the audit log gets its place in the Merkle tree at most, where there are few. */
const AUDIT_TREE_EVERY_MS = 10_000

/** Several times in the life of what it says. */
const URL_EVERY_MS = 30_000

/**
 * One round of control: drives the open rollouts, holds causes that many good devices meet at once,
 * and ends what is over. Any number of processes may run it at any time, and each of them may die
 * anywhere: every step is one statement, and what is not done the next round finds again.
 */
export function runControl(all: ControlDependencies, signal?: AbortSignal): Promise<void> {
  const alone = (job: string, round: (position: string) => Promise<string>) => () =>
    runExclusively(all, job, round)
  const rounds = {
    report_shadow_decisions: () => reportShadowDecisions(all),
    end_expired: () => endExpired(all),
    drive_rollouts: alone('drive_rollouts', (position) => driveRollouts(all, position)),
    hold_causes: alone('hold_causes', (position) => holdCauses(all, position)),
    sweep: alone('sweep', (position) => sweepFleet(all, position)),
    forecast: alone('forecast', (position) => forecastInRounds(all, position)),
    note_alarms: async () => noteAlarms(all, await all.noticeInProcess(all.clock())),
    watch_alarms: alone('watch_alarms', async (position) => {
      await watchAlarms({ ...all, providerKeys: all.keySets.known })
      return position
    }),
    observe_deployment: () => observeDeployment({ ...all, providerKeys: all.keySets.known }),
    note_client_uses: () => noteClientUses(all),
  }
  return runRounds(rounds, { log: all.log, signal })
}

/** One round of the list of statuses, in one process at a time. */
export function runStatusList(
  all: KeepListDependencies & LeaseDependencies & { readonly log: Log },
  signal?: AbortSignal,
): Promise<void> {
  const round = async () => {
    await keepStatusList(all)
    return ''
  }
  const rounds = { keep_status_list: () => runExclusively(all, 'status_list', round) }
  return runRounds(rounds, { log: all.log, signal })
}

/** One round of the Merkle tree over the audit log, in one process at a time. */
export function runAuditTree(
  all: GrowDependencies &
    LeaseDependencies & {
      readonly store: Pick<Store, 'noteAudit'>
      readonly breakGlassUses: BreakGlassUses
    },
  signal: AbortSignal,
): Promise<void> {
  const round = async () => {
    await growAuditLog(all, signal)
    return ''
  }
  const rounds = {
    note_break_glass: () => all.breakGlassUses.write(all.store),
    grow_audit_log: () => runExclusively(all, 'audit_tree', round),
  }
  return runRounds(rounds, { log: all.log, signal })
}

/** The embedded database has one process, which may be another one tomorrow. */
function sayUrl(services: Services): Readonly<Record<string, () => Promise<void>>> {
  if (services.store.place.kind !== 'postgres') return {}
  return { keep_public_url: () => keepPublicUrl(services) }
}

/** Delivers what is due; what goes wrong the next round tries again. */
function deliver(
  { log }: Services,
  round: (signal: AbortSignal) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  return runRounds({ deliver: async () => void (await round(signal)) }, { log, signal })
}

/** Starts what a long-running process does besides answering, each at its own interval. */
export function startJobs(all: Services): { readonly stop: () => Promise<void> } {
  const services = { ...all, store: all.store.forUse('jobs') }
  const { random, config, log } = services
  const everyMs = config.controlIntervalSeconds * 1000
  const deliverer = createDeliverer(deliverServices(services))
  const delivering = startJob((signal) => deliver(services, deliverer.begin, signal), {
    everyMs: DELIVER_EVERY_MS,
    random,
  })
  const stopRinging = services.bell.onRing(delivering.wake)
  const sweepAfterChange = createChangeSweep(services)
  const watch = (signal: AbortSignal) =>
    runRounds(
      {
        announce_expired: () => announceExpired(services),
        sweep_after_change: () => sweepAfterChange(signal),
      },
      { log, signal },
    )
  const jobs = [
    startJob(watch, { everyMs: WATCH_EVERY_MS, random }),
    startJob((signal) => runControl(services, signal), { everyMs, random }),
    startJob((signal) => watchVerifiers(services, signal), { everyMs, random }),
    startJob((signal) => runRetention(services, signal), { everyMs: RETENTION_EVERY_MS, random }),
    startJob(() => recordQuestions(services), { everyMs: QUESTIONS_EVERY_MS, random }),
    startJob((signal) => runStatusList(services, signal), {
      everyMs: STATUS_LIST_EVERY_MS,
      random,
    }),
    startJob((signal) => runAuditTree(services, signal), {
      everyMs: AUDIT_TREE_EVERY_MS,
      random,
    }),
    startJob(() => followKeys(services), { everyMs: KEYS_EVERY_MS, random }),
    delivering,
    startJob((signal) => runRounds(sayUrl(services), { log, signal }), {
      everyMs: URL_EVERY_MS,
      random,
    }),
  ]
  return {
    async stop() {
      stopRinging()
      await Promise.all(jobs.map((job) => job.stop()))
      await deliverer.settled()
    },
  }
}

/** Does everything once, where a platform calls instead of a timer, until `signal` aborts. */
export async function runJobsOnce(services: Services, signal: AbortSignal): Promise<void> {
  const watching = watchVerifiers(services, signal)
  await followKeys(services)
  await runRounds(sayUrl(services), { log: services.log, signal })
  await runControl(services, signal)
  await runStatusList(services, signal)
  await recordQuestions(services)
  await runAuditTree(services, signal)
  await runRetention(services, signal)
  // Last: how long it takes receivers say.
  await deliver(services, (until) => deliverRound(deliverServices(services), until), signal)
  await watching
}
