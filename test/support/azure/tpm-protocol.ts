import { randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'
import { ok } from '../../../src/base/result.ts'
import { BUILT_IN_KINDS } from '../../../src/verifier/kinds/built-in.ts'
import { readAttestMessage } from '../../../src/verifier/protocol/attest-message.ts'
import { toWireError } from '../../../src/verifier/protocol/errors.ts'
import { encodeReport } from '../../../src/verifier/protocol/protocol.ts'
import type { SpendContext } from '../../../src/verifier/protocol/service-context.ts'
import type { VerifiedEvidence } from '../../../src/verifier/steps/verify-evidence.ts'
import {
  handleAttestMessage,
  type VerifierFailure,
  verifyRequest,
} from '../../../src/verifier/verifier.ts'
import { refuse } from './azure-errors.ts'
import type { ProviderKey } from './certificates.ts'
import type { Answer, ReceivedRequest } from './https-server.ts'
import type { PolicyInForce } from './policies.ts'

const CHALLENGE_LIFETIME_MS = 300_000
/** Four days, as in both public samples of TPM tokens. */
const TOKEN_LIFETIME_SECONDS = 345_600
const BACKDATED_SECONDS = 300
const ANYBODY = { anchors: [], intermediates: [] }

export type TpmProtocol = (received: ReceivedRequest) => Promise<Answer>

/**
 * Azure's TPM protocol. Evidence is verified by the project's own verifier, under keys of its own;
 * the policy and the token are Azure's. Like Azure's it asks for the policy only once the evidence
 * is there: a challenge is given without one.
 */
export async function createTpmProtocol(input: {
  readonly url: () => string
  /** Signs. */
  readonly key: () => Promise<ProviderKey>
  readonly policy: () => PolicyInForce | undefined
  readonly attestationPolicyHash: () => string
  readonly clock: () => Date
}): Promise<TpmProtocol> {
  const { url, clock } = input
  const serviceContext = [randomBytes(32)] as const
  // Only of the verifier's own tokens, of which none is ever made.
  const tokenSigning = { kid: '', x5c: [], privateKey: (await input.key()).privateKey }
  const keys = { serviceContext, tokenSigning }
  const config = {
    issuer: '',
    trust: ANYBODY,
    // Azure documents version 1 `basic`, and its sample of such a token has a `cnf`.
    legacyUnboundRequestKey: 'accept' as const,
    challengeLifetimeMs: CHALLENGE_LIFETIME_MS,
    tokenLifetimeMs: TOKEN_LIFETIME_SECONDS * 1000,
  }

  const answerInit = async (message: string, apiVersion: string | undefined): Promise<Answer> => {
    const random = (length: number) => randomBytes(length)
    const now = clock()
    const input = { message, apiVersion, keys, config, spendContext, now, random }
    const answer = await handleAttestMessage(input)
    return answer.ok
      ? { status: 200, body: { data: answer.value.data } }
      : refuseEvidence(answer.failure)
  }

  return async ({ body, path }) => {
    const apiVersion = new URL(path, url()).searchParams.get('api-version') ?? undefined
    const message = readAttestMessage({ body, apiVersion })
    // What cannot be read is refused in there.
    if (!message.ok || message.value.kind === 'init') return await answerInit(body, apiVersion)
    const verified = await verifyRequest(message.value.read, {
      keys: serviceContext,
      config,
      spendContext,
      now: clock(),
    })
    if (!verified.ok) return refuseEvidence(verified.failure)
    const policy = input.policy()
    if (policy?.permits !== true) {
      return refuse(
        'PolicyEvaluationError',
        'Policy Engine Exception: No Permit claim was issued in the authorizationrules section, authorization failed.',
      )
    }
    const token = await writeToken({
      evidence: verified.value.evidence,
      policy,
      attestationPolicyHash: input.attestationPolicyHash(),
      issuer: url(),
      key: await input.key(),
      now: clock(),
    })
    return { status: 200, body: { data: encodeReport(token) } }
  }
}

/** Nothing documented says that Azure takes a service context once only. */
const spendContext: SpendContext = async () => ok(true)

function refuseEvidence(failure: VerifierFailure): Answer {
  const { code } = toWireError(failure, 'req').body.error
  if (code === 'TooManyRequests' || code === 'ServiceUnavailable') {
    throw new TypeError('nothing is limited here, and nothing is fetched')
  }
  return refuse(code, failure.reason)
}

/** A token in the shape of Azure's public samples. */
function writeToken(input: {
  readonly evidence: VerifiedEvidence
  readonly policy: PolicyInForce
  readonly attestationPolicyHash: string
  readonly issuer: string
  readonly key: ProviderKey
  readonly now: Date
}): Promise<string> {
  const { evidence, policy, key } = input
  const { requestKey, otherKeys } = evidence.attester.keys
  const rpData = evidence.rpData && Buffer.from(evidence.rpData).toString('base64url')
  const iat = Math.floor(input.now.getTime() / 1000)
  return new SignJWT({
    nbf: iat - BACKDATED_SECONDS,
    exp: iat + TOKEN_LIFETIME_SECONDS,
    iat,
    iss: input.issuer,
    jti: randomBytes(20).toString('hex'),
    ver: '1.0',
    'x-ms-ver': '1.0',
    ...(rpData === undefined ? {} : { rp_data: rpData, nonce: rpData }),
    cnf: { jwk: evidence.requestKey.key.jwk },
    'x-ms-policy-hash': input.attestationPolicyHash,
    ...(policy.signer === undefined ? {} : { 'x-ms-policy-signer': policy.signer }),
    ...(requestKey === undefined ? {} : { 'x-ms-tpm-request-key': requestKey }),
    ...(otherKeys.length === 0 ? {} : { 'x-ms-tpm-other-keys': otherKeys }),
    ...listClaims(evidence, policy.issued),
  })
    .setProtectedHeader({ typ: 'JWT', alg: 'RS256', x5c: [...key.x5c], kid: key.kid })
    .sign(key.privateKey)
}

/** Of what the evidence says, that which the policy puts into tokens under its own name. */
function listClaims(evidence: VerifiedEvidence, issued: ReadonlySet<string>) {
  const { claims } = evidence
  const known = BUILT_IN_KINDS.flatMap((kind) => kind.claims.azure).sort()
  const named = known.filter((name) => issued.has(name) && claims[name] !== undefined)
  return Object.fromEntries(named.map((name) => [name, claims[name]]))
}
