import { digest } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { ok, type Result } from '../../base/result.ts'
import type { BootClaims } from '../../evidence/event-log/claims.ts'
import { importTpmKey, type TpmKey, type TpmKeyFailure } from '../../evidence/tpm/key.ts'
import type { QuoteFailure, VerifiedQuote } from '../../evidence/tpm/quote.ts'
import type { ReportFailure, VbsReport } from '../../evidence/vbs/report.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import { nameTpm } from '../enrolment/enrolled-key.ts'
import { type EnclaveFailure, verifyEnclave } from '../kinds/vbs/enclave-evidence.ts'
import { REQUEST_KEY_USE } from '../protocol/request-jws.ts'
import type {
  ContextFailure,
  ContextLimitFailure,
  ServiceContext,
  SpendContext,
} from '../protocol/service-context.ts'
import type { AttestationEvidence, RequestKeyBinding } from './attestation-evidence.ts'
import {
  type Aik,
  type AikFailure,
  type AikTrust,
  namesAikPurpose,
  resolveAik,
  validateAik,
} from './attestation-key.ts'
import {
  joinBootBeforeHibernation,
  type ProvenBoot,
  type ResumeFailure,
  readProvenBoot,
  verifyFreshQuote,
} from './boot-evidence.ts'
import type { BootLogFailure } from './boot-log-proof.ts'
import type { CertifiedPath } from './certified-path.ts'
import {
  type BoundKeys,
  type KeyBindingFailure,
  qualifyingDataOf,
  verifyKeyBindings,
} from './key-binding.ts'
import { type TraceStep, takeStep } from './trace.ts'

export type EvidenceFailure =
  | AikFailure
  | QuoteFailure
  | ContextFailure
  | ContextLimitFailure
  | KeyBindingFailure
  | BootLogFailure
  | ResumeFailure
  | EnclaveFailure
  | ReportFailure

/** Everything that a token states, every part of it verified; whether it is good is not judged. */
export type VerifiedEvidence = {
  readonly aik: {
    readonly hash: Uint8Array
    /** Whether a trust anchor vouches for it. */
    readonly validated: boolean
    /** Fingerprint of that anchor. */
    readonly trustAnchor: string | undefined
    /** Whether the certificate says that it is one of an attestation key; unset without an anchor. */
    readonly purposeNamed: boolean | undefined
    /** How the key's certificate reaches that anchor. */
    readonly path: CertifiedPath | undefined
    /** The TPM that it lives in, as far as whoever certified it names one. */
    readonly tpm: ReturnType<typeof nameTpm> | undefined
  }
  /** The key that signed the request: the token's `cnf`, unless it is bound by `none`. */
  readonly requestKey: { readonly key: TpmKey; readonly boundBy: RequestKeyBinding['kind'] }
  readonly keys: BoundKeys
  readonly boot: BootClaims
  readonly enclave: VbsReport['identity'] | undefined
  readonly rpData: Uint8Array | undefined
}

/** SHA-256 of an evidence part, base64url: what is kept of evidence that is not. */
export type EvidenceDigests = Readonly<Partial<Record<EvidencePart, string>>>
export type EvidencePart = 'quote' | 'boot_log' | 'enclave_report'

/** What a verification found, and by whom it was asked as far as that was proven. */
export type EvidenceVerification = {
  readonly result: Result<VerifiedEvidence, EvidenceFailure>
  /** Set as soon as the AK answered our challenge, whatever failed after that. */
  readonly provenAik: ProvenAik | undefined
}

/** An AK that answered our challenge, and whether a trust anchor vouches for it. */
export type ProvenAik = { readonly deviceKey: Uint8Array; readonly isVouched: boolean }

/**
 * Reasons for which a quote is refused after its signature and nonce were found good: the AK's
 * holder is known, although what it says is not believed.
 */
const REFUSED_AFTER_NONCE: ReadonlySet<QuoteFailure['reason']> = new Set([
  'quote_selects_nothing',
  'quote_pcr_bank_repeated',
  'quote_pcr_missing',
  'quote_pcr_unexpected',
  'quote_pcr_length_wrong',
  'quote_digest_mismatch',
])

/** Evidence of a request whose signature and service context were verified before. */
export type EvidenceInput = {
  readonly evidence: AttestationEvidence
  /** The key that signed the request. */
  readonly requestKey: TpmKey
  /** What was sealed with the challenge that the evidence answers. */
  readonly context: ServiceContext
  readonly spendContext: SpendContext
  readonly trust: AikTrust
  readonly now: Date
  readonly trace: TraceStep[]
}

/**
 * Verifies the evidence in the order from identity to content: AK, quote, its certificate, the use of
 * the service context, key bindings, logs, enclave.
 */
export async function verifyEvidence(input: EvidenceInput): Promise<EvidenceVerification> {
  const { evidence, trace } = input
  const aik = await takeStep(trace, 'attestation_key', () => resolveAik(evidence.current.aik))
  if (!aik.ok) return { result: aik, provenAik: undefined }
  const provenAik = { deviceKey: aik.value.hash, isVouched: false }
  const quote = await takeStep(
    trace,
    'quote',
    () => verifyFreshQuote(evidence.current, aik.value, qualifyingDataOf(evidence)),
    describePcrs,
  )
  if (!quote.ok) {
    const proven = REFUSED_AFTER_NONCE.has(quote.failure.reason)
    return { result: quote, provenAik: proven ? provenAik : undefined }
  }
  const path = await takeStep(
    trace,
    'attestation_key_certificate',
    () => validateAik(aik.value, input.trust, input.now),
    (found) => (found ? 'chained to a trust anchor' : 'no trust anchor, and none is required'),
  )
  if (!path.ok) return { result: path, provenAik }
  const use = await takeStep(trace, 'service_context_use', () =>
    spend(input, aik.value, path.value !== undefined),
  )
  // A copy of a message that was answered before proves nobody.
  if (!use.ok) return { result: use, provenAik: undefined }
  const proven = { aik: aik.value, quote: quote.value, path: path.value }
  const result = await verifyContent({ ...input, ...proven })
  return { result, provenAik: { ...provenAik, isVouched: path.value !== undefined } }
}

/**
 * Only now, when a key answered the challenge that an anchor vouches for or none is asked for: nobody
 * else can use up the context of an agent.
 */
function spend(
  { evidence, context, spendContext }: EvidenceInput,
  aik: Aik,
  isVouchedFor: boolean,
) {
  const contextId = toBase64Url(evidence.challenge)
  const { expiresAt } = context
  return spendContext({ contextId, expiresAt, deviceKey: aik.hash, isVouchedFor })
}

/** What is left once the AK has proven itself and the context is used up. */
async function verifyContent(
  input: EvidenceInput & {
    readonly aik: Aik
    readonly quote: VerifiedQuote
    readonly path: CertifiedPath | undefined
  },
): Promise<Result<VerifiedEvidence, EvidenceFailure>> {
  const { evidence, requestKey, aik, path, trace } = input
  const keys = await takeStep(trace, 'key_bindings', () =>
    verifyKeyBindings(evidence, requestKey, aik.key),
  )
  if (!keys.ok) return keys
  const boot = await proveBoot(evidence, input.quote, aik, trace)
  if (!boot.ok) return boot
  const { claims, idks } = boot.value
  const { enclave } = evidence
  const report =
    enclave && (await takeStep(trace, 'enclave_report', () => verifyEnclave(enclave, idks)))
  if (report?.ok === false) return report
  return ok({
    aik: {
      hash: aik.hash,
      validated: path !== undefined,
      trustAnchor: path && fingerprintOf(path.anchor),
      purposeNamed: path && namesAikPurpose(aik.certificate),
      path,
      tpm: path && aik.certificate && nameTpm(aik.certificate, input.trust.enrolment),
    },
    requestKey: { key: requestKey, boundBy: evidence.requestKey.binding.kind },
    keys: keys.value,
    boot: claims,
    enclave: report?.value.report.identity,
    rpData: evidence.rpData,
  })
}

async function proveBoot(
  evidence: AttestationEvidence,
  quote: VerifiedQuote,
  aik: Aik,
  trace: TraceStep[],
): Promise<Result<ProvenBoot, EvidenceFailure>> {
  const current = await takeStep(trace, 'boot_log', () => readProvenBoot(evidence.current, quote))
  const { beforeHibernation } = evidence
  if (!current.ok || beforeHibernation === undefined) return current
  return takeStep(trace, 'boot_before_hibernation', () =>
    joinBootBeforeHibernation(beforeHibernation, current.value, aik),
  )
}

/** The key of a request, usable. */
export function importRequestKey(
  evidence: AttestationEvidence,
): Promise<Result<TpmKey, TpmKeyFailure>> {
  return importTpmKey(evidence.requestKey.jwk, REQUEST_KEY_USE)
}

/** Names the parts of the evidence for the record, without keeping them. */
export function digestEvidence(evidence: AttestationEvidence): EvidenceDigests {
  const sha256 = (bytes: Uint8Array) => toBase64Url(digest('sha256', bytes))
  const digests = {
    quote: sha256(evidence.current.statement.quote),
    boot_log: sha256(evidence.current.logs.srtm),
  }
  return evidence.enclave === undefined
    ? digests
    : { ...digests, enclave_report: sha256(evidence.enclave.report) }
}

function describePcrs(quote: VerifiedQuote): string {
  return quote.pcrs
    .map(({ algorithm, values }) => `${algorithm}: ${[...values.keys()].join(' ')}`)
    .join('; ')
}
