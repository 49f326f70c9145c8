import { isJsonObject } from '../../evidence/jws/compact-jws.ts'
import { readConfirmationKey } from '../../evidence/jws/confirmation-key.ts'
import { decodeAttestationToken } from '../../evidence/token/attestation-token-kind.ts'

/**
 * Notices when nobody gets in any more with the tokens of an issuer: a policy that was changed at
 * the provider, a signing key that nobody knows, one that expired. Each refused token may be forged,
 * so refusals alone say nothing; that no token of the issuer is accepted meanwhile cannot be brought
 * about by whoever forges them.
 */
export type IssuerFailures = {
  readonly noteRefused: (token: string, reason: string, now: Date) => void
  readonly noteAccepted: (issuer: string, now: Date) => void
  /** Issuers of whose tokens many were refused within the window, and none accepted. */
  readonly failing: (now: Date) => readonly IssuerFailure[]
}

export type IssuerFailure = {
  readonly issuer: string
  readonly reasons: readonly string[]
  /** Different device keys as the refused tokens name them. */
  readonly devices: number
}

/** What is wrong with all tokens of an issuer at once. Anything else is about one device. */
const REASONS: ReadonlySet<string> = new Set([
  'policy_not_pinned',
  'token_key_unknown',
  'token_key_expired',
  'token_key_not_yet_valid',
])

const WINDOW_MS = 15 * 60_000
const MIN_DEVICES = 20
/** So that a flood of forged tokens fills no memory. */
const MAX_DEVICES = 1000

type Tally = {
  acceptedAt: number
  /** Key and time of its last refusal. */
  readonly refused: Map<string, number>
  readonly reasons: Set<string>
}

/** `issuers`: those that are configured, and no others. */
export function createIssuerFailures(issuers: readonly string[], start: Date): IssuerFailures {
  const tallies = new Map<string, Tally>(
    issuers.map((issuer) => [
      issuer,
      { acceptedAt: start.getTime(), refused: new Map(), reasons: new Set() },
    ]),
  )
  return {
    noteRefused(token, reason, now) {
      if (!REASONS.has(reason)) return
      const decoded = decodeAttestationToken(token)
      if (!decoded.ok) return
      const { iss, aikPubHash, cnf } = decoded.value.payload
      const tally = typeof iss === 'string' ? tallies.get(iss) : undefined
      const key = typeof aikPubHash === 'string' ? aikPubHash : nameOfKey(cnf)
      if (tally === undefined || key.length > MAX_KEY_CHARS) return
      if (tally.refused.size >= MAX_DEVICES && !tally.refused.has(key)) return
      tally.refused.set(key, now.getTime())
      tally.reasons.add(reason)
    },
    noteAccepted(issuer, now) {
      const tally = tallies.get(issuer)
      if (tally === undefined) return
      tally.acceptedAt = now.getTime()
      tally.refused.clear()
      tally.reasons.clear()
    },
    failing(now) {
      const since = now.getTime() - WINDOW_MS
      return [...tallies].flatMap(([issuer, { acceptedAt, refused, reasons }]) => {
        for (const [key, at] of refused) if (at < since) refused.delete(key)
        if (acceptedAt > since || refused.size < MIN_DEVICES) return []
        return [{ issuer, reasons: [...reasons], devices: refused.size }]
      })
    },
  }
}

const MAX_KEY_CHARS = 2000

/** The thumbprint of the key that a token confirms: nothing that is unverified is written out. */
function nameOfKey(cnf: unknown): string {
  return isJsonObject(cnf) ? (readConfirmationKey(cnf.jwk)?.thumbprint ?? '') : ''
}
