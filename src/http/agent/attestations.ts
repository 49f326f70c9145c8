import { Hono } from 'hono'
import { explainToDevice } from '../../access/explain.ts'
import { readLanguages } from '../../access/language.ts'
import { describeReason } from '../../access/reason-text.ts'
import type { KeySetsFailure } from '../../azure/key-sets.ts'
import type { LogFields } from '../../base/log.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Services } from '../../compose/services.ts'
import type { AttestationTokenFailure } from '../../evidence/token/attestation-token.ts'
import {
  newAttestationId,
  type Recorded,
  type RecordingFailure,
  recordAttestation,
} from '../../operations/attest/record-attestation.ts'
import {
  type ProvenDevice,
  type Submission,
  type SubmissionFailure,
  verifySubmission,
} from '../../operations/attest/submission.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem } from '../errors/problem.ts'
import { type RequestFailure, readJson } from '../read-json.ts'
import { createPlaces } from './places.ts'

const MAX_SUBMISSION_BYTES = 128 * 1024
const PATH = '/v1/attestations'

/** Devices come back after this share of the validity, spread so that they do not come together. */
const INTERVAL_SHARE = 0.5
const JITTER_SHARE = 0.2

/** `POST /v1/attestations`: an attestation token and a proof of its key become a trust record. */
export function attestationRoutes(services: Services): Hono<HttpEnv> {
  const places = createPlaces(services.config.maxConcurrentSubmissions)
  return new Hono<HttpEnv>().post(PATH, async (c) => {
    const submission = await readSubmission(c, services)
    if (!submission.ok) {
      return answerProblem(c, submission.failure.reason, submission.failure.detail)
    }
    return places.take(
      () => answerSubmission(c, services, submission.value),
      () => {
        c.header('retry-after', '1')
        return answerProblem(c, 'submissions_busy')
      },
    )
  })
}

async function answerSubmission(
  c: HttpContext,
  services: Services,
  submission: Submission,
): Promise<Response> {
  const now = services.clock()
  const verified = await verifySubmission(services, submission, now)
  if (!verified.ok) {
    const { failure, device } = verified.refused
    return refuse(c, services, { failure, device, now })
  }
  const device = verified.value
  const { id } = device.nonce
  // The limit is the device's own: whoever has read its traffic must not use it up.
  if (services.spentNonces.has(id)) {
    return refuse(c, services, { failure: { reason: 'nonce_spent' }, device, now })
  }
  const wait = services.limiter.charge(device.deviceId, now)
  if (wait > 0) {
    services.metrics.refusals.labels('submission', 'device_rate_limited').inc()
    c.header('retry-after', String(wait))
    return answerProblem(c, 'device_rate_limited')
  }
  const recorded = await recordAttestation(services, device, now)
  if (recorded.ok || recorded.failure.reason === 'nonce_spent') services.spentNonces.add(id)
  if (!recorded.ok) return refuse(c, services, { failure: recorded.failure, device, now })
  return answerRecorded(c, services, { device, recorded: recorded.value })
}

async function readSubmission(
  c: HttpContext,
  services: Services,
): Promise<Result<Submission, RequestFailure>> {
  const body = await readJson(c, MAX_SUBMISSION_BYTES)
  if (!body.ok) return body
  const token = isObject(body.value) ? body.value.token : undefined
  if (typeof token !== 'string') {
    return err({ reason: 'request_malformed', detail: 'token must be a string' })
  }
  const { publicUrl, agentOrigins } = services.config
  const base = agentOrigins.find((known) => c.req.url.startsWith(known + PATH)) ?? publicUrl
  return ok({ token, proof: c.req.header('dpop'), url: base + PATH })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** A refusal that a proven key earned is kept, because it is what an administrator asks about. */
async function refuse(
  c: HttpContext,
  services: Services,
  refusal: {
    readonly failure: SubmissionFailure | RecordingFailure
    readonly device: ProvenDevice | undefined
    readonly now: Date
  },
): Promise<Response> {
  const { failure, device, now } = refusal
  const { reason } = failure
  if (reason === 'key_set_unavailable') return answerUnavailable(c, services, failure, now)
  if (reason === 'policy_not_pinned') warnOfPolicy(c, services, failure, now)
  services.metrics.refusals.labels('submission', reason).inc()
  const fields = { request_id: c.get('requestId'), device_id: device?.deviceId, reason }
  services.logBudget.write('info', 'attestation_refused', reason, fields, now)
  if ('retryAfterSeconds' in failure) c.header('retry-after', String(failure.retryAfterSeconds))
  if (reason === 'enrolment_full') warnOfBudget(services, fields, now)
  // What was overtaken is in the history already, as accepted.
  if (reason === 'attestation_overtaken') return answerProblem(c, reason)
  if (device !== undefined && services.refusalLimiter.charge(device.deviceId, now) === 0) {
    const answer = await services.store.recordRefusal({
      deviceId: device.deviceId,
      isVouched: device.isVouched,
      attestationId: newAttestationId(services),
      at: now,
      stage: 'submission',
      reasons: [{ code: reason }],
      claims: null,
      digests: device.digests,
      trace: [{ step: 'submission', outcome: 'failed', detail: reason }],
      issuer: device.token.issuer,
      attestationPolicyHash: device.token.attestationPolicyHash,
      referenceValuesHash: null,
    })
    if (answer === 'unknown') services.metrics.refusalsNotKept.labels('submission').inc()
  }
  return answerProblem(c, reason)
}

/** An outage of the verifier: nothing is said about the device, and nothing is kept. */
function answerUnavailable(
  c: HttpContext,
  services: Services,
  { reason, retryAfterSeconds }: KeySetsFailure,
  now: Date,
): Response {
  services.metrics.faults.labels('agent').inc()
  const fields = { request_id: c.get('requestId') }
  services.logBudget.write('warn', reason, '', fields, now)
  c.header('retry-after', String(retryAfterSeconds))
  return answerProblem(c, reason)
}

function warnOfBudget(services: Services, fields: LogFields, now: Date): void {
  const told = {
    ...fields,
    most: services.config.unvouchedDevicesMost,
    remedy: 'set trust anchors, or raise UNVOUCHED_DEVICES_MOST',
  }
  services.logBudget.write('warn', 'enrolment_full', '', told, now)
}

/** The token is the provider's own: its policy was changed, and no device gets in until it is pinned. */
function warnOfPolicy(
  c: HttpContext,
  services: Services,
  { detail }: AttestationTokenFailure,
  now: Date,
): void {
  const fields = {
    request_id: c.get('requestId'),
    policy_hash: detail,
    remedy:
      'countersign azure policy diff, and if the policy is as it should be: countersign azure policy pin',
  }
  services.logBudget.write('warn', 'policy_not_pinned', '', fields, now)
}

async function answerRecorded(
  c: HttpContext,
  services: Services,
  { device, recorded }: { readonly device: ProvenDevice; readonly recorded: Recorded },
): Promise<Response> {
  const { deviceId, attestation, verdict, rules, generation } = recorded
  const { attestationId, attestedAt, validUntil } = attestation
  services.metrics.attestations.labels(verdict.verdict).inc()
  if (services.sharedKeys.note(device.confirmationKey, deviceId)) services.metrics.sharedKeys.inc()
  services.log.info('attestation_recorded', {
    request_id: c.get('requestId'),
    device_id: deviceId,
    attestation_id: attestationId,
    verdict: verdict.verdict,
  })
  const language = c.req.header('accept-language')
  const languages = readLanguages(language)
  const told = explainToDevice({ verdict, policy: rules.policy, language })
  const token = await services.issueDeviceToken({
    deviceId,
    confirmationKey: device.confirmationKey,
    generation,
    issuedAt: attestedAt,
    expiresAt: validUntil,
    jti: attestationId,
  })
  const answer = {
    attestation_id: attestationId,
    device_id: deviceId,
    verdict: verdict.verdict,
    code: told.code,
    restart: told.restart,
    reasons: verdict.reasons.map((reason) => {
      const { code, clause, title, repair } = describeReason(reason, rules.policy, languages)
      return { code: clause ?? code, title, repair }
    }),
    device_token: token,
    token_type: 'DPoP',
    expires_at: validUntil.toISOString(),
    valid_until: validUntil.toISOString(),
    next_attestation_at: nextAttestation(services, attestedAt).toISOString(),
  }
  return c.json(answer, 201)
}

function nextAttestation(services: Services, attestedAt: Date): Date {
  const validity = services.config.attestationValiditySeconds * 1000
  const chance = new DataView(services.random(4).buffer).getUint32(0) / 2 ** 32
  const wait = validity * INTERVAL_SHARE * (1 - JITTER_SHARE * chance)
  return new Date(attestedAt.getTime() + wait)
}
