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
import { verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import {
  FINDING_EXITS,
  FINDING_JSON,
  type Finding,
  report,
  verdictOf,
} from '../framework/finding.ts'
import { option, required, text } from '../framework/options.ts'
import { readJsonFile, readJudgedText } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import type { InspectionFailure } from './failure.ts'
import { readTime } from './read-time.ts'

/** An inspection asks what the issuer said, not whether it was said lately. */
const ANY_AGE_SECONDS = 400 * 86_400

type Inspected = Result<VerifiedAttestationToken, AttestationTokenFailure | InspectionFailure>

export const inspectToken = verb({
  summary: 'an attestation token, of Azure Attestation or of the built-in verifier',
  about: 'It is checked against the key set of its issuer as it was valid at the given time.',
  arguments: { file: required(text('FILE', 'the token; - is standard input')) },
  options: {
    jwks: required(text('FILE', 'the key set of the issuer')),
    issuer: required(text('URL', 'who must have issued it')),
    at: option(
      'TIME',
      'when it must be valid, such as 2022-11-17T20:30:00Z; otherwise now',
      readTime,
    ),
    nonce: option('BASE64URL', 'the nonce that it must carry', readNonce),
    policyHash: text('HASH', 'the policy under which it must be issued'),
  },
  json: FINDING_JSON,
  exits: FINDING_EXITS,
  async run({ file, jwks, issuer, at = new Date(), nonce, policyHash, json }) {
    const jwt = readJudgedText(file)
    const keys = await importKeySet(readJsonFile(jwks))
    if (!keys.ok) throw new UsageError(`${jwks} is no usable key set: ${keys.failure.reason}`)
    const attestationPolicyHashes =
      policyHash === undefined ? ('unpinned' as const) : [asAttestationPolicyHash(policyHash)]
    const options = {
      issuers: [{ issuer, keys: keys.value, attestationPolicyHashes }],
      now: at,
      maxAgeSeconds: ANY_AGE_SECONDS,
      clockSkewSeconds: 0,
    }
    const token = decodeAttestationToken(jwt)
    const verified = token.ok ? await verifyAttestationToken(token.value, options) : token
    const outcome = checkNonce(verified, nonce)
    const finding = describe(token.ok ? token.value : undefined, outcome, policyHash)
    return report(finding, { json, text: explain(finding) })
  },
})

function readNonce(text: string, label: string): Uint8Array {
  const nonce = fromBase64Url(text)
  if (nonce === undefined) throw new UsageError(`${label} must be base64url`)
  return nonce
}

function checkNonce(verified: Inspected, expected: Uint8Array | undefined): Inspected {
  if (expected === undefined || !verified.ok) return verified
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
