import { API_VERSIONS } from '../../verifier/protocol/api-version.ts'
import { refer } from './components.ts'

const json = (name: string) => ({ 'application/json': { schema: refer(name) } })
const body = (name: string) => ({ required: true, content: json(name) })
const answer = (description: string, name: string) => ({ description, content: json(name) })

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: refer('Problem') } },
})
const azureError = (description: string) => answer(description, 'AzureError')

const retryAfter = {
  'Retry-After': { description: 'Seconds.', schema: { type: 'integer', minimum: 0 } },
}
/** Of a request that says nothing about the device: come back. */
const LATER = {
  '429': { ...problem('The device does this too often.'), headers: retryAfter },
  '503': { ...problem('The service cannot answer now.'), headers: retryAfter },
}
const PROBLEMS = { ...LATER, default: problem('A refusal.') }

/** What agents ask for, by path and method: OpenAPI 3.1 §4.8.9, without what is the same everywhere. */
export const AGENT_PATHS = {
  '/v1/challenge': {
    post: {
      operationId: 'challenge',
      summary: 'A nonce for one attestation of one attestation key.',
      requestBody: body('ChallengeRequest'),
      responses: { '200': answer('The nonce.', 'Challenge'), ...PROBLEMS },
    },
  },
  '/attest/Tpm': {
    post: {
      operationId: 'attestTpm',
      summary: "Azure Attestation's TPM protocol: a challenge, then a token for evidence over it.",
      parameters: [
        {
          name: 'api-version',
          in: 'query',
          required: true,
          schema: { type: 'string', enum: [...API_VERSIONS] },
        },
      ],
      requestBody: body('AgentEnvelope'),
      responses: {
        '200': answer('A challenge or a report, as was asked.', 'AnswerEnvelope'),
        '429': { ...azureError('The device attests too often.'), headers: retryAfter },
        '503': { ...azureError('The service cannot answer now.'), headers: retryAfter },
        default: azureError('A refusal.'),
      },
    },
  },
  '/v1/attestations': {
    post: {
      operationId: 'submitAttestation',
      summary: 'Hands an attestation token in with a proof of its key.',
      parameters: [
        {
          name: 'DPoP',
          in: 'header',
          required: true,
          description: 'RFC 9449: a JWS of ProofHeader and ProofClaims by the key of cnf.',
          schema: { type: 'string', contentMediaType: 'application/jwt' },
        },
        {
          name: 'Accept-Language',
          in: 'header',
          required: false,
          description: 'Of titles and repairs.',
          schema: { type: 'string' },
        },
      ],
      requestBody: body('AttestationSubmission'),
      responses: { '201': answer('Recorded, or recorded before.', 'Attestation'), ...PROBLEMS },
    },
  },
  '/v1/enrolments': {
    post: {
      operationId: 'beginEnrolment',
      summary: 'Begins the enrolment of an attestation key by credential activation.',
      requestBody: body('EnrolmentRequest'),
      responses: { '200': answer('A credential for the TPM to open.', 'Enrolment'), ...PROBLEMS },
    },
  },
  '/v1/enrolments/activate': {
    post: {
      operationId: 'activateEnrolment',
      summary: 'Ends it: the secret of the credential for a certificate of the key.',
      requestBody: body('ActivationRequest'),
      responses: { '201': answer('The certificate.', 'Activation'), ...PROBLEMS },
    },
  },
  '/certs': {
    get: {
      operationId: 'listVerifierCertificates',
      summary: 'What attestation tokens of the built-in verifier are signed with.',
      responses: { '200': answer('The keys.', 'VerifierCertificates'), default: PROBLEMS.default },
    },
  },
  '/.well-known/openid-configuration': {
    get: {
      operationId: 'describeVerifier',
      summary: 'The built-in verifier, in the form of Azure Attestation.',
      responses: { '200': answer('The metadata.', 'VerifierMetadata'), default: PROBLEMS.default },
    },
  },
} as const
