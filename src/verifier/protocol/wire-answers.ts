import type { ParseFailure } from '../../evidence/bytes.ts'

/** An error in the form of Azure Attestation's REST interface. */
export type WireError = {
  readonly status: 400 | 429 | 503
  readonly body: { readonly error: { readonly code: WireCode; readonly message: string } }
}

/** Codes of Azure Attestation that apply to its TPM protocol. */
export type WireCode =
  | 'InvalidParameter'
  | 'PolicyEvaluationError'
  | 'TooManyRequests'
  | 'ServiceUnavailable'

/** All that an agent is told. The whole reason is in the verifier's trace. */
export const ANSWERS = {
  apiVersion: invalid('The api-version query parameter is missing or not supported.'),
  tooLarge: invalid('The request is too large.'),
  malformed: invalid('The request is malformed.'),
  challenge: invalid('The service context is not valid or has expired. Ask for a new challenge.'),
  spent: invalid('The service context has been used. Ask for a new challenge.'),
  limited: {
    status: 429,
    body: { error: { code: 'TooManyRequests', message: 'The device attests too often.' } },
  },
  signature: invalid('The signature of the request is not valid.'),
  key: invalid('A key in the request is not acceptable.'),
  keyBinding: invalid('A key in the request is not bound to the TPM.'),
  legacy: invalid('A basic request of version 1 does not bind its key. Send attReqV2, or vbs.'),
  quote: invalid('The TPM quote is not valid.'),
  log: invalid('The boot log does not agree with the TPM quote.'),
  enclave: invalid('The enclave report is not valid.'),
  certificate: policy('The attestation key is not certified by a trusted authority.'),
  unavailable: {
    status: 503,
    body: {
      error: {
        code: 'ServiceUnavailable',
        message:
          'The authority of the attestation key cannot be had at the moment. Try again later.',
      },
    },
  },
} as const

/** The name of an answer. */
export type WireAnswer = keyof typeof ANSWERS

/** For the faults of any binary structure. */
export const PARSE_ANSWERS: Readonly<Record<ParseFailure['reason'], WireAnswer>> = {
  truncated: 'malformed',
  trailing_bytes: 'malformed',
  length_over_limit: 'tooLarge',
  unexpected_value: 'malformed',
}

function invalid(message: string): WireError {
  return { status: 400, body: { error: { code: 'InvalidParameter', message } } }
}

function policy(message: string): WireError {
  return { status: 400, body: { error: { code: 'PolicyEvaluationError', message } } }
}
