import { Hono } from 'hono'
import { deviceIdOf } from '../../access/device-id.ts'
import type { Services } from '../../services.ts'
import { MAX_ENVELOPE_BYTES } from '../../verifier/limits.ts'
import { describeIssuer, listCertificates } from '../../verifier/metadata.ts'
import { type AttestRefusal, handleAttestMessage } from '../../verifier/verifier.ts'
import { toWireError } from '../../verifier/wire.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerPublic } from '../public-document.ts'
import { readJsonText, STATUS_OF_BODY } from '../read-json.ts'
import { newAttestationId } from './record-attestation.ts'

/** Azure Attestation's TPM protocol and the documents beside it, answered by the built-in verifier. */
export function attestTpmRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const { config, verifier } = services
  let underWay = 0

  app.post('/attest/Tpm', async (c) => {
    const body = await readJsonText(c, MAX_ENVELOPE_BYTES)
    if (!body.ok) {
      return c.json(
        azureError('InvalidParameter', body.failure.detail),
        STATUS_OF_BODY[body.failure.reason],
      )
    }
    // Verification is the dearest thing an unknown caller can ask for: past this many, come later.
    // A place is taken once the whole message is there, so that nobody holds one by sending slowly.
    if (underWay >= config.maxConcurrentVerifications) {
      c.header('retry-after', '1')
      return c.json(azureError('ServiceBusy', 'Too many requests are being verified.'), 503)
    }
    underWay += 1
    try {
      return await answerMessage(c, services, body.value)
    } finally {
      underWay -= 1
    }
  })

  const certificates = listCertificates(verifier.published)
  const issuer = describeIssuer(verifier.config.issuer)
  app.get('/certs', (c) => answerPublic(c, certificates))
  app.get('/.well-known/openid-configuration', (c) => answerPublic(c, issuer))
  return app
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
    now: services.clock(),
    random: services.random,
  })
  if (answer.ok) return c.json({ data: answer.value.data })
  await keepRefusal(c, services, answer.failure)
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
  services.log.info('evidence_refused', {
    request_id: c.get('requestId'),
    device_id: deviceId,
    reason,
  })
  const now = services.clock()
  if (deviceId === undefined || services.refusalLimiter.charge(deviceId, now) > 0) return
  await services.store.recordRefusal({
    deviceId,
    attestationId: newAttestationId(services),
    at: now,
    stage: 'evidence',
    reasons: [{ code: reason, ...('pcrs' in refusal && { pcrs: refusal.pcrs }) }],
    claims: null,
    digests,
    trace: trace.map(({ step, outcome, detail }) => ({ step, outcome, detail })),
    issuer: services.verifier.config.issuer,
    policyHash: null,
    referenceValuesHash: null,
  })
}

/** The form of Azure's errors, for what the verifier itself has no answer to. */
export function azureError(code: string, message: string) {
  return { error: { code, message } }
}
