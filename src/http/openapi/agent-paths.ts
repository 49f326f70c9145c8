import { EAR_TYPE } from '../../access/ear/ear.ts'
import { API_VERSIONS } from '../../verifier/protocol/api-version.ts'
import { ENROLMENT_ANSWERS } from '../agent/enrolment-problem.ts'
import { AGENT_PROBLEMS } from '../errors/agent-problems.ts'
import type { AgentProblemCode } from '../errors/problem-code.ts'
import { refer } from './components.ts'
import { header, json, jsonBody, type Paths } from './operation.ts'
import { azureErrors, problems } from './refusals.ts'

const CODES = Object.keys(AGENT_PROBLEMS).filter(isCode)
const TOLD: readonly AgentProblemCode[] = Object.values(ENROLMENT_ANSWERS).map(({ told }) => told)
const OF_ENROLMENT: readonly AgentProblemCode[] = [
  ...TOLD,
  ...(['ek_certificate_malformed', 'issuer_unavailable', 'enrolment_busy'] as const),
]
const ONLY_OF_ENROLMENT = /^(?:ak|ek|ticket)_|^secret_wrong$|^issuer_unavailable$|^enrolment_busy$/
const OF_SUBMISSION = CODES.filter((code) => !ONLY_OF_ENROLMENT.test(code))

function isCode(code: string): code is AgentProblemCode {
  return Object.hasOwn(AGENT_PROBLEMS, code)
}

const shared = { tag: 'agents' } as const

/** What agents ask for, by path and method. */
export const AGENT_PATHS: Paths = {
  '/v1/challenge': {
    post: {
      id: 'challenge',
      ...shared,
      summary: 'A nonce for one attestation of one attestation key.',
      body: jsonBody('ChallengeRequest'),
      answers: { '200': json('The nonce.', 'Challenge') },
      refusals: problems({ body: true }),
    },
  },
  '/attest/Tpm': {
    post: {
      id: 'attestTpm',
      ...shared,
      summary: "Azure Attestation's TPM protocol: a challenge, then a token for evidence over it.",
      parameters: [
        {
          name: 'api-version',
          in: 'query',
          required: true,
          schema: { type: 'string', enum: [...API_VERSIONS] },
        },
      ],
      body: jsonBody('AgentEnvelope'),
      answers: { '200': json('A challenge or a report, as was asked.', 'AnswerEnvelope') },
      refusals: azureErrors(),
    },
  },
  '/v1/attestations': {
    post: {
      id: 'submitAttestation',
      ...{ ...shared, security: ['proof'] },
      summary: 'Hands an attestation token in with a proof of its key.',
      parameters: [
        {
          name: 'DPoP',
          in: 'header',
          required: true,
          description: 'RFC 9449: a JWS of ProofHeader and ProofClaims by the key of cnf.',
          schema: { type: 'string', contentMediaType: 'application/jwt' },
        },
        header('Accept-Language', 'Of titles and repairs.'),
      ],
      body: jsonBody('AttestationSubmission'),
      answers: {
        '201': {
          description: 'Recorded, or recorded before. As an EAR where Accept asks for one.',
          content: {
            'application/json': { schema: refer('Attestation') },
            [`application/${EAR_TYPE}`]: { schema: { type: 'string' } },
          },
        },
      },
      refusals: problems({ body: true }, [...OF_SUBMISSION, 'attestation_result_absent']),
    },
  },
  '/v1/enrolments': {
    post: {
      id: 'beginEnrolment',
      ...shared,
      summary: 'Begins the enrolment of an attestation key by credential activation.',
      body: jsonBody('EnrolmentRequest'),
      answers: { '200': json('A credential for the TPM to open.', 'Enrolment') },
      refusals: problems({ body: true }, OF_ENROLMENT),
    },
  },
  '/v1/enrolments/activate': {
    post: {
      id: 'activateEnrolment',
      ...shared,
      summary: 'Ends it: the secret of the credential for a certificate of the key.',
      body: jsonBody('ActivationRequest'),
      answers: { '201': json('The certificate.', 'Activation') },
      refusals: problems({ body: true }, OF_ENROLMENT),
    },
  },
  '/certs': {
    get: {
      id: 'listVerifierCertificates',
      ...shared,
      summary: 'What attestation tokens of the built-in verifier are signed with.',
      answers: { '200': json('The keys.', 'VerifierCertificates') },
      refusals: problems({}),
    },
  },
  '/.well-known/openid-configuration': {
    get: {
      id: 'describeVerifier',
      ...shared,
      summary: 'The built-in verifier, in the form of Azure Attestation.',
      answers: { '200': json('The metadata.', 'VerifierMetadata') },
      refusals: problems({}),
    },
  },
}
