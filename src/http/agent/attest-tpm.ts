import { Hono } from 'hono'
import { deviceIdOf } from '../../access/device-id.ts'
import type { Services } from '../../compose/services.ts'
import { newAttestationId } from '../../operations/attest/record-attestation.ts'
import { MAX_ENVELOPE_BYTES } from '../../verifier/limits.ts'
import { toWireError } from '../../verifier/protocol/errors.ts'
import { describeIssuer, listCertificates } from '../../verifier/protocol/metadata.ts'
import { readRelayableMessage } from '../../verifier/protocol/relayable-message.ts'
import { type AttestRefusal, handleAttestMessage } from '../../verifier/verifier.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerAzureError } from '../errors/azure-error.ts'
import { answerPublic } from '../public-document.ts'
import { readJsonText } from '../read-json.ts'
import { relayMessage } from './attest-relay.ts'
import { createPlaces } from './places.ts'

/**
 * Azure Attestation's TPM protocol, passed on to Azure or answered by the built-in verifier, as the
 * configuration says; and the documents of the built-in verifier.
 */
export function attestTpmRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const { config, verifier } = services
  const verifications = createPlaces(config.maxConcurrentVerifications)
  const relayed = createPlaces(config.azure.maxConcurrentRelays)

  app.post('/attest/Tpm', async (c) => {
    const body = await readJsonText(c, MAX_ENVELOPE_BYTES)
    if (!body.ok) {
      return answerAzureError(c, body.failure.reason, body.failure.detail)
    }
    const answerHere = () =>
      verifications.take(
        () => answerMessage(c, services, body.value),
        () => answerBusy(c),
      )
    if (services.relays.size === 0) return answerHere()
    const apiVersion = c.req.query('api-version')
    const message = readRelayableMessage({ body: body.value, apiVersion })
    if (!message.ok) {
      const { status, body: error } = toWireError(message.failure)
      return c.json(error, status)
    }
    const input = { message: message.value, answerHere }
    return relayed.take(
      () => relayMessage(c, services, input),
      () => answerBusy(c),
    )
  })

  const certificates = listCertificates(verifier.published)
  const issuer = describeIssuer(verifier.config.issuer)
  app.get('/certs', (c) => answerPublic(c, certificates))
  app.get('/.well-known/openid-configuration', (c) => answerPublic(c, issuer))
  return app
}

/** Verification is the dearest thing that an unknown caller can ask for: past so many, come later. */
function answerBusy(c: HttpContext): Response {
  c.header('retry-after', '1')
  return answerAzureError(c, 'verifier_busy', 'Too many requests are being verified.')
}

async function answerMessage(
  c: HttpContext,
  services: Services,
  message: string,
): Promise<Response> {
  const answer = await handleAttestMessage({
    message,
    apiVersion: c.req.query('api-version'),
    keys: services.verifier.keys,
    config: services.verifier.config,
    trustInForce: services.verifier.trustInForce,
    spendContext: services.verifier.spendContext,
    now: services.clock(),
    random: services.random,
  })
  if (answer.ok) {
    if (answer.value.kind === 'report' && answer.value.path !== undefined) {
      await services.issuerDirectory.keep(answer.value.path)
    }
    return c.json({ data: answer.value.data })
  }
  await keepRefusal(c, services, answer.failure)
  if ('retryAfterSeconds' in answer.failure) {
    c.header('retry-after', String(answer.failure.retryAfterSeconds))
  }
  const { status, body: error } = toWireError(answer.failure)
  return c.json(error, status)
}

/** Evidence that was refused after its attestation key had answered our challenge is attributable. */
async function keepRefusal(
  c: HttpContext,
  services: Services,
  refusal: AttestRefusal,
): Promise<void> {
  const { reason, provenAik, trace, digests } = refusal
  const deviceId = provenAik && deviceIdOf(provenAik.deviceKey)
  services.metrics.refusals.labels('evidence', reason).inc()
  const now = services.clock()
  const fields = { request_id: c.get('requestId'), device_id: deviceId, reason }
  services.logBudget.write('info', 'evidence_refused', reason, fields, now)
  // That an authority cannot be had says nothing about the device.
  if (reason === 'certificate_issuer_unavailable') return
  if (deviceId === undefined || services.refusalLimiter.charge(deviceId, now) > 0) return
  const answer = await services.store.recordRefusal({
    deviceId,
    isVouched: provenAik?.isVouched === true,
    attestationId: newAttestationId(services),
    at: now,
    stage: 'evidence',
    reasons: [{ code: reason, ...('pcrs' in refusal && { pcrs: refusal.pcrs }) }],
    claims: null,
    digests,
    trace: trace.map(({ step, outcome, detail }) => ({ step, outcome, detail })),
    issuer: services.verifier.config.issuer,
    attestationPolicyHash: null,
    referenceValuesHash: null,
  })
  if (answer === 'unknown') services.metrics.refusalsNotKept.labels('evidence').inc()
}
