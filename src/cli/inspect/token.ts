import { equalBytes } from '../../base/digest.ts'
import { fromBase64Url, toBase64Url } from '../../base/encoding.ts'
import { err, type Result } from '../../base/result.ts'
import { importKeySet } from '../../evidence/jws/key-set.ts'
import {
  type AttestationTokenFailure,
  asAttestationPolicyHash,
  type VerifiedAttestationToken,
  verifyAttestationToken,
} from '../../evidence/token/attestation-token.ts'
import {
  type AttestationTokenKind,
  canServeDevice,
  type DecodedAttestationToken,
  decodeAttestationToken,
} from '../../evidence/token/attestation-token-kind.ts'
import { readArguments, UsageError } from '../framework/arguments.ts'
import { fields } from '../framework/fields.ts'
import { readJudgedText } from '../framework/read-text.ts'
import type { InspectionFailure } from './failure.ts'
import { readJsonFile } from './files.ts'
import { type Finding, report, verdictOf } from './finding.ts'

export const TOKEN_OPTIONS = {
  jwks: { type: 'string' },
  issuer: { type: 'string' },
  at: { type: 'string' },
  nonce: { type: 'string' },
  'policy-hash': { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

/** An inspection asks what the issuer said, not whether it was said lately. */
const ANY_AGE_SECONDS = 400 * 86_400

type Inspected = Result<VerifiedAttestationToken, AttestationTokenFailure | InspectionFailure>

export async function inspectToken(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, TOKEN_OPTIONS, 1)
  const jwt = readJudgedText(positionals[0], 'the token file')
  const keys = await importKeySet(readJsonFile(values.jwks, '--jwks'))
  if (!keys.ok) throw new UsageError(`${values.jwks} is no usable key set: ${keys.failure.reason}`)
  const attestationPolicyHash = values['policy-hash']
  const issuer = values.issuer ?? ''
  if (issuer === '') throw new UsageError('--issuer is missing')
  const attestationPolicyHashes =
    attestationPolicyHash === undefined
      ? ('unpinned' as const)
      : [asAttestationPolicyHash(attestationPolicyHash)]
  const options = {
    issuers: [{ issuer, keys: keys.value, attestationPolicyHashes }],
    now: readTime(values.at),
    maxAgeSeconds: ANY_AGE_SECONDS,
    clockSkewSeconds: 0,
  }
  const token = decodeAttestationToken(jwt)
  const verified = token.ok ? await verifyAttestationToken(token.value, options) : token
  const outcome = checkNonce(verified, values.nonce)
  const finding = describe(token.ok ? token.value : undefined, outcome, attestationPolicyHash)
  return report(finding, { json: values.json, text: explain(finding) })
}

function readTime(text: string | undefined): Date {
  const time = text === undefined ? new Date() : new Date(text)
  if (Number.isNaN(time.getTime())) {
    throw new UsageError('--at must be a time such as 2022-11-17T20:30:00Z')
  }
  return time
}

function checkNonce(verified: Inspected, nonce: string | undefined): Inspected {
  if (nonce === undefined || !verified.ok) return verified
  const expected = fromBase64Url(nonce)
  if (expected === undefined) throw new UsageError('--nonce must be base64url')
  const actual = verified.value.nonce
  return actual !== undefined && equalBytes(actual, expected)
    ? verified
    : err({ reason: 'token_nonce_differs' })
}

function describe(
  token: DecodedAttestationToken | undefined,
  outcome: Inspected,
  attestationPolicyHash: string | undefined,
): Finding {
  const { kind, payload, header } = token ?? {}
  return {
    ...verdictOf(outcome),
    kind,
    kind_serves_device: kind !== undefined && canServeDevice(kind),
    kind_serves_device_because: kind === undefined ? 'it is not a token' : SERVES[kind],
    issuer: payload?.iss,
    key_id: header?.kid,
    policy_hash: payload?.['x-ms-policy-hash'],
    issued_at: timeOf(payload?.iat),
    expires_at: timeOf(payload?.exp),
    nonce: outcome.ok && outcome.value.nonce ? toBase64Url(outcome.value.nonce) : undefined,
    confirmation_key: outcome.ok ? outcome.value.confirmation?.thumbprint : undefined,
    claims: payload,
    remarks: remarksOn(outcome, attestationPolicyHash),
  }
}

const SERVES: Readonly<Record<AttestationTokenKind, string>> = {
  tpm: 'it attests the TPM, and possibly a VBS enclave, of the machine that the agent runs on',
  sgx: 'it attests an SGX enclave, not the boot of a Windows device',
  sevsnpvm: 'it attests a confidential virtual machine, not a Windows device with an agent',
  tdxvm: 'it attests a confidential virtual machine, not a Windows device with an agent',
  azurevm: 'it attests a virtual machine of Azure, not a Windows device with an agent',
  policy_answer: 'it answers a request about a policy and attests nothing',
  unknown: 'its kind is not known',
}

function remarksOn(outcome: Inspected, attestationPolicyHash: string | undefined): string[] {
  const remarks: string[] = []
  if (outcome.ok && attestationPolicyHash === undefined) {
    remarks.push(
      `the policy is not pinned: the service accepts only hashes on its list (--policy-hash ${outcome.value.attestationPolicyHash})`,
    )
  }
  if (outcome.ok && outcome.value.nonce === undefined) {
    remarks.push('it carries no nonce, so it could have been made for anybody at any time')
  }
  if (outcome.ok && outcome.value.confirmation === undefined) {
    remarks.push('it confirms no key (cnf), so whoever holds it could present it')
  }
  return remarks
}

function timeOf(seconds: unknown): string | undefined {
  const inRange = typeof seconds === 'number' && Math.abs(seconds) < 8.64e12
  return inRange ? new Date(seconds * 1000).toISOString() : undefined
}

function explain(finding: Finding): string {
  const { kind, kind_serves_device, kind_serves_device_because, claims } = finding
  if (kind === undefined) return ''
  const { issuer, key_id, policy_hash, issued_at, expires_at, nonce, confirmation_key } = finding
  const answer = kind_serves_device ? 'can' : 'cannot'
  const head = fields({
    kind: `${kind}: ${answer} serve for a device, as ${kind_serves_device_because}`,
    issuer,
    'key id': key_id,
    'policy hash': policy_hash,
    'issued at': issued_at,
    'expires at': expires_at,
    nonce,
    'confirmation key': confirmation_key,
  })
  const listed = typeof claims === 'object' && claims !== null ? { ...claims } : {}
  return `${head}\nClaims\n${fields(listed)}`
}
