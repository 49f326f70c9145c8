import { type AttestationResult, appraise } from '../../src/appraisal/appraise.ts'
import type { AttestationClaims } from '../../src/appraisal/claims.ts'
import { parseReferenceValues, type ReferenceValues } from '../../src/appraisal/reference-values.ts'
import { asAttestationPolicyHash } from '../../src/evidence/token/attestation-token.ts'
import { type CompiledPolicy, compilePolicy } from '../../src/policy/document/compile.ts'
import type { DeviceFacts, PolicyInput, RequestFacts } from '../../src/policy/language/input.ts'
import { expectOk } from '../support/refusal.ts'

export const NOW = new Date('2026-05-04T10:00:00Z')
export const ATTESTED_AT = new Date('2026-05-04T09:00:00Z')
export const VALID_UNTIL = new Date('2026-05-05T09:00:00Z')

export const AUTHOR = Buffer.alloc(32, 0xa1).toString('base64url')
export const OTHER_AUTHOR = Buffer.alloc(32, 0xb2).toString('base64url')
export const FAMILY = Buffer.alloc(16, 0xf1).toString('base64url')
export const IMAGE = Buffer.alloc(16, 0x11).toString('base64url')

/** What a device says of itself that meets the baseline. */
export const HEALTHY: AttestationClaims = {
  aikValidated: true,
  secureBootEnabled: true,
  codeIntegrityEnabled: true,
  vbsEnabled: true,
  hvciEnabled: true,
  iommuEnabled: true,
  bitlockerEnabled: true,
  bootDebuggingDisabled: true,
  osKernelDebuggingDisabled: true,
  testSigningDisabled: true,
  flightSigningNotEnabled: true,
  notSafeMode: true,
  notWinPE: true,
  vbsReportPresent: true,
  enclaveAuthorId: AUTHOR,
  enclaveFamilyId: FAMILY,
  enclaveImageId: IMAGE,
  enclaveSvn: 7,
  enclavePlatformSvn: 2,
  enclaveFlags: 0,
}

export function withoutClaim(name: keyof AttestationClaims): AttestationClaims {
  const { [name]: _dropped, ...claims } = HEALTHY
  return claims
}

export function referenceValues(enclaves: readonly object[] = [agent()]): ReferenceValues {
  return expectOk(parseReferenceValues({ enclaves }))
}

export function agent(changes: object = {}): object {
  return { name: 'agent', author_id: AUTHOR, minimum_svn: 5, ...changes }
}

export function appraised(
  claims: AttestationClaims,
  reference: ReferenceValues = referenceValues(),
): AttestationResult {
  return appraise({ claims, referenceValues: reference, now: NOW })
}

export const DEVICE: DeviceFacts = {
  deviceId: 'dev_a',
  keyKind: 'aik',
  enrolment: 'admitted',
  owner: null,
  entraDeviceId: null,
  labels: ['finance', 'vip'],
  ring: 42,
  createdAt: new Date('2026-01-01T00:00:00Z'),
}

export const REQUEST: RequestFacts = {
  subject: { type: 'user', id: 'alice', properties: { level: 3, groups: ['staff'] } },
  resource: { type: 'application', id: 'payroll', properties: {} },
  action: { name: 'signin', properties: {} },
  context: {},
}

export function inputOf(
  claims: AttestationClaims,
  changes: Partial<PolicyInput> = {},
): PolicyInput {
  const attestation = {
    claims,
    result: appraised(claims),
    issuer: 'https://verifier.example',
    attestationPolicyHash: asAttestationPolicyHash('hash'),
    attestedAt: ATTESTED_AT,
    validUntil: VALID_UNTIL,
  }
  return { device: DEVICE, attestation, request: REQUEST, now: NOW, ...changes }
}

export const TEXTS = { en: { title: 'Title', repair: 'Repair.' } }

/** A policy of one enforced clause for each expression: `clause_0`, `clause_1` and so on. */
export function policyOf(...expressions: readonly string[]): CompiledPolicy {
  return expectOk(compilePolicy(documentOf(...expressions)))
}

export function documentOf(...expressions: readonly string[]) {
  const clauses = expressions.map((require, index) => ({
    id: `clause_${index}`,
    require,
    severity: 'enforce',
    texts: TEXTS,
  }))
  return { name: 'Test', clauses }
}
