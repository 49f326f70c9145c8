import { comparison } from '../../../base/comparison.ts'
import { toBase64Url } from '../../../base/encoding.ts'
import { inMember } from '../../../base/located.ts'
import { err, ok, type Result } from '../../../base/result.ts'
import type { BootMeasurements } from '../../../evidence/event-log/claims.ts'
import { compareNonce } from '../../../evidence/tpm/freshness.ts'
import type { QuoteFailure, VerifiedQuote } from '../../../evidence/tpm/quote.ts'
import type { RequestData } from '../../protocol/request-data.ts'
import type { ContextFailure, ContextLimitFailure } from '../../protocol/service-context.ts'
import type { CertifiedPath } from '../../steps/certified-path.ts'
import { endWith, takeStep } from '../../steps/trace.ts'
import type { Findings, VerificationRun } from '../kind.ts'
import { type Aik, type AikFailure, resolveAik, validateAik } from './attestation-key.ts'
import {
  comparePcrs,
  joinBootBeforeHibernation,
  type ProvenBoot,
  type ResumeFailure,
  readMeasuredBoot,
  readProvenBoot,
  verifyFreshQuote,
} from './boot-evidence.ts'
import type { BootLogFailure } from './boot-log-proof.ts'
import { claimsOfTpm } from './claims.ts'
import {
  compareCertifications,
  describeQualifyingData,
  type KeyBindingFailure,
  qualifyingDataOf,
  verifyKeyBindings,
} from './key-binding.ts'
import type { BootEvidence, TpmEvidence } from './tpm-evidence.ts'

export type TpmFailure =
  | AikFailure
  | QuoteFailure
  | ContextFailure
  | ContextLimitFailure
  | KeyBindingFailure
  | BootLogFailure
  | ResumeFailure

/** The trace steps of TPM evidence, in the order in which they are taken. */
export const TPM_STEPS = [
  'attestation_key',
  'quote',
  'attestation_key_certificate',
  'service_context_use',
  'key_bindings',
  'boot_log',
  'boot_before_hibernation',
] as const

/**
 * Reasons for which a quote is refused after its signature and nonce were found good: the AK's
 * holder is known, although what it says is not believed.
 */
const REFUSED_AFTER_NONCE: ReadonlySet<TpmFailure['reason']> = new Set([
  'boot_pcr_order_wrong',
  'quote_selects_nothing',
  'quote_pcr_bank_repeated',
  'quote_pcr_missing',
  'quote_pcr_unexpected',
  'quote_pcr_length_wrong',
  'quote_digest_mismatch',
])

/**
 * Verifies the evidence in the order from identity to content: AK, quote, its certificate, the use of
 * the service context, key bindings, logs.
 */
export async function verifyTpm(
  evidence: TpmEvidence,
  run: VerificationRun,
): Promise<Result<Findings, TpmFailure>> {
  const { trace, request } = run
  const { current } = evidence
  const aik = await takeStep(trace, 'attestation_key', () => resolveAik(current.aik))
  const unproven = () => walkUnprovenLog(current, run)
  if (!aik.ok) return endWith(trace, aik, unproven)
  const certificate = () => takeCertificate(aik.value, run)
  const bindings = () => takeBindings(aik.value, run)
  const proven = (isVouched: boolean) => ({ deviceKey: aik.value.hash, isVouched })
  const qualifyingData = qualifyingDataOf(request)
  const quote = await takeStep(
    trace,
    'quote',
    async () => aboutNonce(request, await verifyFreshQuote(current, aik.value, qualifyingData)),
    { detail: describePcrs, compared: (found) => compareQuote(found, qualifyingData) },
  )
  if (quote.ok || REFUSED_AFTER_NONCE.has(quote.failure.reason)) run.provenAik = proven(false)
  if (!quote.ok) return endWith(trace, quote, certificate, bindings, unproven)
  const path = await certificate()
  if (!path.ok) return endWith(trace, path, bindings, () => walkLog(current, quote.value, run))
  const isVouched = path.value !== undefined
  const use = await takeStep(trace, 'service_context_use', () => spend(run, aik.value, isVouched))
  // A copy of a message that was answered before proves nobody.
  run.provenAik = use.ok ? proven(isVouched) : undefined
  if (!use.ok) return use
  return verifyContent(evidence, run, { aik: aik.value, quote: quote.value, path: path.value })
}

/** Says of a nonce that is another which it has to be in this request. */
function aboutNonce<T>(
  request: RequestData,
  quote: Result<T, QuoteFailure | BootLogFailure>,
): Result<T, QuoteFailure | BootLogFailure> {
  if (quote.ok || quote.failure.reason !== 'quote_nonce_mismatch') return quote
  return err({ ...quote.failure, expected: describeQualifyingData(request) })
}

function takeCertificate(aik: Aik, { trace, trust, now }: VerificationRun) {
  return takeStep(trace, 'attestation_key_certificate', () => validateAik(aik, trust, now), {
    detail: (path) =>
      path ? 'chained to a trust anchor' : 'no trust anchor, and none is required',
  })
}

function takeBindings(aik: Aik, { trace, request, requestKey }: VerificationRun) {
  return takeStep(trace, 'key_bindings', () => verifyKeyBindings(request, requestKey, aik.key), {
    compared: () => compareCertifications(request),
  })
}

function takeLog(evidence: BootEvidence, quote: VerifiedQuote, { trace }: VerificationRun) {
  return takeStep(trace, 'boot_log', () => readProvenBoot(evidence, quote), {
    compared: () => comparePcrs(evidence.logs, quote.pcrs),
  })
}

/**
 * Only now, when a key answered the challenge that an anchor vouches for or none is asked for: nobody
 * else can use up the context of an agent.
 */
async function spend(
  { request, context, spendContext }: VerificationRun,
  aik: Aik,
  isVouchedFor: boolean,
) {
  const contextId = toBase64Url(request.challenge)
  const { expiresAt } = context
  const spent = await spendContext({ contextId, expiresAt, deviceKey: aik.hash, isVouchedFor })
  return inMember(`${request.member}.service_context`, spent)
}

/** What is left once the AK has proven itself and the context is used up. */
async function verifyContent(
  evidence: TpmEvidence,
  run: VerificationRun,
  proven: {
    readonly aik: Aik
    readonly quote: VerifiedQuote
    readonly path: CertifiedPath | undefined
  },
): Promise<Result<Findings, TpmFailure>> {
  const { trace, trust } = run
  const { aik, quote, path } = proven
  const { current: session, beforeHibernation } = evidence
  const keys = await takeBindings(aik, run)
  if (!keys.ok) return endWith(trace, keys, () => walkLog(session, quote, run))
  const current = await takeLog(session, quote, run)
  if (!current.ok) return current
  const boot: Result<ProvenBoot, TpmFailure> =
    beforeHibernation === undefined
      ? current
      : await takeStep(trace, 'boot_before_hibernation', () =>
          joinBootBeforeHibernation(beforeHibernation, current.value, aik),
        )
  if (!boot.ok) return boot
  return ok({
    claims: claimsOfTpm({ aik, path, trust, boot: boot.value.claims }),
    attester: { hash: aik.hash, key: aik.key, path, keys: keys.value },
    ...signerOf(boot.value),
  })
}

/** The key that an enclave's report must be signed with, or where one stands that does not count. */
function signerOf({
  idks: enclaveSigner,
  findMisplacedSigner,
}: BootMeasurements): Omit<Findings, 'claims'> {
  return enclaveSigner === undefined ? { findMisplacedSigner } : { enclaveSigner }
}

/** Goes on with the log, and with the key that an enclave's report must be signed with. */
async function walkLog(evidence: BootEvidence, quote: VerifiedQuote, run: VerificationRun) {
  const boot = await takeLog(evidence, quote, run)
  if (boot.ok) run.findings.push({ claims: {}, ...signerOf(boot.value) })
}

const UNPROVEN = 'it replays to the PCR values that were sent, which the quote does not prove'

/** The same with PCR values that no quote proves, so that the log passes for nothing. */
async function walkUnprovenLog({ logs, statement }: BootEvidence, run: VerificationRun) {
  const trace = { ...run.trace, unchecked: { boot_log: UNPROVEN } }
  const { pcrs, members } = statement
  const { quote } = members
  const boot = await takeStep(trace, 'boot_log', () => readMeasuredBoot(logs, pcrs, quote), {
    compared: () => comparePcrs(logs, pcrs),
  })
  if (boot.ok) run.findings.push({ claims: {}, ...signerOf(boot.value) })
}

function compareQuote({ attest }: VerifiedQuote, qualifyingData: Uint8Array) {
  const { pcrDigest } = attest.attested
  return [
    ...compareNonce(attest.extraData, { qualifyingData }),
    comparison('digest of the PCR values', pcrDigest, pcrDigest),
  ]
}

function describePcrs(quote: VerifiedQuote): string {
  return quote.pcrs
    .map(({ algorithm, values }) => `${algorithm}: ${[...values.keys()].join(' ')}`)
    .join('; ')
}
