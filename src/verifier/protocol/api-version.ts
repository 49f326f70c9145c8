import { err, ok, type Result } from '../../base/result.ts'

/** The `api-version` values of Azure Attestation that have the TPM protocol in this form. */
export const API_VERSIONS = ['2020-10-01', '2022-08-01', '2025-06-01'] as const

export const API_VERSION_REASONS = ['api_version_missing', 'api_version_unsupported'] as const

export type ApiVersion = (typeof API_VERSIONS)[number]

export type ApiVersionFailure = {
  readonly reason: (typeof API_VERSION_REASONS)[number]
  readonly member: 'api-version'
}

const MEMBER = { member: 'api-version' } as const

/** Checks the query parameter of `POST /attest/Tpm`. */
export function readApiVersion(value: string | undefined): Result<ApiVersion, ApiVersionFailure> {
  if (value === undefined || value === '') {
    return err({ reason: 'api_version_missing', ...MEMBER })
  }
  const known = API_VERSIONS.find((version) => version === value)
  return known === undefined ? err({ reason: 'api_version_unsupported', ...MEMBER }) : ok(known)
}
