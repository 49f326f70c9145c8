import { isJsonObject, type JsonObject } from './compact-jws.ts'
import { type ConfirmationKey, isSameJwk, readProvableJwk } from './confirmation-key.ts'

/**
 * Whether the evidence behind a verified TPM or VBS token bound its `cnf` key to the device, as far as
 * the token tells: by Azure Attestation's protocol (virtualization-based-security-protocol, section
 * Bindings) a key stands in signed evidence in one of three ways.
 *
 * - `enclave_report`: the report is made over the SHA-512 of `report_signed`, which holds the key.
 * - `tpm_quote`, `tpm_certify`: version 2 says of the request key how the TPM vouches for it.
 *
 * A `basic` request of version 1 has none of them, and its tokens carry a `cnf` of Azure all the same:
 * whoever had the evidence could send it under a key of their own. The claims are the policy's, so
 * this holds for policies that are pinned.
 */
export type ConfirmationBinding = 'enclave_report' | 'tpm_quote' | 'tpm_certify'

const KEY_INFO = ['tpm_quote', 'tpm_certify'] as const

/** `undefined`: nothing says that `confirmation`, the key of `cnf` in the payload, is the device's. */
export function bindingOfConfirmation(
  payload: JsonObject,
  confirmation: ConfirmationKey,
): ConfirmationBinding | undefined {
  if (payload.vbsReportPresent === true) return 'enclave_report'
  const requestKey = payload['x-ms-tpm-request-key']
  if (!isJsonObject(requestKey) || !isJsonObject(requestKey.info)) return undefined
  const attested = readProvableJwk(requestKey.jwk)
  if (attested === undefined || !isSameJwk(attested, confirmation.jwk)) return undefined
  const { info } = requestKey
  return KEY_INFO.find((name) => isJsonObject(info[name]))
}
