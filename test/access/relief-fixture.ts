import type { HeldCause, ReliefRecord, Reliefs } from '../../src/access/relief.ts'
import type { NotedGrace } from '../../src/access/trust-record.ts'
import type { AttestationClaims } from '../../src/appraisal/claims.ts'
import type { Cause } from '../../src/rollout/hold.ts'

const START = Date.parse('2026-05-04T10:00:00Z')
const ISSUER = 'https://verifier.example'
export const CLAUSE = 'secure_boot_on'

/** Minutes after the start. */
export function at(minutes: number): Date {
  return new Date(START + minutes * 60_000)
}

export const justBefore = (time: Date) => new Date(time.getTime() - 1)

export function recordOf(
  changes: {
    readonly failedAt?: Date
    readonly grace?: NotedGrace
    readonly attestedAt?: Date
    readonly validUntil?: Date
    readonly createdAt?: Date
    readonly claims?: AttestationClaims
  } = {},
): ReliefRecord {
  const { failedAt, createdAt = at(-10_000), claims = {} } = changes
  const { attestedAt = at(-60), validUntil = at(420) } = changes
  return {
    firstFailedAt: failedAt === undefined ? {} : { [CLAUSE]: failedAt.toISOString() },
    graces: changes.grace === undefined ? {} : { [CLAUSE]: changes.grace },
    createdAt,
    attestation: { attestedAt, validUntil, issuer: ISSUER, claims },
  }
}

export function reliefsOf(changes: Partial<Reliefs> = {}): Reliefs {
  return { policySince: at(-5000), holds: [], allowedUntil: null, outageGraceMs: 0, ...changes }
}

export const CAUSES: Readonly<Record<Cause['kind'], Cause>> = {
  clause: { kind: 'clause', clause: CLAUSE },
  policy_not_pinned: { kind: 'policy_not_pinned', issuer: ISSUER },
  anchor_not_listed: { kind: 'anchor_not_listed', anchor: 'root' },
  hardware_unproven: { kind: 'hardware_unproven' },
  stale: { kind: 'stale', issuer: ISSUER },
}

export function holdOf(cause: Cause, changes: Partial<HeldCause> = {}): HeldCause {
  return { cause, covers: at(-30), until: at(60), ...changes }
}
