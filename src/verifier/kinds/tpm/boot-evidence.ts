import { err, ok, type Result } from '../../../base/result.ts'
import {
  type BootClaims,
  type BootMeasurements,
  readBootClaims,
} from '../../../evidence/event-log/claims.ts'
import type { ClockInfo } from '../../../evidence/tpm/attest.ts'
import type { PcrBank } from '../../../evidence/tpm/pcr.ts'
import { type QuoteFailure, type VerifiedQuote, verifyQuote } from '../../../evidence/tpm/quote.ts'
import { isSameKey } from '../../protocol/public-jwk.ts'
import { type Aik, type AikFailure, resolveAik } from './attestation-key.ts'
import { type BootLogFailure, proveBootLogs } from './boot-log-proof.ts'
import type { BootEvidence } from './tpm-evidence.ts'

export const RESUME_REASONS = ['resume_aik_mismatch', 'resume_boot_unlinked'] as const

export type ResumeFailure = { readonly reason: (typeof RESUME_REASONS)[number] }

/** What was measured in one session of the TPM, proven by a quote. */
export type ProvenBoot = BootMeasurements & { readonly clock: ClockInfo }

/** Verifies the fresh quote. Success proves that the AK's holder answered our challenge. */
export async function verifyFreshQuote(
  evidence: BootEvidence,
  aik: Aik,
  qualifyingData: Uint8Array,
): Promise<Result<VerifiedQuote, QuoteFailure | BootLogFailure>> {
  const { quote, signature, pcrs } = evidence.statement
  const signed = { attest: quote, signature, pcrs, key: aik.key, qualifyingData }
  const verified = await verifyQuote(signed)
  return verified.ok ? requireQuotedOrder(verified.value, pcrs) : verified
}

/**
 * Azure Attestation's protocol has the values in the order of the quote: an agent that came to send them
 * otherwise would be refused there. `pcrs` of the failure are in the right order.
 */
function requireQuotedOrder(
  quote: VerifiedQuote,
  supplied: readonly PcrBank[],
): Result<VerifiedQuote, BootLogFailure> {
  const given = supplied.filter(({ values }) => values.size > 0)
  const turned = quote.pcrs.find((bank, position) => !isSameOrder(bank, given[position]))
  if (turned === undefined) return ok(quote)
  return err({ reason: 'boot_pcr_order_wrong', pcrs: [...turned.values.keys()] })
}

function isSameOrder(quoted: PcrBank, given: PcrBank | undefined): boolean {
  if (given?.algorithm !== quoted.algorithm) return false
  const order = [...given.values.keys()]
  return [...quoted.values.keys()].every((index, position) => order[position] === index)
}

/** Proves a session's logs by its verified quote and reads what they measured. */
export function readProvenBoot(
  evidence: BootEvidence,
  quote: VerifiedQuote,
): Result<ProvenBoot, BootLogFailure> {
  const log = proveBootLogs(evidence.logs, quote.pcrs)
  if (!log.ok) return log
  const measured = readBootClaims(log.value)
  return measured.ok ? ok({ ...measured.value, clock: quote.attest.clockInfo }) : measured
}

/**
 * Verifies the cold boot before a hibernation and joins it with the resume.
 *
 * Its quote was made at boot, so its nonce is nobody's; that it belongs to what runs now must come
 * from elsewhere, or an agent could present any clean boot of its past. It does if both quotes are
 * of one TPM session, or if the TPM's clock moved forward and both logs measured the same boot
 * counter, which Windows raises with each cold boot.
 */
export async function joinBootBeforeHibernation(
  evidence: BootEvidence,
  resumed: ProvenBoot,
  aik: Aik,
): Promise<Result<ProvenBoot, ResumeFailure | QuoteFailure | AikFailure | BootLogFailure>> {
  const bootAik = await resolveAik(evidence.aik)
  if (!bootAik.ok) return bootAik
  if (!isSameKey(bootAik.value.key, aik.key)) return err({ reason: 'resume_aik_mismatch' })
  const { quote, signature, pcrs } = evidence.statement
  const verified = await verifyQuote({
    attest: quote,
    signature,
    pcrs,
    key: aik.key,
    acceptAnyNonce: true,
  })
  if (!verified.ok) return verified
  const ordered = requireQuotedOrder(verified.value, pcrs)
  if (!ordered.ok) return ordered
  const boot = readProvenBoot(evidence, ordered.value)
  if (!boot.ok) return boot
  if (!isSameColdBoot(boot.value, resumed)) return err({ reason: 'resume_boot_unlinked' })
  return ok(joinMeasurements(boot.value, resumed))
}

/** A key outside the endorsement hierarchy sees its reset counter with an offset: only equality. */
function isSameColdBoot(boot: ProvenBoot, resumed: ProvenBoot): boolean {
  if (boot.clock.clock > resumed.clock.clock) return false
  if (boot.clock.resetCount === resumed.clock.resetCount) return true
  const counter = boot.claims.bootCounter
  return counter !== undefined && counter === resumed.claims.bootCounter
}

/**
 * The system that runs is the one that was booted, so its claims hold; but every switch that the
 * resume measured as off stays off, because it was off when the memory image was loaded. The secure
 * kernel signs with the key that was measured last.
 */
function joinMeasurements(boot: ProvenBoot, resumed: ProvenBoot): ProvenBoot {
  const off = Object.entries(resumed.claims).filter(([, value]) => value === false)
  const claims: BootClaims = { ...boot.claims, ...Object.fromEntries(off) }
  return { ...boot, claims, idks: resumed.idks ?? boot.idks, clock: resumed.clock }
}
