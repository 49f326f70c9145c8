import type { Documents } from '../../access/assess.ts'
import { type Decided, decide } from '../../access/decide.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { forgetOldest } from '../../base/forget-oldest.ts'
import { exceedsBudget } from '../../rollout/budget.ts'
import { isOpen, type Rollout } from '../../rollout/rollout.ts'
import type { RolloutObservation, RolloutStepAnswer } from '../../store/rules/rollouts.ts'
import type { Store } from '../../store/store.ts'
import { haltRollout } from '../release/drive-rollout.ts'
import type { RulesInForce } from '../release/rules-in-force.ts'

/**
 * What rollouts do to real questions. A replay of recorded claims cannot see what a clause about
 * requests does; here each question of a device in the stage is answered a second time, under the
 * other document, and the device counts if the old one allows what the new one denies.
 */
export type ShadowDecisions = {
  /** After the answer is known; changes nothing about it. */
  readonly observe: (decided: DecidedOnTrial) => void
  /**
   * Whether something is to be told by now: at once if too much was lost, else what was seen since
   * the last time, after a while.
   */
  readonly isDue: (now: Date) => boolean
  /**
   * Tells the database what was seen, and ends rollouts of which this process alone has seen too
   * much. What fails is told again the next time.
   */
  readonly report: (now: Date) => Promise<readonly Rollout[]>
}

/** What was decided for a device that takes part in open rollouts. */
export type DecidedOnTrial = {
  readonly decided: Decided
  readonly trials: readonly Rollout[]
  readonly rulesInForce: RulesInForce
}

/** What was seen in one pass and stage, whatever is paused and goes on in them. */
type Seen = {
  /** As it was known last: of the newest revision. */
  rollout: Rollout
  decisions: number
  at: Date
  /** Devices that lost something, and the reasons. */
  readonly devices: Map<string, readonly string[]>
  /** How many decisions the database has been told of. */
  told: number
  halt: 'no' | 'wanted' | 'done'
}

/** Devices that are told apart, more than any budget that a rollout should have. */
const MAX_DEVICES = 10_000
const EXAMPLES = 5
/** Stages that are remembered: one rollout at a time, and its last stages. */
const MAX_STAGES = 8
/** Once from the revision that is known, and once from the one that another process has made of it. */
const MAX_TRIES = 2
const REPORT_EVERY_MS = 5000

export function createShadowDecisions(options: {
  readonly store: ShadowStore
  /** Names this process. */
  readonly reporter: string
  /** Whether the device counts against the budget of a rollout. */
  readonly counts: (record: TrustRecord, rulesInForce: RulesInForce) => boolean
}): ShadowDecisions {
  const { store, reporter, counts } = options
  const seen = new Map<string, Seen>()
  let reportedAt = -Infinity
  return {
    observe(onTrial) {
      const { record, now } = onTrial.decided.case
      if (record === null || !counts(record, onTrial.rulesInForce)) return
      for (const rollout of onTrial.trials) {
        const tally = tallyOf(seen, rollout, now)
        tally.decisions += 1
        tally.at = now
        const lost = findLoss(rollout, onTrial)
        if (lost === undefined || tally.devices.size >= MAX_DEVICES) continue
        tally.devices.set(record.deviceId, lost)
        const found = { newlyDenied: tally.devices.size, compared: 0 }
        const { budget } = rollout.plan
        if (tally.halt === 'no' && exceedsBudget(budget, found, now)) tally.halt = 'wanted'
      }
    },
    isDue(now) {
      if (seen.size === 0) return false
      const all = [...seen.values()]
      if (all.some(({ halt }) => halt === 'wanted')) return true
      const isLate = Math.abs(now.getTime() - reportedAt) >= REPORT_EVERY_MS
      return isLate && all.some(({ decisions, told }) => decisions > told)
    },
    async report(now) {
      reportedAt = now.getTime()
      const halted: Rollout[] = []
      const faults: unknown[] = []
      for (const [key, tally] of seen) {
        for (let tries = 0; tries < MAX_TRIES; tries++) {
          // A halt waits for no report, and no rollout for another.
          const told = await reportSeen(tally, { store, reporter }).catch((fault: unknown) => {
            faults.push(fault)
          })
          const ended = await haltIfWanted(tally, store, now)
          if (ended === 'applied') halted.push(tally.rollout)
          if (told !== 'superseded' && ended !== 'superseded') break
          if (await catchUp(tally, store)) continue
          seen.delete(key)
          break
        }
      }
      if (faults.length > 0 && halted.length === 0) throw faults[0]
      return halted
    },
  }
}

type ShadowStore = Pick<Store, 'observeRollout' | 'stepRollout' | 'recordRolloutHealth' | 'rollout'>

async function reportSeen(
  tally: Seen,
  { store, reporter }: { readonly store: ShadowStore; readonly reporter: string },
): Promise<'applied' | 'superseded' | undefined> {
  const { decisions, told } = tally
  if (decisions <= told) return undefined
  const answer = await store.observeRollout(describe(tally, reporter))
  if (answer === 'applied') tally.told = decisions
  return answer
}

async function haltIfWanted(
  tally: Seen,
  store: ShadowStore,
  now: Date,
): Promise<RolloutStepAnswer | undefined> {
  if (tally.halt !== 'wanted') return undefined
  const newlyDenied = tally.devices.size
  const answer = await haltRollout(store, tally.rollout, { newlyDenied, now })
  if (answer === 'applied') tally.halt = 'done'
  return answer
}

/**
 * Somebody has taken a step meanwhile. Where that was a pause, or the end of one, what was seen is still
 * what the stage loses; `false` where the stage is over.
 */
async function catchUp(tally: Seen, store: ShadowStore): Promise<boolean> {
  const current = await store.rollout(tally.rollout.rolloutId)
  if (current === null || !isOpen(current.state)) return false
  if (nameTally(current) !== nameTally(tally.rollout)) return false
  tally.rollout = current
  return true
}

function nameTally({ rolloutId, pass, stage }: Rollout): string {
  return `${rolloutId} ${pass} ${stage}`
}

function tallyOf(seen: Map<string, Seen>, rollout: Rollout, now: Date): Seen {
  const key = nameTally(rollout)
  const known = seen.get(key)
  if (known !== undefined) {
    if (known.rollout.revision < rollout.revision) known.rollout = rollout
    return known
  }
  const tally: Seen = {
    rollout,
    decisions: 0,
    at: now,
    devices: new Map(),
    told: 0,
    halt: 'no',
  }
  seen.set(key, tally)
  forgetOldest(seen, MAX_STAGES)
  return tally
}

/** Why the new document denies what the old one allows; `undefined` where it does not. */
function findLoss(rollout: Rollout, onTrial: DecidedOnTrial): readonly string[] | undefined {
  const { decided } = onTrial
  const { rules } = decided.case
  const isNew = rollout.pass === 'enforce'
  // What decided is one of the two, unless a pin decides for the device: then nothing is on trial.
  const inUse = rollout.kind === 'policy' ? rules.policy.hash : rules.referenceValues.hash
  if (inUse !== (isNew ? rollout.to : rollout.from)) return undefined
  if (decided.decision.decision === isNew) return undefined
  const otherRules = exchange(onTrial, rollout.kind, isNew ? rollout.from : rollout.to)
  const { now, reliefs: known } = decided.case
  // What is only tried would come into force now: its graces begin no earlier.
  const since = rollout.kind === 'policy' ? { policySince: now } : { referenceValuesSince: now }
  const reliefs = isNew ? known : { ...known, ...since }
  const other = decide({ ...decided.case, rules: otherRules, reliefs }, { like: decided })
  const [before, after] = isNew ? [other, decided] : [decided, other]
  if (!before.decision.decision || after.decision.decision) return undefined
  return after.decision.context.reasons.map(({ clause, code }) => clause ?? code)
}

function exchange(
  { rulesInForce, decided }: DecidedOnTrial,
  kind: Rollout['kind'],
  hash: string,
): Documents {
  const { policy, referenceValues } = decided.case.rules
  return kind === 'policy'
    ? rulesInForce.rulesOf(hash, referenceValues.hash)
    : rulesInForce.rulesOf(policy.hash, hash)
}

function describe(tally: Seen, reporter: string): RolloutObservation {
  const { decisions, devices, at } = tally
  const { rolloutId, revision } = tally.rollout
  const causes: Record<string, number> = {}
  for (const reasons of devices.values()) {
    for (const reason of new Set(reasons)) causes[reason] = (causes[reason] ?? 0) + 1
  }
  const examples = [...devices.keys()].slice(0, EXAMPLES)
  const names = { rolloutId, revision, reporter, at }
  return { ...names, decisions, newlyDenied: devices.size, examples, causes }
}
