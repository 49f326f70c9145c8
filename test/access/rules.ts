import type { Documents } from '../../src/access/assess.ts'
import type { TrustRecord } from '../../src/access/trust-record.ts'
import type { AttestationClaims } from '../../src/appraisal/claims.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import { BUILT_IN_POLICY_HASH } from '../../src/verifier/built-in-policy.ts'
import {
  ATTESTED_AT,
  DEVICE,
  HEALTHY,
  referenceValues,
  VALID_UNTIL,
} from '../policy/healthy-device.ts'
import { expectOk } from '../support/refusal.ts'

export const BASELINE: Documents = {
  policy: expectOk(compilePolicy(BASELINE_POLICY)),
  referenceValues: referenceValues(),
}

export function recordOf(
  claims: AttestationClaims = HEALTHY,
  changes: Partial<TrustRecord> = {},
): TrustRecord {
  return {
    ...DEVICE,
    keyKind: 'aik',
    enrolment: 'admitted',
    quarantine: null,
    attestation: {
      attestationId: 'att_a',
      attestedAt: ATTESTED_AT,
      validUntil: VALID_UNTIL,
      issuer: 'https://verifier.example',
      attestationPolicyHash: BUILT_IN_POLICY_HASH,
      confirmationKey: 'thumbprint',
      claims,
    },
    firstFailedAt: {},
    graces: {},
    generation: 1,
    vouched: true,
    ...changes,
  }
}

export const QUARANTINE = { at: ATTESTED_AT, by: 'admin', reason: 'stolen' }
