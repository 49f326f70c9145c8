import type { MeasuredAt } from '../appraisal/claims.ts'
import type { CompiledPolicy } from '../policy/document/compile.ts'
import type { ClauseText } from '../policy/document/document.ts'
import { type LanguageRange, pickText } from './language.ts'
import { BUILT_IN_TEXTS, type BuiltInCode } from './texts.ts'
import type { VerdictReason } from './verdict.ts'

/** One reason as it is told to a person: what is wrong, and how to repair it. */
export type DescribedReason = {
  readonly code: BuiltInCode | 'clause_failed'
  readonly clause?: string
  readonly title: string
  readonly repair: string
  /** `boot`: a repair shows only after a restart. */
  readonly measured_at?: MeasuredAt
}

export function describeBuiltIn(
  code: BuiltInCode,
  languages: readonly LanguageRange[],
): DescribedReason {
  return { code, ...pickText(BUILT_IN_TEXTS[code], languages) }
}

export function describeReason(
  reason: VerdictReason,
  policy: CompiledPolicy,
  languages: readonly LanguageRange[],
): DescribedReason {
  if (!('clause' in reason)) return describeBuiltIn(reason.code, languages)
  const clause = policy.clauseById.get(reason.clause)
  if (clause === undefined) throw new TypeError(`the policy has no clause ${reason.clause}`)
  // The text of a clause says that it failed, which is not known of an undecidable one.
  const texts = reason.code === 'clause_failed' ? clause.texts : BUILT_IN_TEXTS[reason.code]
  const text: ClauseText = pickText(texts, languages)
  const { code } = reason
  const { measuredAt } = clause
  return {
    code,
    clause: clause.id,
    title: text.title,
    repair: text.repair,
    ...(measuredAt !== undefined && { measured_at: measuredAt }),
  }
}
