import { type PolicyOutline, readPolicyText } from '../../azure/provider-policy/policy-text.ts'
import { NEEDED_CLAIMS, RECOMMENDED_POLICY } from '../../azure/provider-policy/recommended.ts'
import { policyHashOf } from '../../evidence/token/attestation-token.ts'
import { readTextFile } from '../framework/read-file.ts'

/** A policy as it is about to be pinned or published. */
export type PolicySource = {
  /** For people: the file, or what else it is. */
  readonly label: string
  readonly text: string
  readonly hash: string
  readonly outline: PolicyOutline
}

/** The policy in a file, or the recommended one. Throws with the line when it is no policy. */
export function readPolicySource(file: string | undefined): PolicySource {
  const label = file ?? 'the recommended policy'
  const text = file === undefined ? RECOMMENDED_POLICY : readTextFile(file)
  const outline = readPolicyText(text)
  if (!outline.ok) {
    const { line, problem, reason } = outline.failure
    throw new Error(`${label}:${line}: ${problem} (${reason})`)
  }
  return { label, text, hash: policyHashOf(text), outline: outline.value }
}

/** What a policy lacks that Countersign recommends, a sentence each. */
export function describeWeaknesses(outline: PolicyOutline): readonly string[] {
  const missing = NEEDED_CLAIMS.filter((claim) => !outline.issued.has(claim))
  const { unguardedLines } = outline
  return [
    ...(missing.length === 0
      ? []
      : [
          `It does not issue ${missing.join(', ')}: what asks for these cannot be decided, and devices may be refused for lack of an aikPubHash.`,
        ]),
    ...(unguardedLines.length === 0
      ? []
      : [
          `Conditions without issuer=="AttestationService" or "AttestationPolicy" can be met by claims that a client makes up: line ${unguardedLines.join(', ')}.`,
        ]),
  ]
}

/** The same for a policy that somebody else has published, which need not be one that we can read. */
export function describeWeaknessesOfText(text: string): readonly string[] {
  const outline = readPolicyText(text)
  return outline.ok ? describeWeaknesses(outline.value) : ['It cannot be looked through.']
}
