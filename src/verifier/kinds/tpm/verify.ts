import { toBase64Url } from '../../../base/encoding.ts'
import { inMember } from '../../../base/located.ts'
import { ok, type Result } from '../../../base/result.ts'
import type { QuoteFailure, VerifiedQuote } from '../../../evidence/tpm/quote.ts'
import type { ContextFailure, ContextLimitFailure } from '../../protocol/service-context.ts'
import type { CertifiedPath } from '../../steps/certified-path.ts'
import { takeStep } from '../../steps/trace.ts'
import type { Findings, VerificationRun } from '../kind.ts'
import { type Aik, type AikFailure, resolveAik, validateAik } from './attestation-key.ts'
import {
  joinBootBeforeHibernation,
  type ProvenBoot,
  type ResumeFailure,
  readProvenBoot,
  verifyFreshQuote,
} from './boot-evidence.ts'
import type { BootLogFailure } from './boot-log-proof.ts'
import { claimsOfTpm } from './claims.ts'
import { type KeyBindingFailure, qualifyingDataOf, verifyKeyBindings } from './key-binding.ts'
import type { TpmEvidence } from './tpm-evidence.ts'

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
  const aik = await takeStep(trace, 'attestation_key', () => resolveAik(evidence.current.aik))
  if (!aik.ok) return aik
  const proven = (isVouched: boolean) => ({ deviceKey: aik.value.hash, isVouched })
  const quote = await takeStep(
    trace,
    'quote',
    () => verifyFreshQuote(evidence.current, aik.value, qualifyingDataOf(request)),
    describePcrs,
  )
  if (quote.ok || REFUSED_AFTER_NONCE.has(quote.failure.reason)) run.provenAik = proven(false)
  if (!quote.ok) return quote
  const path = await takeStep(
    trace,
    'attestation_key_certificate',
    () => validateAik(aik.value, run.trust, run.now),
    (found) => (found ? 'chained to a trust anchor' : 'no trust anchor, and none is required'),
  )
  if (!path.ok) return path
  const isVouched = path.value !== undefined
  const use = await takeStep(trace, 'service_context_use', () => spend(run, aik.value, isVouched))
  // A copy of a message that was answered before proves nobody.
  run.provenAik = use.ok ? proven(isVouched) : undefined
  if (!use.ok) return use
  return verifyContent(evidence, run, { aik: aik.value, quote: quote.value, path: path.value })
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
  { request, requestKey, trust, trace }: VerificationRun,
  proven: {
    readonly aik: Aik
    readonly quote: VerifiedQuote
    readonly path: CertifiedPath | undefined
  },
): Promise<Result<Findings, TpmFailure>> {
  const { aik, quote, path } = proven
  const keys = await takeStep(trace, 'key_bindings', () =>
    verifyKeyBindings(request, requestKey, aik.key),
  )
  if (!keys.ok) return keys
  const { beforeHibernation } = evidence
  const current = await takeStep(trace, 'boot_log', () => readProvenBoot(evidence.current, quote))
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
    attester: { hash: aik.hash, path, keys: keys.value },
    enclaveSigner: boot.value.idks,
  })
}

function describePcrs(quote: VerifiedQuote): string {
  return quote.pcrs
    .map(({ algorithm, values }) => `${algorithm}: ${[...values.keys()].join(' ')}`)
    .join('; ')
}
