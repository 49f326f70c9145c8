import {
  type Compared,
  type Comparison,
  comparison,
  comparisonsOf,
} from '../../../base/comparison.ts'
import { inMember } from '../../../base/located.ts'
import { err, ok, type Result } from '../../../base/result.ts'
import {
  type BootClaims,
  type BootMeasurements,
  readBootClaims,
} from '../../../evidence/event-log/claims.ts'
import type { ClockInfo } from '../../../evidence/tpm/attest.ts'
import type { PcrBank } from '../../../evidence/tpm/pcr.ts'
import type { QuoteFailure, VerifiedQuote } from '../../../evidence/tpm/quote.ts'
import { isSameKey } from '../../protocol/public-jwk.ts'
import { type Aik, type AikFailure, resolveAik } from './attestation-key.ts'
import { type BootLogFailure, proveBootLogs } from './boot-log-proof.ts'
import { compareKeys } from './key-binding.ts'
import type { BootEvidence, BootLogs } from './tpm-evidence.ts'
import { verifyStatement } from './verify-statement.ts'

export const RESUME_REASONS = ['resume_aik_mismatch', 'resume_boot_unlinked'] as const

export type ResumeFailure = {
  readonly reason: (typeof RESUME_REASONS)[number]
  readonly member: string
} & Compared

/** What was measured in one session of the TPM, proven by a quote. */
export type ProvenBoot = BootMeasurements & { readonly clock: ClockInfo }

/** Verifies the fresh quote. Success proves that the AK's holder answered our challenge. */
export function verifyFreshQuote(
  evidence: BootEvidence,
  aik: Aik,
  qualifyingData: Uint8Array,
): Promise<Result<VerifiedQuote, QuoteFailure | BootLogFailure>> {
  return verifyStatement(evidence.statement, aik, { qualifyingData })
}

/**
 * Reads what logs measured, as proven as the PCR values are that they are held against. `quote`: the
 * member that these came from, since what a quote leaves out is no fault of the log.
 */
export function readMeasuredBoot(
  logs: BootLogs,
  pcrs: readonly PcrBank[],
  quote: string,
): Result<BootMeasurements, BootLogFailure> {
  const log = proveBootLogs(logs, pcrs)
  return log.ok ? inMember(logs.members.srtm, readBootClaims(log.value)) : inMember(quote, log)
}

/** Proves a session's logs by its verified quote and reads what they measured. */
export function readProvenBoot(
  evidence: BootEvidence,
  quote: VerifiedQuote,
): Result<ProvenBoot, BootLogFailure> {
  const { logs, statement } = evidence
  const measured = readMeasuredBoot(logs, quote.pcrs, statement.members.quote)
  return measured.ok ? ok({ ...measured.value, clock: quote.attest.clockInfo }) : measured
}

/** The PCR values that logs replay to. */
export function comparePcrs(logs: BootLogs, pcrs: readonly PcrBank[]): readonly Comparison[] {
  const log = proveBootLogs(logs, pcrs)
  if (!log.ok) return comparisonsOf(log.failure)
  const { bank, provenPcrs } = log.value
  const values = pcrs.find(({ algorithm }) => algorithm === bank)?.values ?? new Map()
  return [...values]
    .filter(([pcr]) => provenPcrs.has(pcr))
    .map(([pcr, value]) => comparison(`${bank} PCR ${pcr}`, value, value))
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
  if (!isSameKey(bootAik.value.key, aik.key)) {
    const compared = () => [compareKeys('attestation key', aik.key, bootAik.value.key)]
    const member = bootAik.value.keyMember
    return err({ reason: 'resume_aik_mismatch', member, compared })
  }
  const verified = await verifyStatement(evidence.statement, aik, { acceptAnyNonce: true })
  if (!verified.ok) return verified
  const boot = readProvenBoot(evidence, verified.value)
  if (!boot.ok) return boot
  if (!isSameColdBoot(boot.value, resumed)) {
    const compared = () => compareSessions(boot.value, resumed)
    const member = evidence.statement.members.quote
    return err({ reason: 'resume_boot_unlinked', member, compared })
  }
  return ok(joinMeasurements(boot.value, resumed))
}

/** A key outside the endorsement hierarchy sees its reset counter with an offset: only equality. */
function isSameColdBoot(boot: ProvenBoot, resumed: ProvenBoot): boolean {
  if (boot.clock.clock > resumed.clock.clock) return false
  if (boot.clock.resetCount === resumed.clock.resetCount) return true
  const counter = boot.claims.bootCounter
  return counter !== undefined && counter === resumed.claims.bootCounter
}

/** What ties a cold boot to a resume: as the resume has it, and as the boot has it. */
export function compareSessions(boot: ProvenBoot, resumed: ProvenBoot): readonly Comparison[] {
  const say = (value: unknown) => String(value ?? 'not measured')
  const most = `at most ${resumed.clock.clock}`
  return [
    comparison('clock of the TPM', most, say(boot.clock.clock)),
    comparison('resets of the TPM', say(resumed.clock.resetCount), say(boot.clock.resetCount)),
    comparison('bootCounter', say(resumed.claims.bootCounter), say(boot.claims.bootCounter)),
  ]
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
