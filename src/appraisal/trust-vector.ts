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

/** The AR4SI values that are used, under what each of them says (AR4SI §2.3.4). */
export const AR4SI = {
  /** Of any claim: recognised, approved, genuine. */
  affirmed: 2,
  configurationVulnerable: 32,
  configurationIncomplete: 36,
  configurationUnacceptable: 96,
  executablesOutdated: 32,
  executablesUnrecognised: 33,
  executablesContraindicated: 96,
  identityUnrecognised: 97,
  hardwareUnrecognised: 97,
} as const

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
