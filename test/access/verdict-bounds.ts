import { expect } from 'vitest'
import type { Assessment } from '../../src/access/assess.ts'
import type { Relief, Reliefs } from '../../src/access/relief.ts'
import type { TrustRecord } from '../../src/access/trust-record.ts'

export type Judged = {
  readonly record: TrustRecord
  readonly reliefs: Reliefs
  readonly now: Date
} & Pick<Assessment, 'verdict' | 'reasons' | 'relief' | 'clauseOutcomes'>

/** What holds of every verdict, whatever led to it. */
export function expectBounds(judged: Judged): void {
  const { record, now, verdict, reasons, relief } = judged
  expect(reasons.length === 0).toBe(verdict === 'trusted')
  expect((verdict === 'quarantined') === (record.quarantine !== null)).toBe(true)
  if (verdict !== 'trusted') {
    expect(relief).toBeUndefined()
    return
  }
  expect(record.quarantine).toBeNull()
  expect(record.enrolment).toBe('admitted')
  const { attestation } = record
  if (attestation === null) throw new Error('trusted without evidence')
  if (!(attestation.validUntil > now)) {
    expect(relief?.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^(outage_grace|allowance)$/)]),
    )
  }
  expectClausesMet(judged)
  for (const one of relief ?? []) {
    expect(one.until.getTime(), one.kind).toBeGreaterThan(now.getTime())
    BOUNDS[one.kind](one, { ...judged, attestation })
  }
}

/** What fails or is undecidable is either told as relieved, or it does not count. */
function expectClausesMet({ clauseOutcomes, relief = [] }: Judged): void {
  if (relief.some(({ kind }) => kind === 'allowance')) return
  const relieved = relief.map(({ reason }) => reason)
  for (const { clause: id, scope, severity, status } of clauseOutcomes) {
    if (scope !== 'device' || severity !== 'enforce') continue
    if (status === 'fail' || status === 'undecidable') expect(relieved).toContain(id)
  }
}

type Attested = Judged & { readonly attestation: NonNullable<TrustRecord['attestation']> }

const BOUNDS: Readonly<Record<Relief['kind'], (relief: Relief, judged: Attested) => void>> = {
  grace({ reason = '', until }, { record, reliefs, now, clauseOutcomes, attestation }) {
    const { graceMs = 0 } = clauseOutcomes.find(({ clause: id }) => id === reason) ?? {}
    const noted = record.graces[reason]
    const failed = record.firstFailedAt[reason]
    const bound = reliefs.policySince.getTime()
    const first = failed === undefined ? attestation.attestedAt.getTime() : Date.parse(failed)
    // One that was noted goes on, while the device did not meet the clause for long.
    const met = noted?.met === undefined ? Infinity : Date.parse(noted.met)
    const kept = Math.max(graceMs, 7 * 24 * 3_600_000)
    const goesOn = noted !== undefined && bound <= met && now.getTime() < met + kept
    const since = goesOn ? Date.parse(noted.since) : Math.max(bound, first)
    expect(until.getTime()).toBe(since + graceMs)
  },
  hold({ reason = '', until }, { record, reliefs, now, attestation }) {
    const { issuer, claims } = attestation
    const noted = record.firstFailedAt[reason]
    const met = noted === undefined ? now : new Date(noted)
    const covering = reliefs.holds.filter(({ cause, covers, until: end }) => {
      if (end.getTime() !== until.getTime()) return false
      if (cause.kind === 'clause') {
        // Neither one that failed before the wave nor one that came with it.
        return cause.clause === reason && met >= covers && record.createdAt < covers
      }
      if (cause.kind !== reason) return false
      if (cause.kind === 'hardware_unproven') return attestation.attestedAt < covers
      return cause.kind === 'anchor_not_listed'
        ? cause.anchor === (claims.aikTrustAnchor ?? '')
        : cause.issuer === issuer
    })
    expect(covering.length).toBeGreaterThan(0)
  },
  outage_grace({ until }, { reliefs, now, attestation }) {
    const end = attestation.validUntil.getTime() + reliefs.outageGraceMs
    expect(until.getTime()).toBeLessThanOrEqual(end)
    const outages = reliefs.holds.filter(({ cause, until: over }) => {
      return cause.kind === 'stale' && cause.issuer === attestation.issuer && over > now
    })
    expect(Math.max(...outages.map(({ until: over }) => over.getTime()))).toBeGreaterThanOrEqual(
      until.getTime(),
    )
  },
  allowance({ until }, { reliefs, relief }) {
    expect(until).toEqual(reliefs.allowedUntil)
    expect(relief).toHaveLength(1)
  },
}
