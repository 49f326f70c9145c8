import { z } from 'zod'
import { VERDICTS } from '../../access/trust-record.ts'
import { MAX_ENVELOPE_BYTES } from '../../verifier/limits.ts'
import {
  agentMessage,
  attestationJwk,
  challengeMessage,
  reportMessage,
  requestDataV1,
  requestDataV2,
  requestHeader,
  requestPayloadV1,
  requestPayloadV2,
  rsaJwk,
} from '../../verifier/protocol/message-schemas.ts'
import { activationBody, enrolmentBody } from '../agent/enrolments.ts'
import { refer } from './components.ts'
import {
  attestationTokenClaims,
  attestationTokenHeader,
  deviceTokenClaims,
  proofClaims,
  proofHeader,
} from './token-schemas.ts'

const time = z.iso.datetime()
const bytes = z.string().min(1).meta({ contentEncoding: 'base64url' })
const deviceKey = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/)
  .meta({
    contentEncoding: 'base64',
    description: 'SHA-256 of the attestation key as DER SubjectPublicKeyInfo.',
  })
const deviceId = z.string().regex(/^dev_[a-z2-7]{52}$/)

const challengeRequest = z.object({ device_key: deviceKey })

const challengeAnswer = z.object({
  nonce: bytes.meta({
    description: '37 bytes: the rp_data of the request, and the nonce of the proof.',
  }),
  expires_at: time,
  device_id: deviceId.meta({ description: 'What the device is called by this key alone.' }),
})

/** `data` in an envelope of a message of one of these forms. */
function envelopeOf(data: z.ZodString, ...messages: readonly string[]) {
  const forms = messages.map(refer)
  return z.object({
    data: data.meta({
      contentEncoding: 'base64url',
      contentMediaType: 'application/json',
      contentSchema: forms.length === 1 ? forms[0] : { oneOf: forms },
      description: 'UTF-8 JSON in base64url. The service takes base64 and padding as well.',
    }),
  })
}

const submission = z.object({
  token: z.string().meta({
    contentMediaType: 'application/jwt',
    description: 'The attestation token, as it came in ReportMessage.',
  }),
})

const reason = z.object({
  code: z.string().meta({ description: 'The clause of the policy, or a reason of the service.' }),
  title: z.string(),
  repair: z.string(),
})

const attestation = z.object({
  attestation_id: z.string(),
  device_id: deviceId,
  verdict: z.enum(VERDICTS),
  code: z.enum(['trusted', 'repair', 'attest', 'wait', 'blocked']),
  restart: z.boolean(),
  reasons: z.array(reason),
  coming: z.array(reason.extend({ denied_from: time })),
  device_token: z.string().meta({ contentMediaType: 'application/jwt' }),
  token_type: z.literal('DPoP'),
  expires_at: time.meta({ description: 'As valid_until.' }),
  valid_until: time,
  next_attestation_at: time,
})

const enrolmentAnswer = z.object({
  credential_blob: bytes.meta({ description: 'TPM2B_ID_OBJECT, with its size.' }),
  encrypted_secret: bytes.meta({ description: 'TPM2B_ENCRYPTED_SECRET, with its size.' }),
  ticket: z.string(),
  expires_at: time,
  device_key: deviceKey,
})

const activationAnswer = z.object({
  device_id: deviceId,
  device_key: deviceKey,
  aik_cert: bytes.meta({ description: 'DER: the aik_cert of later messages.' }),
  expires_at: time,
})

const certificates = z.object({
  keys: z.array(
    z.object({ kid: z.string(), kty: z.literal('RSA'), x5c: z.array(z.string()).min(1) }),
  ),
})

const issuer = z.object({
  issuer: z.url(),
  jwks_uri: z.url(),
  response_types_supported: z.array(z.string()),
  id_token_signing_alg_values_supported: z.array(z.string()),
  claims_supported: z.array(z.string()),
})

/** The messages of agents, by the names that they have in the document. */
export const AGENT_SCHEMAS = {
  ChallengeRequest: challengeRequest,
  Challenge: challengeAnswer,
  AgentEnvelope: envelopeOf(z.string().max(MAX_ENVELOPE_BYTES), 'AgentMessage'),
  AgentMessage: agentMessage,
  AnswerEnvelope: envelopeOf(z.string(), 'ChallengeMessage', 'ReportMessage'),
  ChallengeMessage: challengeMessage,
  ReportMessage: reportMessage,
  RequestHeader: requestHeader,
  RequestPayloadV1: requestPayloadV1,
  RequestPayloadV2: requestPayloadV2,
  RequestDataV1: requestDataV1,
  RequestDataV2: requestDataV2,
  RsaPublicJwk: rsaJwk,
  AttestationPublicJwk: attestationJwk,
  AttestationTokenHeader: attestationTokenHeader,
  AttestationTokenClaims: attestationTokenClaims,
  ProofHeader: proofHeader,
  ProofClaims: proofClaims,
  AttestationSubmission: submission,
  Attestation: attestation,
  DeviceTokenClaims: deviceTokenClaims,
  EnrolmentRequest: enrolmentBody,
  Enrolment: enrolmentAnswer,
  ActivationRequest: activationBody,
  Activation: activationAnswer,
  VerifierCertificates: certificates,
  VerifierMetadata: issuer,
} as const satisfies Readonly<Record<string, z.ZodType>>
