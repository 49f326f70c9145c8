/** Why a message got no answer from a provider. */
export const RELAY_REASONS = [
  'provider_unreachable',
  'provider_timed_out',
  'provider_throttled',
  'provider_failed',
  'provider_refused',
  'provider_credential_refused',
  'provider_answer_malformed',
  'provider_circuit_open',
] as const

/**
 * Only `provider_refused` says something about the message. All others are faults of the
 * infrastructure, or of its configuration, and never a verdict about a device.
 */
export type RelayFailure = {
  readonly reason: (typeof RELAY_REASONS)[number]
  /** What the provider, or our circuit breaker, asks to wait. */
  readonly retryAfterSeconds?: number
  /** Azure's `error.code`, if it is one that we know. */
  readonly code?: AzureErrorCode
  /** `x-ms-request-id`, for our log and never for the agent. */
  readonly providerRequestId?: string
}

/** Codes of Azure Attestation's errors that may be logged and counted; others are dropped. */
export const AZURE_ERROR_CODES = [
  'InvalidOperation',
  'InvalidParameter',
  'PolicyEvaluationError',
  'PolicyParsingError',
  'Unauthorized',
] as const
export type AzureErrorCode = (typeof AZURE_ERROR_CODES)[number]
