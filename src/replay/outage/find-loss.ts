import type { Documents } from '../../access/assess.ts'
import { createBinding } from '../../access/binding.ts'
import type { HeldCause, Reliefs } from '../../access/relief.ts'
import { type DerivedVerdict, deriveVerdict } from '../../access/verdict.ts'
import { appraiseOrigin } from '../../appraisal/origin.ts'
import type { AttestedRecord } from '../causes.ts'
import type { FindBlockers } from './blockers.ts'
import type { Timeline } from './timeline.ts'

/** What decides for a device at a time. */
export type OutageRules = { readonly rules: Documents; readonly reliefs: Reliefs }

export type RulesFor = (record: AttestedRecord, at: Date) => OutageRules

/** When a device is no longer trusted, in milliseconds of the epoch, and by what. */
export type Loss = { readonly at: number; readonly reason: string }

type Change = (reliefs: Reliefs) => Reliefs

export type OutageProbe = {
  /** As a decision would find it: `change` is what would be otherwise about the reliefs. */
  readonly verdictAt: (record: AttestedRecord, at: number, change?: Change) => DerivedVerdict
  /** From `start` to the end of the outage, both of them included. */
  readonly findLoss: (record: AttestedRecord, start: number, change: Change) => Loss | undefined
}

/**
 * Goes with each device from one time to the next at which its verdict can change: evidence ends,
 * a relief ends, or the timeline has a moment. The verdicts are those of `deriveVerdict`, so that
 * the rehearsal cannot differ from what it rehearses.
 */
export function createOutageProbe(input: {
  readonly rulesFor: RulesFor
  readonly findBlockers: FindBlockers
  readonly timeline: Timeline
  /** Milliseconds of the epoch. */
  readonly until: number
}): OutageProbe {
  const { rulesFor, findBlockers, timeline, until } = input
  const verdictAt = (record: AttestedRecord, time: number, change: Change = unchanged) => {
    const now = new Date(time)
    const { rules, reliefs } = rulesFor(record, now)
    const moment = timeline.momentOf(time)
    const { enrolment, attestation } = record
    const { claims, issuer, attestationPolicyHash } = attestation
    const { referenceValues } = rules
    return deriveVerdict({
      record: { enrolment, attestation, quarantine: null },
      clauseOutcomes: findBlockers(record, rules, moment),
      origin: appraiseOrigin({
        claims,
        issuer,
        attestationPolicyHash,
        referenceValues,
        now: new Date(moment),
      }),
      relief: {
        record,
        reliefs: change(reliefs),
        bindingOf: createBinding({ ...rules, device: record, attestation, reliefs, now }),
      },
      now,
    })
  }
  return {
    verdictAt,
    findLoss(record, start, change) {
      const end = record.attestation.validUntil.getTime()
      let at = start
      while (at <= until) {
        const verdict = verdictAt(record, at, change)
        if (verdict.verdict !== 'trusted') return { at, reason: reasonOf(verdict) }
        const ends = verdict.relief?.map((relief) => relief.until.getTime()) ?? []
        at = Math.min(...[end, ...ends].filter((time) => time > at), timeline.nextAfter(at))
      }
      return undefined
    },
  }
}

/** The verifier is out and nobody knows, or nothing is made of it. */
export function withoutGrace(reliefs: Reliefs): Reliefs {
  return { ...reliefs, outageGraceMs: 0 }
}

/** The verifiers are known to be out. */
export function withGrace(issuer: string, graceMs: number): Change {
  const hold: HeldCause = { cause: { kind: 'stale', issuer }, covers: new Date(0), until: NEVER }
  return (reliefs) => {
    return { ...reliefs, outageGraceMs: graceMs, holds: [hold, ...reliefs.holds] }
  }
}

const NEVER = new Date(8.64e15)

function unchanged(reliefs: Reliefs): Reliefs {
  return reliefs
}

function reasonOf({ reasons: [reason] }: DerivedVerdict): string {
  if (reason === undefined) throw new TypeError('a verdict other than trusted has a reason')
  return 'clause' in reason ? reason.clause : reason.code
}
