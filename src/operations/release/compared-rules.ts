import type { Documents } from '../../access/assess.ts'
import type { Reliefs } from '../../access/relief.ts'
import { demandHardware } from '../../appraisal/reference-values.ts'
import type { Attested } from '../../replay/preview/compare.ts'
import type { BothReliefs } from '../../replay/preview/judge.ts'
import { comingIntoForce } from '../../replay/preview/preview.ts'
import { type Control, type DocumentKind, pinnedUntil } from '../../rollout/in-force.ts'
import { isEnforcing, type Rollout } from '../../rollout/rollout.ts'
import type { CheckedDocument } from './check-document.ts'
import type { RulesInForce } from './rules-in-force.ts'

/** What a preview compares, and for which devices. */
export type ComparedRules = {
  readonly inForce: Documents
  readonly candidate: Documents
  /** What relieves a device now, and what would if the candidate decided for it. */
  readonly reliefsOf: (record: Attested) => BothReliefs
  /** The rollout whose end is previewed: then only devices are compared for which its document decides. */
  readonly ending: Rollout | undefined
  readonly concerns: (record: Attested) => boolean
}

/**
 * A document is compared with what is in force for every device, as if it came into force for all of them
 * at `now`. The one that is in force already, while a rollout takes its place ring by ring, is compared
 * with the document of that rollout, and as it will be if the rollout ends: in force since it came, so that
 * no grace begins anew.
 */
export function findCompared(
  rulesInForce: RulesInForce,
  document: CheckedDocument,
  { requiresHardware, now }: { readonly requiresHardware: boolean; readonly now: Date },
): ComparedRules {
  const { active, control } = rulesInForce
  const ending = findEnding(control, document)
  if (ending !== undefined) return compareEnd(rulesInForce, ending, now)
  const candidate = withCandidate(active, document, requiresHardware)
  const compared = { inForce: active, candidate, now }
  const made = new WeakMap<Reliefs, BothReliefs>()
  return {
    inForce: active,
    candidate,
    reliefsOf(record) {
      const { pinnedUntil: end, reliefs: before } = afterPins(rulesInForce, {
        ...{ kind: document.kind, record, now },
      })
      const both = made.get(before) ?? {
        ...{ before, after: comingIntoForce(before, compared), pinnedUntil: end },
      }
      made.set(before, both)
      return both
    },
    ending: undefined,
    concerns: () => true,
  }
}

/**
 * What relieves a device, and until when pins let other versions of a kind decide for it. What is compared
 * decides for it only after them, so that its graces do not begin with a pin.
 */
export function afterPins(
  { control, rulesFor }: Pick<RulesInForce, 'control' | 'rulesFor'>,
  about: { readonly kind: DocumentKind; readonly record: Attested; readonly now: Date },
): { readonly reliefs: Reliefs; readonly pinnedUntil: Date | null } {
  const { kind, record, now } = about
  const { reliefs } = rulesFor(record, now)
  const end = pinnedUntil(control, { kind, device: record, now })
  return {
    reliefs: end === null ? reliefs : { ...reliefs, ...activeSince(control, kind) },
    pinnedUntil: end,
  }
}

/** Since when the active document of a kind is in force, for graces that begin with it. */
function activeSince({ active }: Control, kind: DocumentKind): Partial<Reliefs> {
  const pointer = active.find((one) => one.kind === kind)
  if (pointer === undefined) throw new Error(`no ${kind} is active`)
  return kind === 'policy'
    ? { policySince: pointer.activatedAt }
    : { referenceValuesSince: pointer.activatedAt }
}

/** The rollout that decides for some devices, and whose end brings them back to this document. */
export function findEnding(
  { rollouts }: Pick<Control, 'rollouts'>,
  { kind, compiled }: { readonly kind: DocumentKind; readonly compiled: { readonly hash: string } },
): Rollout | undefined {
  return rollouts.find((one) => {
    return one.kind === kind && isEnforcing(one) && one.from === compiled.hash
  })
}

function compareEnd(
  { active, control, rulesFor, rulesOf }: RulesInForce,
  ending: Rollout,
  now: Date,
): ComparedRules {
  const { kind, to } = ending
  const isPolicy = kind === 'policy'
  const inForce = isPolicy
    ? rulesOf(to, active.referenceValues.hash)
    : rulesOf(active.policy.hash, to)
  const since = activeSince(control, kind)
  return {
    inForce,
    candidate: active,
    reliefsOf(record) {
      const before = rulesFor(record, now).reliefs
      return { before, after: { ...before, ...since } }
    },
    ending,
    concerns(record) {
      const { policy, referenceValues } = rulesFor(record, now).rules
      return (isPolicy ? policy : referenceValues).hash === to
    },
  }
}

function withCandidate(
  inForce: Documents,
  document: CheckedDocument,
  requiresHardware: boolean,
): Documents {
  if (document.kind === 'policy') return { ...inForce, policy: document.compiled }
  return { ...inForce, referenceValues: demandHardware(document.compiled, requiresHardware) }
}
