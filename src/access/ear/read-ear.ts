import { z } from 'zod'
import {
  type EarStatus,
  isBetter,
  TRUST_CLAIMS,
  type TrustClaim,
  tierOf,
  worseOf,
} from '../../appraisal/trust-vector.ts'
import { isNumericDate } from '../../base/numeric-date.ts'
import { err, ok, type Result } from '../../base/result.ts'

export const EAR_REASONS = [
  'ear_malformed',
  'ear_profile_unknown',
  /** A status says more than what it stands on. */
  'ear_status_too_good',
] as const

export type EarFailure =
  /** `at`: the member that is missing or has another form. */
  | { readonly reason: 'ear_malformed'; readonly at: string }
  | { readonly reason: 'ear_profile_unknown'; readonly profile: unknown }
  /** `at`: the submodule, or `ear_status` of the whole. */
  | {
      readonly reason: 'ear_status_too_good'
      readonly at: string
      readonly status: EarStatus
      readonly worst: EarStatus
    }

/** What an EAR says, whichever profile it is written in. Who says it is not known. */
export type Ear = {
  readonly profile: string
  readonly issuer: string | undefined
  readonly subject: string | undefined
  readonly issuedAt: Date
  readonly expiresAt: Date | undefined
  readonly verifier: { readonly developer: string; readonly build: string }
  /** Of the whole: what it says, or the worst of its submodules. */
  readonly status: EarStatus
  readonly nonces: readonly string[]
  /** `jkt` of the key that whoever hands it in has to prove; `undefined` where anybody may. */
  readonly confirmationKey: string | undefined
  readonly submods: readonly EarSubmod[]
}

export type EarSubmod = {
  readonly label: string
  readonly status: EarStatus
  /** What is not here was not claimed: that is neither good nor bad. */
  readonly vector: ReadonlyMap<TrustClaim, number>
  readonly policyIds: readonly string[]
  readonly nonces: readonly string[]
}

/** How a profile spells its members. */
type Spelling = {
  readonly status: string
  readonly verifier: string
  readonly vector: string
  readonly policyIds: string
}

const OF_IETF: Spelling = {
  status: 'ear_status',
  verifier: 'ear_verifier_id',
  vector: 'ear_trustworthiness_vector',
  policyIds: 'ear_appraisal_policy_ids',
}
const OF_VERAISON: Spelling = {
  status: 'ear.status',
  verifier: 'ear.verifier-id',
  vector: 'ear.trustworthiness-vector',
  policyIds: 'ear.appraisal-policy-id',
}

/** The profiles that are read; only the first is written. */
export const EAR_PROFILES: ReadonlyMap<string, Spelling> = new Map([
  ['tag:ietf.org,2026:rats/ear#04', OF_IETF],
  ['tag:ietf.org,2026:rats/ear#03', OF_IETF],
  ['tag:github.com,2023:veraison/ear', OF_VERAISON],
])

const MOST_SUBMODS = 64
const text = z.string().max(1024)
const tier = z.enum(['affirming', 'none', 'warning', 'contraindicated'])
/** RFC 9711 §4.1: in JSON 8 to 88 characters. */
const nonce = z.string().min(8).max(88)
const nonces = z.union([nonce, z.array(nonce).min(2).max(16)])
const time = z.number().refine((value) => isNumericDate(value) && Number.isInteger(value))
const value = z.int().min(-128).max(127)
const vector = z
  .partialRecord(z.enum(TRUST_CLAIMS), value)
  .refine((claims) => Object.keys(claims).length > 0, 'must have a claim')

/**
 * Reads the claims of an EAR (draft-ietf-rats-ear, and the profile that Veraison wrote before it). Members of
 * extensions are passed over; a member in the spelling of the other profile is refused, as two readers
 * could see two results. A status that is better than what it stands on is refused: the worst claim of a
 * vector, the worst submodule of the whole.
 */
export function readEar(claims: unknown): Result<Ear, EarFailure> {
  const profile: unknown = Object(claims).eat_profile
  const spelling = typeof profile === 'string' ? EAR_PROFILES.get(profile) : undefined
  if (typeof profile !== 'string' || spelling === undefined) {
    return err({ reason: 'ear_profile_unknown', profile })
  }
  const other = spelling === OF_IETF ? OF_VERAISON : OF_IETF
  const read = schemaOf(spelling, other).safeParse(claims)
  if (!read.success) return malformed(read.error)
  const whole = read.data
  const submods: EarSubmod[] = []
  for (const [label, one] of Object.entries(whole.submods)) {
    const submod = submodOf(label, one)
    const worst = worstOf([...submod.vector.values()].map(tierOf))
    if (worst !== undefined && isBetter(submod.status, worst)) {
      return err({ reason: 'ear_status_too_good', at: label, status: submod.status, worst })
    }
    submods.push(submod)
  }
  const worst = worstOf(submods.map(({ status }) => status)) ?? 'none'
  const { status = worst } = whole
  if (isBetter(status, worst)) {
    return err({ reason: 'ear_status_too_good', at: 'ear_status', status, worst })
  }
  return ok({
    ...{ profile, status, submods, verifier: whole.verifier },
    ...{ issuer: whole.iss, subject: whole.sub },
    issuedAt: new Date(whole.iat * 1000),
    expiresAt: whole.exp === undefined ? undefined : new Date(whole.exp * 1000),
    nonces: [whole.eat_nonce ?? []].flat(),
    confirmationKey: whole.cnf?.jkt,
  })
}

function worstOf(tiers: readonly EarStatus[]): EarStatus | undefined {
  const [first, ...others] = tiers
  return first === undefined ? undefined : others.reduce(worseOf, first)
}

type Submod = {
  readonly status: EarStatus
  readonly vector?: Partial<Record<TrustClaim, number>> | undefined
  readonly policyIds?: string | string[] | undefined
  readonly eat_nonce?: string | string[] | undefined
}

function submodOf(label: string, one: Submod): EarSubmod {
  const said = Object.entries(one.vector ?? {}) as [TrustClaim, number][]
  return {
    ...{ label, status: one.status, vector: new Map(said) },
    policyIds: [one.policyIds ?? []].flat(),
    nonces: [one.eat_nonce ?? []].flat(),
  }
}

/** The members of a profile under our names. */
function schemaOf(spelling: Spelling, other: Spelling) {
  const rename = (value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    if (Object.values(other).some((name) => Object.hasOwn(value, name))) return OTHER_SPELLING
    const ours = Object.entries(spelling).flatMap(([name, theirs]) => {
      return Object.hasOwn(value, theirs) ? [[name, Reflect.get(value, theirs)] as const] : []
    })
    return { ...value, ...NOTHING_OF_OURS, ...Object.fromEntries(ours) }
  }
  const submod = z.preprocess(
    rename,
    z.object({
      status: tier,
      vector: vector.optional(),
      policyIds: z.union([text, z.array(text).min(1).max(64)]).optional(),
      eat_nonce: nonces.optional(),
    }),
  )
  return z.preprocess(
    rename,
    z.object({
      iat: time,
      exp: time.optional(),
      iss: text.optional(),
      sub: text.optional(),
      cnf: z.object({ jkt: text.optional() }).optional(),
      eat_nonce: nonces.optional(),
      status: tier.optional(),
      verifier: z.object({ developer: text, build: text }),
      submods: z.record(text, submod).refine((all) => {
        const count = Object.keys(all).length
        return count > 0 && count <= MOST_SUBMODS
      }),
    }),
  )
}

/** What no schema takes. */
const OTHER_SPELLING = 'members of another profile'
/** Members that happen to be called as ours are none of the profile's. */
const NOTHING_OF_OURS = {
  status: undefined,
  verifier: undefined,
  vector: undefined,
  policyIds: undefined,
}

function malformed(error: z.ZodError): Result<never, EarFailure> {
  return err({ reason: 'ear_malformed', at: error.issues[0]?.path.join('.') ?? '' })
}
