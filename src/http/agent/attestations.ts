import { Hono } from 'hono'
import { describeResult, type EarClaims } from '../../access/ear/ear.ts'
import { explainToDevice } from '../../access/explain.ts'
import { readLanguages } from '../../access/language.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  type AcceptedSubmission,
  type ReceivingDependencies,
  receiveSubmission,
} from '../../operations/attest/receive-submission.ts'
import type { Submission } from '../../operations/attest/verify-submission.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, answerRequestFailure, tellPlace } from '../errors/problem.ts'
import { type KnownOrigins, urlOf } from '../middleware/request-url.ts'
import { type RequestFailure, readJson } from '../read-json.ts'
import { answerResult, wantsResult } from '../relying-party/attestation-result.ts'
import { createPlaces } from './places.ts'

export type SubmissionServices = ReceivingDependencies & {
  readonly config: KnownOrigins['config'] & { readonly maxConcurrentSubmissions: number }
  readonly signAttestationResult: (claims: EarClaims) => Promise<string>
}

const MAX_SUBMISSION_BYTES = 128 * 1024
const PATH = '/v1/attestations'

/** `POST /v1/attestations`: an attestation token and a proof of its key become a trust record. */
export function attestationRoutes(services: SubmissionServices): Hono<HttpEnv> {
  const places = createPlaces(services.config.maxConcurrentSubmissions)
  return new Hono<HttpEnv>().post(PATH, async (c) => {
    const submission = await readSubmission(c, services)
    if (!submission.ok) {
      const { failure } = submission
      const [requestId, now] = [c.get('requestId'), services.clock()]
      const refusal = { stage: 'submission', failure, deviceId: undefined, requestId, now }
      services.recentRefusals.note(refusal)
      return answerRequestFailure(c, failure)
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

async function readSubmission(
  c: HttpContext,
  services: SubmissionServices,
): Promise<Result<Submission, RequestFailure>> {
  const body = await readJson(c, MAX_SUBMISSION_BYTES)
  if (!body.ok) return body
  const { token }: { readonly token?: unknown } = Object(body.value)
  if (typeof token !== 'string') {
    const expected = 'the attestation token of POST /attest/Tpm, a JSON string'
    const detail = 'token must be a string'
    return err({ reason: 'request_malformed', member: 'token', detail, expected })
  }
  return ok({ token, proof: c.req.header('dpop'), url: urlOf(c, services) })
}

async function answerSubmission(
  c: HttpContext,
  services: SubmissionServices,
  submission: Submission,
): Promise<Response> {
  const received = await receiveSubmission(services, submission, c.get('requestId'))
  if (received.ok) {
    const isResult = wantsResult(c.req.header('accept'))
    return isResult
      ? answerAsResult(c, services, received.value)
      : answerAccepted(c, received.value)
  }
  const { failure } = received
  if ('retryAfterSeconds' in failure) c.header('retry-after', String(failure.retryAfterSeconds))
  return answerProblem(c, failure.reason, describe(failure.reason, submission), tellPlace(failure))
}

/** What a device that carries its result to relying parties asks for (RFC 9334 §5.1, passport). */
async function answerAsResult(
  c: HttpContext,
  { config, clock, signAttestationResult }: SubmissionServices,
  accepted: AcceptedSubmission,
): Promise<Response> {
  const { deviceId, attestation, rules } = accepted
  const { verdict } = accepted.verdict
  if (verdict === 'stale') return answerProblem(c, 'attestation_result_absent')
  const about = { issuer: config.publicUrl, deviceId, attestation, rules, verdict, now: clock() }
  return answerResult(c, await signAttestationResult(describeResult(about)), 201)
}

/** What an agent cannot know by itself: mostly that it, or a proxy, knows us by another name. */
function describe(reason: string, { url }: Submission): string | undefined {
  if (reason !== 'proof_url_mismatch') return undefined
  return `htu must be ${url}: the URL that the service is known by (PUBLIC_URL) and the path`
}

function answerAccepted(c: HttpContext, accepted: AcceptedSubmission): Response {
  const { deviceId, attestation, verdict, rules, deviceToken, nextAttestationAt } = accepted
  const languages = readLanguages(c.req.header('accept-language'))
  const { code, restart, reasons, coming } = explainToDevice(accepted, rules.policy, languages)
  const validUntil = attestation.validUntil.toISOString()
  const answer = {
    attestation_id: attestation.attestationId,
    device_id: deviceId,
    verdict: verdict.verdict,
    code,
    restart,
    reasons: reasons.map(({ code, clause, title, repair }) => {
      return { code: clause ?? code, title, repair }
    }),
    coming: coming.map(({ clause, from, title, repair }) => {
      return { code: clause, title, repair, denied_from: from.toISOString() }
    }),
    device_token: deviceToken,
    token_type: 'DPoP',
    expires_at: validUntil,
    valid_until: validUntil,
    next_attestation_at: nextAttestationAt.toISOString(),
  }
  return c.json(answer, 201)
}
