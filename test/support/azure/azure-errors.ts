import type { Answer } from './https-server.ts'

/** Errors of Azure's enclave, with the numbers that its messages start with. */
const ENCLAVE_ERRORS = {
  PolicyEvaluationError: [65518, '83FFFFEE', 'Policy Evaluation Error has occurred'],
  PolicyParsingError: [65526, '83FFFFF6', 'Invalid policy was specified'],
  InvalidParameter: [65529, '83FFFFF9', 'The requested item is not found'],
  InvalidOperation: [65530, '83FFFFFA', 'The operation is disallowed.'],
} as const

/** A refusal by Azure's enclave: 400, with a trace of its insides in the message, said twice. */
export function refuse(code: keyof typeof ENCLAVE_ERRORS, detail: string): Answer {
  const [number, hex, text] = ENCLAVE_ERRORS[code]
  const message =
    `Attestation Enclave operation failed with ${number}: Exception(0) ${hex} ${text}` +
    `    Msg:[${detail}] \n\r\nUnhandled Enclave Exception: "${text}"\r\n`
  return azureError(400, code, message)
}

export function azureError(status: number, code: string, message: string): Answer {
  return { status, body: { error: { code, message, innererror: { code, message } } } }
}
