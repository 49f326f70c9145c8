import { err, ok, type Result } from '../../base/result.ts'
import { type DpopFailure, type DpopRequest, verifyDpop } from '../../oauth/dpop.ts'
import type { DpopNonces } from './dpop-nonces.ts'
import { type ProofSpending, spendOnce } from './spend-once.ts'

export type ProofDependencies = ProofSpending & {
  readonly nonces: DpopNonces
  readonly clock: () => Date
  readonly clockSkewSeconds: number
}

/** `nonce`: what the next proof is to be made with, where that is another one than now. */
export type AcceptedProof = { readonly thumbprint: string; readonly nonce: string | undefined }

export type ProofRefusal = DpopFailure & { readonly nonce?: string }

/**
 * Accepts a DPoP proof once, for all processes (RFC 9449 §11.1), and only over a nonce of ours that counts
 * still. Without such a nonce the refusal brings one, and the caller tries again (§8, §9).
 */
export async function acceptProof(
  dependencies: ProofDependencies,
  request: DpopRequest,
  token?: { readonly text: string; readonly boundTo: string },
): Promise<Result<AcceptedProof, ProofRefusal>> {
  const { nonces, clock, clockSkewSeconds } = dependencies
  const verified = await verifyDpop(request, {
    now: clock(),
    clockSkewSeconds,
    ...(token !== undefined && { token }),
  })
  if (!verified.ok) return verified
  const { thumbprint, jti, expiresAt } = verified.value
  const checked = nonces.check(verified.value.nonce, thumbprint)
  if (!checked.ok) return err({ ...checked.failure, nonce: nonces.make(thumbprint) })
  const isFirst = await spendOnce(dependencies, { names: ['dpop', thumbprint, jti], expiresAt })
  if (!isFirst) return err({ reason: 'dpop_replayed', thumbprint })
  return ok({ thumbprint, nonce: checked.value.next })
}
