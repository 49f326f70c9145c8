import type { Documents } from '../../access/assess.ts'
import type { EvaluationRequest } from '../../access/authzen.ts'
import { type Decision, decide } from '../../access/decide.ts'
import type { VerifiedDeviceToken } from '../../access/device-token.ts'
import type { Reliefs } from '../../access/relief.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { exceedsBudget, type Rollout } from '../../rollout/rollout.ts'
import type { RolloutObservation } from '../../store/rules/rollouts.ts'
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

export type DecidedOnTrial = {
  readonly rulesInForce: RulesInForce
  readonly trials: readonly Rollout[]
  readonly rules: Documents
  readonly record: TrustRecord
  readonly request: EvaluationRequest
  /** The token that the device was named by: whether it counts is no matter of documents. */
  readonly token: VerifiedDeviceToken | undefined
  readonly reliefs: Reliefs
  readonly now: Date
  readonly decision: Decision
}

type Seen = {
  readonly rollout: Rollout
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
/** Revisions that are remembered: two rollouts at a time, and their last steps. */
const MAX_REVISIONS = 8
const REPORT_EVERY_MS = 5000

export function createShadowDecisions(options: {
  readonly store: Pick<Store, 'observeRollout' | 'stepRollout' | 'recordRolloutHealth'>
  /** Names this process. */
  readonly reporter: string
  /** Whether the device counts against the budget of a rollout. */
  readonly counts: (decided: DecidedOnTrial) => boolean
}): ShadowDecisions {
  const { store, reporter, counts } = options
  const seen = new Map<string, Seen>()
  let reportedAt = -Infinity
  return {
    observe(decided) {
      if (decided.trials.length === 0 || !counts(decided)) return
      for (const rollout of decided.trials) {
        const tally = tallyOf(seen, rollout, decided.now)
        tally.decisions += 1
        tally.at = decided.now
        const lost = findLoss(rollout, decided)
        if (lost === undefined || tally.devices.size >= MAX_DEVICES) continue
        tally.devices.set(decided.record.deviceId, lost)
        const found = { newlyDenied: tally.devices.size, compared: 0 }
        if (tally.halt === 'no' && exceedsBudget(rollout.plan, found)) tally.halt = 'wanted'
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
      for (const tally of seen.values()) {
        // A halt waits for no report, and no rollout for another.
        await reportSeen(tally, { store, reporter }).catch((fault: unknown) => faults.push(fault))
        if (tally.halt !== 'wanted') continue
        const newlyDenied = tally.devices.size
        const answer = await haltRollout(store, tally.rollout, { newlyDenied, now })
        tally.halt = 'done'
        if (answer === 'applied') halted.push(tally.rollout)
      }
      if (faults.length > 0 && halted.length === 0) throw faults[0]
      return halted
    },
  }
}

async function reportSeen(
  tally: Seen,
  { store, reporter }: { readonly store: Pick<Store, 'observeRollout'>; readonly reporter: string },
): Promise<void> {
  const { decisions, told } = tally
  if (decisions <= told) return
  await store.observeRollout(describe(tally, reporter))
  tally.told = decisions
}

function tallyOf(seen: Map<string, Seen>, rollout: Rollout, now: Date): Seen {
  const key = `${rollout.rolloutId} ${rollout.revision}`
  const known = seen.get(key)
  if (known !== undefined) return known
  const tally: Seen = {
    rollout,
    decisions: 0,
    at: now,
    devices: new Map(),
    told: 0,
    halt: 'no',
  }
  seen.set(key, tally)
  for (const oldest of seen.keys()) {
    if (seen.size <= MAX_REVISIONS) break
    seen.delete(oldest)
  }
  return tally
}

/** Why the new document denies what the old one allows; `undefined` where it does not. */
function findLoss(rollout: Rollout, decided: DecidedOnTrial): readonly string[] | undefined {
  const { rules, decision, record, request, token, reliefs, now } = decided
  const isNew = rollout.pass === 'enforce'
  // What decided is one of the two, unless a pin decides for the device: then nothing is on trial.
  const inUse = rollout.kind === 'policy' ? rules.policy.hash : rules.referenceValues.hash
  if (inUse !== (isNew ? rollout.to : rollout.from)) return undefined
  if (decision.decision === isNew) return undefined
  const otherRules = exchange(decided, rollout.kind, isNew ? rollout.from : rollout.to)
  const other = decide({ ...otherRules, record, request, token, reliefs, now })
  const [before, after] = isNew ? [other, decision] : [decision, other]
  if (!before.decision || after.decision) return undefined
  return after.context.reasons.map(({ clause, code }) => clause ?? code)
}

function exchange(
  { rulesInForce, rules }: DecidedOnTrial,
  kind: Rollout['kind'],
  hash: string,
): Documents {
  return kind === 'policy'
    ? rulesInForce.rulesOf(hash, rules.referenceValues.hash)
    : rulesInForce.rulesOf(rules.policy.hash, hash)
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
