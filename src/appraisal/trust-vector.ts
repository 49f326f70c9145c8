/** EAR's `ear_status`, from best to worst but for `none`, which says nothing. */
export type EarStatus = 'affirming' | 'none' | 'warning' | 'contraindicated'

/**
 * The claims of an AR4SI trustworthiness vector that this evidence can speak about. `undefined`
 * makes no claim, which is never the same as a good one.
 */
export type TrustVector = {
  readonly instanceIdentity: number | undefined
  readonly configuration: number | undefined
  readonly executables: number | undefined
  readonly hardware: number | undefined
}

const RANK: Readonly<Record<EarStatus, number>> = {
  affirming: 0,
  none: 1,
  warning: 2,
  contraindicated: 3,
}

/** The tier of one AR4SI value, -128 to 127 (AR4SI §2.3.2). */
export function tierOf(value: number): EarStatus {
  if (value >= 96 || value <= -97) return 'contraindicated'
  if (value >= 32 || value <= -33) return 'warning'
  return value >= 2 || value <= -2 ? 'affirming' : 'none'
}

/** The status of a vector: its worst tier, and `none` at best while one of its claims is absent. */
export function statusOf(vector: TrustVector): EarStatus {
  const { instanceIdentity, configuration, executables, hardware } = vector
  let worst: EarStatus = 'affirming'
  for (const value of [instanceIdentity, configuration, executables, hardware]) {
    const tier = value === undefined ? 'none' : tierOf(value)
    if (RANK[tier] > RANK[worst]) worst = tier
  }
  return worst
}

/** The worse of two statuses. */
export function worseOf(one: EarStatus, other: EarStatus): EarStatus {
  return RANK[one] > RANK[other] ? one : other
}

export function isBetter(one: EarStatus, than: EarStatus): boolean {
  return RANK[one] < RANK[than]
}

/** The claims of a vector as EAR and AR4SI spell them (AR4SI §2.3.4). */
export const TRUST_CLAIMS = [
  'instance-identity',
  'configuration',
  'executables',
  'file-system',
  'hardware',
  'runtime-opaque',
  'storage-opaque',
  'sourced-data',
] as const

export type TrustClaim = (typeof TRUST_CLAIMS)[number]

/** How those that are appraised here are spelled there. */
export const CLAIM_LABELS: Readonly<Record<keyof TrustVector, TrustClaim>> = {
  instanceIdentity: 'instance-identity',
  configuration: 'configuration',
  executables: 'executables',
  hardware: 'hardware',
}
