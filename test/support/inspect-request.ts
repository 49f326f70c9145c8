import type { TpmEvidence } from '../../src/verifier/kinds/tpm/tpm-evidence.ts'
import type { EnclaveEvidence } from '../../src/verifier/kinds/vbs/vbs.ts'
import type { AttestRequest } from '../../src/verifier/protocol/attest-request.ts'

/** A request with what the readers of the two kinds made of its evidence. */
export function inspectRequest(request: AttestRequest) {
  const contentOf = (kind: string) => request.evidence.find((one) => one.kind === kind)?.content
  return {
    ...request,
    ...(contentOf('tpm') as TpmEvidence),
    enclave: contentOf('vbs') as EnclaveEvidence | undefined,
  }
}
