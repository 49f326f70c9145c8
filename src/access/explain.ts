import type { CompiledPolicy } from '../policy/document/compile.ts'
import type { ClauseText } from '../policy/document/document.ts'
import { readLanguages } from './language.ts'
import { describeReason } from './reason-text.ts'
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
  readonly steps: readonly ClauseText[]
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

export function explainToDevice(input: {
  readonly verdict: DerivedVerdict
  readonly policy: CompiledPolicy
  /** An Accept-Language value. */
  readonly language?: string | undefined
}): DeviceExplanation {
  const { verdict, policy, language } = input
  const [first] = verdict.reasons
  if (first === undefined) return { code: 'trusted', restart: false, steps: [] }

  const languages = readLanguages(language)
  const steps = new Map<string, ClauseText>()
  let restart = false
  for (const reason of verdict.reasons) {
    const { title, repair, measured_at } = describeReason(reason, policy, languages)
    steps.set(title, { title, repair })
    if (measured_at === 'boot') restart = true
  }
  return { code: CODE_OF_REASON[first.code], restart, steps: [...steps.values()] }
}
