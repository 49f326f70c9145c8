import { err, type Failure, ok } from '../../base/result.ts'
import type { EvidenceKind, VerificationRun } from '../kinds/kind.ts'
import type { AikTrust } from '../kinds/tpm/attestation-key.ts'
import type { ReadRequest } from '../protocol/attest-message.ts'
import { requireBoundKey } from '../protocol/request-keys.ts'
import { hasContextForm } from '../protocol/service-context.ts'
import { beginTrace, takeStep, type VerifierTrace } from './trace.ts'
import { importRequestKey, proveRequestKey, verifyEvidence } from './verify-evidence.ts'

/** How a request fared that was walked. It is no verification: no token comes of it. */
export type WalkedRequest = {
  readonly trace: VerifierTrace
  /** Why the verifier would refuse it first, as far as that can be said here. */
  readonly failure: Failure | undefined
}

const UNCHECKED = {
  service_context: 'only the service that sealed it can open it and knows whether it has expired',
  service_context_use: 'only the service knows whether its challenge was answered before',
} as const
const UNCHECKED_CERTIFICATE = 'which trust anchors count is known to the service'

/**
 * Takes the verifier's steps over a request away from the service, for whoever develops an agent: with
 * the values that each step compared, and past a step that failed to those that do not need it. What
 * only the service knows is noted as unchecked.
 */
export async function walkRequest<F extends Failure>(
  kinds: readonly EvidenceKind<F>[],
  { jws, request }: ReadRequest<F>,
  input: {
    /** Whom to believe about attestation keys; absent: nobody knows, and that stays unchecked. */
    readonly trust: AikTrust | undefined
    /** Why that stays unchecked, where it is not for want of anchors. */
    readonly uncheckedCertificate?: string | undefined
    readonly now: Date
  },
): Promise<WalkedRequest> {
  const { trust = { anchors: [], intermediates: [] }, now } = input
  const { uncheckedCertificate = UNCHECKED_CERTIFICATE } = input
  const unchecked = {
    ...UNCHECKED,
    ...(input.trust === undefined && { attestation_key_certificate: uncheckedCertificate }),
  }
  const trace = beginTrace({ withValues: true, goesOn: true, unchecked })
  await takeStep(trace, 'request_key', () => requireBoundKey(request.requestKey, 'refuse'))
  const context = { challenge: request.challenge, expiresAt: now }
  await takeStep(trace, 'service_context', () =>
    hasContextForm(request.serviceContext) ? ok(context) : err({ reason: 'context_malformed' }),
  )
  await takeStep(trace, 'request_signature', () => proveRequestKey(jws, request))
  const requestKey = await importRequestKey(request)
  if (requestKey.ok) {
    const run: VerificationRun = {
      ...{ request, requestKey: requestKey.value, context, trust, now, trace },
      spendContext: async () => ok(true),
      ...{ findings: [], provenAik: undefined },
    }
    await verifyEvidence(request, kinds, run)
  }
  return { trace: trace.steps, failure: trace.failures[0] }
}
