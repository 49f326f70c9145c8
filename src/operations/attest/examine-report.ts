import { readReport } from '../../azure/answer.ts'
import type { KeySetsFailure } from '../../azure/key-sets.ts'
import { describeFault, type Log } from '../../base/log.ts'
import type { Config } from '../../config/config.ts'
import {
  type AttestationTokenFailure,
  verifyAttestationToken,
} from '../../evidence/token/attestation-token.ts'
import { decodeAttestationToken } from '../../evidence/token/attestation-token-kind.ts'
import type { Store } from '../../store/store.ts'
import type { TokenIssuers } from './token-issuers.ts'

/**
 * Looks at reports that a provider gave this process, over its own connection, to see whether the
 * service believes them at all: a policy that was changed there, or a signing key that nobody knows,
 * shuts a whole fleet out. Tokens that are handed in show the same and anybody can make those up.
 */
export type ReportExaminer = {
  /** `answer`: inner JSON text of the provider's answer to a request. Never throws. */
  readonly examine: (issuer: string, answer: string) => Promise<void>
}

/** What is wrong with every token of an issuer at once. Anything else an agent may have brought about. */
const OF_THE_ISSUER: ReadonlySet<(AttestationTokenFailure | KeySetsFailure)['reason']> = new Set([
  'policy_not_pinned',
  'token_key_unknown',
  'token_key_expired',
  'token_key_not_yet_valid',
  'key_set_unavailable',
])

/** One report of each issuer in this time, whoever causes how many. */
const PAUSE_MS = 10_000
/** For so long one counts: where few devices attest there are few. */
const COUNTS_MS = 30 * 60_000

export function createReportExaminer(input: {
  /** Those that are configured, and no others. */
  readonly issuers: TokenIssuers
  readonly store: Pick<Store, 'observeVerifier'>
  readonly config: Pick<Config, 'tokenMaxAgeSeconds' | 'clockSkewSeconds'>
  readonly log: Log
  readonly clock: () => Date
  /** Names this process. */
  readonly reporter: string
}): ReportExaminer {
  const { issuers, store, config, log, clock, reporter } = input
  const examinedAt = new Map<string, number>()

  /** `null` where it is believed; `undefined` where it says nothing about its issuer. */
  const findFailure = async (text: string, at: Date): Promise<string | null | undefined> => {
    const token = decodeAttestationToken(text)
    if (!token.ok) return undefined
    const known = await issuers.of(token.value)
    const { tokenMaxAgeSeconds: maxAgeSeconds, clockSkewSeconds } = config
    const limits = { now: at, maxAgeSeconds, clockSkewSeconds }
    const verified = known.ok
      ? await verifyAttestationToken(token.value, { issuers: known.value, ...limits })
      : known
    if (verified.ok) return null
    return OF_THE_ISSUER.has(verified.failure.reason) ? verified.failure.reason : undefined
  }

  return {
    async examine(issuer, answer) {
      const at = clock()
      if (Math.abs(at.getTime() - (examinedAt.get(issuer) ?? 0)) < PAUSE_MS) return
      examinedAt.set(issuer, at.getTime())
      try {
        const failure = await findFailure(readReport(answer), at)
        if (failure === undefined) return
        const expiresAt = new Date(at.getTime() + COUNTS_MS)
        const observation = { issuer, reporter, failure, at, expiresAt }
        await store.observeVerifier({ ...observation, sign: 'believed' })
      } catch (error) {
        // The agent's answer does not wait for what is only to be noted.
        log.warn('report_not_examined', { verifier: issuer, ...describeFault(error) })
      }
    },
  }
}
