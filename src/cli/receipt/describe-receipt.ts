import type { ReceiptClaims } from '../../access/receipt/claims.ts'
import { fields } from '../framework/fields.ts'
import { printable } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'

/** What a receipt says, for people. */
export function describeReceipt(claims: ReceiptClaims): string {
  const { clauses } = claims
  const head = fields({
    receipt: claims.jti,
    issuer: claims.iss,
    'decided at': claims.decided_at,
    decision: claims.decision ? 'granted' : 'denied',
    verdict: claims.verdict,
    reasons: claims.reasons.length > 0 ? claims.reasons : undefined,
    mode: claims.mode,
    device: claims.device_id,
    ring: claims.ring,
    attestation: claims.attestation_id,
    'attested at': claims.attested_at,
    'valid until': claims.valid_until,
    verifier: claims.verifier,
    policy: claims.policy_hash,
    'reference values': claims.reference_values_hash,
  })
  if (clauses.length === 0) return head
  const rows = clauses.map(({ id, status, cause = '' }) => [id, status, cause].map(printable))
  return `${head}\n${renderTable(['clause', 'status', 'cause'], rows)}\n`
}
