import type { CompiledPolicy } from '../policy/document/compile.ts'
import type { ComingDenial } from './coming-denials.ts'
import type { LanguageRange } from './language.ts'
import { type DescribedReason, describeReason } from './reason-text.ts'
import type { DerivedVerdict, VerdictReason } from './verdict.ts'

/**
 * What a device is told about itself: a coarse code for the agent, and what to do for the person in
 * front of it. Which clauses there are and what they read is for administrators.
 */
export type DeviceExplanation = {
  readonly code: DeviceCode
  /** Some of the steps show only after a restart. */
  readonly restart: boolean
  /** In the order in which to take them; never empty unless the code is `trusted`. */
  readonly reasons: readonly DescribedReason[]
  /** What will deny the device later, unless it is repaired: the earliest first. */
  readonly coming: readonly DescribedDenial[]
}

export type DescribedDenial = Pick<DescribedReason, 'title' | 'repair'> & {
  readonly clause: string
  readonly from: Date
}

export type DeviceCode =
  | 'trusted'
  /** Something on the device is to be repaired. */
  | 'repair'
  /** Evidence is too old, or lacks something: attest again. */
  | 'attest'
  /** An administrator has yet to admit the device. */
  | 'wait'
  /** Only an administrator can help. */
  | 'blocked'

const CODE_OF_REASON: Readonly<Record<VerdictReason['code'], DeviceCode>> = {
  quarantined: 'blocked',
  enrolment_pending: 'wait',
  never_attested: 'attest',
  stale: 'attest',
  policy_not_pinned: 'attest',
  anchor_not_listed: 'attest',
  hardware_unproven: 'blocked',
  clause_failed: 'repair',
  clause_undecidable: 'attest',
}

/** Says it in the first of `languages` that there is a text in. */
export function explainToDevice(
  { verdict: { reasons }, coming }: Explained,
  policy: CompiledPolicy,
  languages: readonly LanguageRange[],
): DeviceExplanation {
  const [first] = reasons
  const later = describeComing(coming, policy, languages)
  if (first === undefined) return { code: 'trusted', restart: false, reasons: [], coming: later }
  const described = reasons.map((reason) => describeReason(reason, policy, languages))
  return {
    code: CODE_OF_REASON[first.code],
    restart: described.some(({ measured_at }) => measured_at === 'boot'),
    reasons: described,
    coming: later,
  }
}

type Explained = {
  readonly verdict: DerivedVerdict
  readonly coming: readonly ComingDenial[]
}

/** With the texts of the clauses, in the first of `languages` that there is one in. */
export function describeComing(
  coming: readonly ComingDenial[],
  policy: CompiledPolicy,
  languages: readonly LanguageRange[],
): readonly DescribedDenial[] {
  return coming.map(({ clause, from }) => {
    const { title, repair } = describeReason({ code: 'clause_failed', clause }, policy, languages)
    return { clause, from, title, repair }
  })
}
