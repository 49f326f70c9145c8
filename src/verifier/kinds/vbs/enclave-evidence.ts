import { digest, equalBytes } from '../../../base/digest.ts'
import { toUtf8 } from '../../../base/encoding.ts'
import { err, type Result } from '../../../base/result.ts'
import type { ParseFailure } from '../../../evidence/bytes.ts'
import type { RsaPublicKey } from '../../../evidence/event-log/claims.ts'
import {
  type ReportFailure,
  type VerifiedVbsReport,
  verifyVbsReport,
} from '../../../evidence/vbs/report.ts'
import type { EnclaveEvidence } from '../../steps/attestation-evidence.ts'

export const ENCLAVE_REASONS = ['enclave_signer_unknown', 'enclave_data_mismatch'] as const

export type EnclaveFailure = { readonly reason: (typeof ENCLAVE_REASONS)[number] }

/**
 * Verifies the enclave's report: signed by the secure kernel's identity key that the proven boot log
 * measured, which is the only place where that key is ever taken from, and made over the SHA-512 of
 * the request's own text, so that it speaks of this request and no other.
 */
export async function verifyEnclave(
  evidence: EnclaveEvidence,
  idks: RsaPublicKey | undefined,
): Promise<Result<VerifiedVbsReport, EnclaveFailure | ReportFailure | ParseFailure>> {
  if (idks === undefined) return err({ reason: 'enclave_signer_unknown' })
  const report = await verifyVbsReport({ package: evidence.report, key: idks })
  if (!report.ok) return report
  const bound = digest('sha512', toUtf8(evidence.boundText))
  if (!equalBytes(report.value.report.enclaveData, bound)) {
    return err({ reason: 'enclave_data_mismatch' })
  }
  return report
}
