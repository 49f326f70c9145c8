import type { LogBudget } from '../../base/log-budget.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { EntraRefusal } from '../../operations/vendors/answer-entra.ts'
import type { HttpContext } from '../environment.ts'
import { answerProblem, answerRequestFailure } from '../errors/problem.ts'
import { isVendorCode, type VendorProblemCode } from '../errors/vendor-problems.ts'
import type { RequestFailure } from '../read-json.ts'

/** Where refused requests of identity providers are noted. */
export type VendorRefusalServices = {
  readonly metrics: Pick<Metrics, 'clientRefusals'>
  /** For what anybody can bring about. */
  readonly logBudget: LogBudget
  readonly clock: () => Date
}

export type VendorFailure =
  | { readonly reason: VendorProblemCode; readonly detail?: string }
  | Extract<EntraRefusal, { readonly reason: 'jwks_unavailable' }>
  | RequestFailure

/**
 * Refuses a request at the endpoint of a provider, counts it by its reason, and logs it within a budget: what
 * the operator has to know is that the provider is set up wrong, or that somebody else calls.
 */
export function refuseVendor(
  c: HttpContext,
  services: VendorRefusalServices,
  { vendor, failure }: { readonly vendor: string; readonly failure: VendorFailure },
): Response {
  noteVendorRefusal(c, services, { vendor, failure })
  if (failure.reason === 'jwks_unavailable') {
    c.header('retry-after', String(failure.retryAfterSeconds))
    return answerProblem(c, 'unavailable', 'the keys of the provider cannot be had at the moment')
  }
  const { reason, detail } = failure
  if (!isVendorCode(reason)) return answerRequestFailure(c, { reason, detail: detail ?? '' })
  return answerProblem(c, reason, detail)
}

export function noteVendorRefusal(
  c: HttpContext,
  { metrics, logBudget, clock }: VendorRefusalServices,
  { vendor, failure }: { readonly vendor: string; readonly failure: VendorFailure },
): void {
  const { reason } = failure
  metrics.clientRefusals.inc({ reason })
  const detail = 'detail' in failure ? failure.detail : undefined
  const fields = { request_id: c.get('requestId'), vendor, reason, detail }
  logBudget.write('warn', 'vendor_refused', `${vendor} ${reason}`, fields, clock())
}
