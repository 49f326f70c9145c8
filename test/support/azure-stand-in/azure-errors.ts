import type { Answer } from './https-server.ts'

/** What Azure says of its insides in every error, and nobody should pass on. */
const INSIDES =
  'Attestation Enclave operation failed with 65518: Exception(0) 83FFFFEE    Msg:[Policy Engine Exception] \n\r\nUnhandled Enclave Exception: "RETURN_IF_ERROR(pEnclave->Attest)"\r\n'

/** An error body as recorded. */
export function azureError(status: number, code: string, message = INSIDES): Answer {
  const error = { code, message, innererror: { code, message } }
  return { status, body: { error } }
}
