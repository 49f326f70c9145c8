import { Hono } from 'hono'
import { toRelayWireError } from '../../azure/wire.ts'
import { toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { explainInWords } from '../../base/explanation.ts'
import type { Failure } from '../../base/result.ts'
import {
  type AnsweringDependencies,
  answerMessage,
  type UnreadMessage,
} from '../../operations/attest/answer-message.ts'
import { noteRefusal } from '../../operations/attest/refusals.ts'
import { type RelayDependencies, relayMessage } from '../../operations/attest/relay-message.ts'
import { MAX_ENVELOPE_BYTES } from '../../verifier/limits.ts'
import { type AttestMessage, readAttestMessage } from '../../verifier/protocol/attest-message.ts'
import { toWireError } from '../../verifier/protocol/errors.ts'
import {
  describeIssuer,
  listCertificates,
  type PublishedCertificate,
} from '../../verifier/protocol/metadata.ts'
import type { WireError } from '../../verifier/protocol/wire-answers.ts'
import type { VerifierTrace } from '../../verifier/steps/trace.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerAzureError, VERIFIER_BUSY } from '../errors/azure-error.ts'
import { answerPublic } from '../public-document.ts'
import { readJsonText } from '../read-json.ts'
import { createPlaces } from './places.ts'

export type TpmServices = AnsweringDependencies &
  RelayDependencies & {
    readonly config: {
      readonly maxConcurrentVerifications: number
      readonly azure: { readonly maxConcurrentRelays: number }
    }
    readonly verifier: { readonly published: () => Promise<readonly PublishedCertificate[]> }
  }

/**
 * Azure Attestation's TPM protocol, passed on to Azure or answered by the built-in verifier, as the
 * configuration says; and the documents of the built-in verifier.
 */
export function attestTpmRoutes(services: TpmServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const { config, verifier, relays } = services
  const verifications = createPlaces(config.maxConcurrentVerifications)
  const relayed = createPlaces(config.azure.maxConcurrentRelays)
  const answerHere = (c: HttpContext, message: AttestMessage | UnreadMessage) =>
    verifications.take(
      () => verify(c, services, message),
      () => answerBusy(c),
    )

  app.post('/attest/Tpm', async (c) => {
    const body = await readJsonText(c, MAX_ENVELOPE_BYTES)
    if (!body.ok) {
      remember(c, services, body.failure)
      return answerAzureError(c, body.failure.reason, body.failure.detail)
    }
    const unread = { body: body.value, apiVersion: c.req.query('api-version') }
    if (relays.size === 0) return answerHere(c, unread)
    const message = readAttestMessage(unread)
    if (!message.ok) {
      const [requestId, now] = [c.get('requestId'), services.clock()]
      const { failure } = message
      noteRefusal(services, { stage: 'evidence', failure, deviceId: undefined, requestId, now })
      const { status, body: error } = toWireError(failure, requestId)
      return c.json(error, status)
    }
    return relayed.take(
      () => relay(c, services, { message: message.value, answerHere }),
      () => answerBusy(c),
    )
  })

  const issuer = describeIssuer(verifier.config.issuer)
  app.get('/certs', async (c) => answerPublic(c, listCertificates(await verifier.published())))
  app.get('/.well-known/openid-configuration', (c) => answerPublic(c, issuer))
  return app
}

/** Verification is the dearest thing that an unknown caller can ask for: past so many, come later. */
function answerBusy(c: HttpContext): Response {
  c.header('retry-after', '1')
  return answerAzureError(c, 'verifier_busy', explainInWords(VERIFIER_BUSY))
}

/** What no verifier here has refused: an administrator finds it by the id of the request all the same. */
function remember(
  c: HttpContext,
  { recentRefusals, clock }: Pick<TpmServices, 'recentRefusals' | 'clock'>,
  failure: Failure,
): void {
  const [requestId, now] = [c.get('requestId'), clock()]
  recentRefusals.note({ stage: 'evidence', failure, deviceId: undefined, requestId, now })
}

async function verify(
  c: HttpContext,
  services: TpmServices,
  message: AttestMessage | UnreadMessage,
): Promise<Response> {
  const answer = await answerMessage(services, message, c.get('requestId'))
  if (answer.ok) return c.json({ data: answer.value.data })
  const { failure } = answer
  if ('retryAfterSeconds' in failure) c.header('retry-after', String(failure.retryAfterSeconds))
  const { status, body } = toWireError(failure, c.get('requestId'))
  return c.json(failure.told === undefined ? body : withTrace(body, failure.told), status)
}

/** What developers are told besides. */
function withTrace({ error }: WireError['body'], trace: VerifierTrace) {
  return { error: { ...error, innererror: { ...error.innererror, trace } } }
}

async function relay(
  c: HttpContext,
  services: TpmServices,
  input: {
    readonly message: AttestMessage
    readonly answerHere: (c: HttpContext, message: AttestMessage) => Promise<Response>
  },
): Promise<Response> {
  const { message, answerHere } = input
  const relayed = await relayMessage(services, message, c.get('requestId'))
  if (relayed.ok) {
    const { value } = relayed
    return value.by === 'us'
      ? answerHere(c, message)
      : c.json({ data: toBase64Url(toUtf8(value.answer)) })
  }
  remember(c, services, relayed.failure)
  const { status, body } = toRelayWireError(relayed.failure, c.get('requestId'))
  const { retryAfterSeconds } = relayed.failure
  if (status === 503 && retryAfterSeconds !== undefined) {
    c.header('retry-after', String(retryAfterSeconds))
  }
  return c.json(body, status)
}
