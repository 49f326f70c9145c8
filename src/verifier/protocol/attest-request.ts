import type { JsonFailure } from '../../base/json/tree.ts'
import type { Result } from '../../base/result.ts'
import {
  MAX_CHALLENGE_BYTES,
  MAX_CUSTOM_CLAIMS,
  MAX_ENCLAVE_REPORT_BYTES,
  MAX_RP_DATA_BYTES,
  MAX_RP_ID_CHARS,
  MAX_SERVICE_CONTEXT_CHARS,
} from '../limits.ts'
import type { AttestationEvidence, EnclaveEvidence } from '../steps/attestation-evidence.ts'
import { readDataV1 } from './attest-request-v1.ts'
import { readDataV2 } from './attest-request-v2.ts'
import {
  type Accept,
  type MessageFailure,
  type MessageReader,
  readMessage,
} from './message-reader.ts'
import type { RequestData, RequestDataFailure, RequestType } from './request-data.ts'
import type { RequestJws } from './request-jws.ts'

const MAX_TYPE_CHARS = 16

/**
 * Reads the payload of a request of either version and type (Azure Attestation's TPM protocol) into
 * one shape. Nothing is verified, not even the signature: the key to check it with is in here.
 *
 * `custom_claims` are the agent's own assertions. Their shape is checked and they go no further: a
 * claim of an agent's making has no place beside claims that were measured.
 */
export function readAttestRequest(
  request: RequestJws,
): Result<AttestationEvidence, RequestDataFailure | MessageFailure | JsonFailure> {
  return readMessage<AttestationEvidence, RequestDataFailure>(
    'request',
    request.payload,
    (message, accept) => {
      const { signed, enclave } = readAttData(message, request)
      const type = enclave === undefined ? 'basic' : 'vbs'
      for (const claim of signed.optionalObjects('custom_claims', MAX_CUSTOM_CLAIMS)) {
        claim.string('name', MAX_RP_ID_CHARS)
      }
      signed.optionalString('rp_id', MAX_RP_ID_CHARS)
      const readData: ReadData = request.version === 1 ? readDataV1 : readDataV2
      return {
        version: request.version,
        serviceContext: signed.string('service_context', MAX_SERVICE_CONTEXT_CHARS),
        challenge: signed.bytes('challenge', MAX_CHALLENGE_BYTES),
        rpData: signed.optionalBytes('rp_data', MAX_RP_DATA_BYTES),
        enclave,
        ...readData(signed, type, accept),
      }
    },
  )
}

type ReadData = (
  signed: MessageReader,
  type: RequestType,
  accept: Accept<RequestDataFailure>,
) => RequestData

/** The members that the request is about; with an enclave they are what its report is bound to. */
function readAttData(
  message: MessageReader,
  request: RequestJws,
): { signed: MessageReader; enclave: EnclaveEvidence | undefined } {
  const type = message.string('att_type', MAX_TYPE_CHARS)
  const data = message.object('att_data')
  if (type === 'basic') return { signed: data, enclave: undefined }
  if (type !== 'vbs') message.fail('message_member_invalid', 'att_type')
  const signed = data.object('report_signed')
  const report =
    request.version === 1
      ? data.bytes('vsm_report', MAX_ENCLAVE_REPORT_BYTES)
      : data.object('vsm_report').object('enclave').bytes('report', MAX_ENCLAVE_REPORT_BYTES)
  return { signed, enclave: { report, boundText: signed.text } }
}
