import type { EvidenceKind } from './kind.ts'
import { tpmKind } from './tpm/tpm.ts'
import { vbsKind } from './vbs/vbs.ts'

/** The one list: a kind of evidence that stands here is read, verified, issued and answered. */
const KINDS = [tpmKind, vbsKind] as const

type FailureOf<K> = K extends EvidenceKind<infer F> ? F : never

/** Why evidence of a built-in kind is refused. */
export type BuiltInFailure = FailureOf<(typeof KINDS)[number]>

/** In the order in which they are verified. */
export const BUILT_IN_KINDS: readonly EvidenceKind<BuiltInFailure>[] = KINDS

/** The names of the digests that tokens of the built-in verifier carry. */
export const EVIDENCE_PARTS: readonly string[] = KINDS.flatMap(({ parts }) => parts)
