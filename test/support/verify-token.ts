import type { Result } from '../../src/base/result.ts'
import {
  type AttestationTokenFailure,
  type VerifiedAttestationToken,
  type VerifyTokenOptions,
  verifyAttestationToken,
} from '../../src/evidence/token/attestation-token.ts'
import { decodeAttestationToken } from '../../src/evidence/token/attestation-token-kind.ts'

/** Takes the text of a token apart and verifies it. */
export async function verifyToken(
  jwt: string,
  options: VerifyTokenOptions,
): Promise<Result<VerifiedAttestationToken, AttestationTokenFailure>> {
  const token = decodeAttestationToken(jwt)
  return token.ok ? verifyAttestationToken(token.value, options) : token
}
