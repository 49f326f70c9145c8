import { BREAK_GLASS_REASONS } from '../access/break-glass/failure.ts'
import { VERDICTS } from '../access/trust-record.ts'
import { CLAIMS_REASONS } from '../appraisal/read-claims.ts'
import { createMetrics, type Metrics } from '../base/metrics.ts'
import { PROOF_REASONS } from '../evidence/jws/confirmation.ts'
import { NONCE_REASONS } from '../evidence/nonce.ts'
import { ATTESTATION_TOKEN_REASONS } from '../evidence/token/attestation-token.ts'
import { CLIENT_REASONS } from '../keys/client-directory.ts'
import { RECEIVING_REASONS } from '../operations/attest/receive-submission.ts'
import { RECORDING_REASONS } from '../operations/attest/record-attestation.ts'
import { SUBMISSION_REASONS } from '../operations/attest/submission-failure.ts'
import { UNVOUCHED_REASONS } from '../operations/attest/unvouched-devices.ts'
import { STORE_FAULTS } from '../store/store-error.ts'
import { AIK_REASONS } from '../verifier/kinds/tpm/attestation-key.ts'
import { ENCLAVE_REASONS } from '../verifier/kinds/vbs/vbs.ts'
import { MESSAGE_REASONS } from '../verifier/protocol/message-reader.ts'
import { CONTEXT_REASONS } from '../verifier/protocol/service-context.ts'

const SUBMISSION = [
  ...[...ATTESTATION_TOKEN_REASONS, ...CLAIMS_REASONS, ...PROOF_REASONS, ...NONCE_REASONS],
  ...[...SUBMISSION_REASONS, ...RECORDING_REASONS, ...UNVOUCHED_REASONS, ...RECEIVING_REASONS],
]
const EVIDENCE = [...MESSAGE_REASONS, ...CONTEXT_REASONS, ...AIK_REASONS, ...ENCLAVE_REASONS]
const CREDENTIALS = ['credentials_missing', 'credentials_malformed', 'scope_missing']
const RELIEFS = ['grace', 'hold', 'outage_grace', 'allowance']
const STEPS = ['enter', 'complete', 'halt']
const SURFACES = ['api', 'agent', 'authzen', 'azure', 'oauth', 'okta', 'page']

/**
 * The metrics of a process, begun once for as long as it runs: what happens while its database is away is in
 * them, too. Counters whose labels are known before anything happens begin at 0: a rate over
 * a series that begins with its first event does not see that event.
 */
export function beginMetrics(): Metrics {
  const metrics = createMetrics()
  for (const verdict of VERDICTS) {
    metrics.attestations.inc({ verdict }, 0)
    for (const decision of ['true', 'false']) metrics.decisions.inc({ decision, verdict }, 0)
  }
  for (const reason of SUBMISSION) metrics.refusals.inc({ stage: 'submission', reason }, 0)
  for (const reason of EVIDENCE) metrics.refusals.inc({ stage: 'evidence', reason }, 0)
  for (const stage of ['submission', 'evidence']) metrics.refusalsNotKept.inc({ stage }, 0)
  for (const reason of [...CLIENT_REASONS, ...CREDENTIALS]) {
    metrics.clientRefusals.inc({ reason }, 0)
  }
  for (const outcome of ['granted', ...BREAK_GLASS_REASONS]) metrics.breakGlass.inc({ outcome }, 0)
  for (const kind of RELIEFS) metrics.relieved.inc({ kind }, 0)
  for (const step of STEPS) metrics.rolloutSteps.inc({ step }, 0)
  for (const surface of SURFACES) metrics.faults.inc({ surface }, 0)
  for (const kind of STORE_FAULTS) metrics.storeFaults.inc({ kind }, 0)
  return metrics
}
