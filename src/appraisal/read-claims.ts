import { err, ok, type Result } from '../base/result.ts'
import {
  type AttestationClaims,
  CLAIM_NAMES,
  CLAIMS,
  type ClaimKind,
  SECURE_BOOT_VARIABLES,
  type SecureBootKeys,
} from './claims.ts'
import { MAX_CLAIM_ITEM_CHARS, MAX_CLAIM_ITEMS, MAX_CLAIM_TEXT_CHARS } from './limits.ts'

export const CLAIMS_REASONS = [
  'claims_wrong_type',
  'claims_over_limit',
  'claims_contradictory',
] as const

export type ClaimsFailure = {
  readonly reason: (typeof CLAIMS_REASONS)[number]
  /** The claim as it is spelled in the token. */
  readonly claim: string
}

/**
 * Reads the known claims out of the payload of a verified token. Unknown claims are dropped, and a
 * known claim of a wrong type is a refusal: a verifier that says `"true"` is not understood.
 */
export function readAttestationClaims(
  payload: Readonly<Record<string, unknown>>,
): Result<AttestationClaims, ClaimsFailure> {
  const claims: Record<string, unknown> = {}
  for (const name of CLAIM_NAMES) {
    const { kind, aliases } = CLAIMS[name]
    for (const spelling of aliases === undefined ? [name] : [name, ...aliases]) {
      if (!Object.hasOwn(payload, spelling)) continue
      const value = normalize(payload[spelling], kind)
      const problem = problemOf(value, kind)
      if (problem !== undefined) return err({ reason: problem, claim: spelling })
      if (claims[name] !== undefined && claims[name] !== value) {
        return err({ reason: 'claims_contradictory', claim: spelling })
      }
      claims[name] = kind === 'secureBootKeys' ? pickSecureBootKeys(value) : value
    }
  }
  return ok(claims as AttestationClaims)
}

/** Azure's policies issue a set as a list, and a set of one as its only member. */
function normalize(value: unknown, kind: ClaimKind): unknown {
  return kind === 'texts' && typeof value === 'string' ? [value] : value
}

type Problem = 'claims_wrong_type' | 'claims_over_limit'

function problemOf(value: unknown, kind: ClaimKind): Problem | undefined {
  switch (kind) {
    case 'bool':
      return typeof value === 'boolean' ? undefined : 'claims_wrong_type'
    case 'int':
      return Number.isSafeInteger(value) ? undefined : 'claims_wrong_type'
    case 'text':
      return problemOfText(value, MAX_CLAIM_TEXT_CHARS)
    case 'texts':
      return problemOfTexts(value)
    case 'secureBootKeys':
      return problemOfSecureBootKeys(value)
  }
}

function problemOfText(value: unknown, maxChars: number): Problem | undefined {
  if (typeof value !== 'string') return 'claims_wrong_type'
  return value.length > maxChars ? 'claims_over_limit' : undefined
}

function problemOfTexts(value: unknown): Problem | undefined {
  if (!Array.isArray(value)) return 'claims_wrong_type'
  if (value.length > MAX_CLAIM_ITEMS) return 'claims_over_limit'
  for (const item of value) {
    const problem = problemOfText(item, MAX_CLAIM_ITEM_CHARS)
    if (problem !== undefined) return problem
  }
  return undefined
}

function problemOfSecureBootKeys(value: unknown): Problem | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'claims_wrong_type'
  }
  const keys: Record<string, unknown> = { ...value }
  for (const variable of SECURE_BOOT_VARIABLES) {
    if (keys[variable] === undefined) continue
    const problem = problemOfText(keys[variable], MAX_CLAIM_ITEM_CHARS)
    if (problem !== undefined) return problem
  }
  return undefined
}

function pickSecureBootKeys(value: unknown): SecureBootKeys {
  const keys = value as SecureBootKeys
  const picked: { [V in keyof SecureBootKeys]: string } = {}
  for (const variable of SECURE_BOOT_VARIABLES) {
    const hash = keys[variable]
    if (hash !== undefined) picked[variable] = hash
  }
  return picked
}
