import { Hono } from 'hono'
import { z } from 'zod'
import { fromBase64Url, toBase64Url } from '../../base/encoding.ts'
import type { Log } from '../../base/log.ts'
import type { LogBudget } from '../../base/log-budget.ts'
import type { Metrics } from '../../base/metrics.ts'
import { activateEnrolment } from '../../operations/attest/activate-enrolment.ts'
import { beginEnrolment } from '../../operations/attest/begin-enrolment.ts'
import type { EnrolmentServices } from '../../operations/attest/enrolment-services.ts'
import type { RecentRefusals } from '../../operations/attest/recent-refusals.ts'
import { noteRefusal } from '../../operations/attest/refusals.ts'
import { MAX_TICKET_CHARS } from '../../verifier/enrolment/limits.ts'
import { BASE64URL } from '../../verifier/protocol/message-schemas.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, answerRequestFailure, tellPlace } from '../errors/problem.ts'
import { type RequestFailure, readForm } from '../read-json.ts'
import { type EnrolmentFailure, toEnrolmentProblem } from './enrolment-problem.ts'
import { createPlaces } from './places.ts'

export type EnrolmentRouteServices = {
  readonly enrolment: EnrolmentServices
  readonly config: { readonly maxConcurrentVerifications: number }
  readonly metrics: Pick<Metrics, 'refusals'>
  readonly log: Log
  readonly logBudget: LogBudget
  readonly recentRefusals: Pick<RecentRefusals, 'note'>
  readonly clock: () => Date
}

/** An EK certificate, six others, and two public areas, in base64url. */
const MAX_ENROLMENT_BYTES = 64 * 1024
const MAX_ACTIVATION_BYTES = 8 * 1024
const MAX_CERTIFICATE_CHARS = 12_000
const MAX_PUBLIC_CHARS = 1_024
const MAX_CHAIN = 6
const MAX_SECRET_CHARS = 128

const IN_BASE64URL = 'in base64url without padding'
const PUBLIC_AREA = `TPMT_PUBLIC or TPM2B_PUBLIC ${IN_BASE64URL}`

/** What each member of the bodies has to be, for whoever sends something else. */
const MEMBER_FORMS: ReadonlyMap<string, string> = new Map([
  ['ek_certificate', `the certificate of the endorsement key, DER ${IN_BASE64URL}`],
  [
    'chain',
    `an array of at most ${MAX_CHAIN} certificates of authorities, each DER ${IN_BASE64URL}`,
  ],
  ['ek_public', `${PUBLIC_AREA}, of the endorsement key`],
  ['ak_public', `${PUBLIC_AREA}, of the attestation key`],
  ['ticket', 'the ticket of the answer to POST /v1/enrolments, as it came'],
  ['secret', `what TPM2_ActivateCredential gave, ${IN_BASE64URL}`],
])

/** The body of `POST /v1/enrolments`. */
export const enrolmentBody = z.object({
  ek_certificate: bytes(MAX_CERTIFICATE_CHARS),
  chain: z.array(bytes(MAX_CERTIFICATE_CHARS)).max(MAX_CHAIN).default([]),
  ek_public: bytes(MAX_PUBLIC_CHARS).optional(),
  ak_public: bytes(MAX_PUBLIC_CHARS),
})

/** The body of `POST /v1/enrolments/activate`. */
export const activationBody = z.object({
  ticket: z.string().min(1).max(MAX_TICKET_CHARS),
  secret: bytes(MAX_SECRET_CHARS),
})

/**
 * Enrolment by credential activation: a TPM proves that it holds an endorsement key that its maker
 * certified and an attestation key, and gets a certificate for the latter from us.
 */
export function enrolmentRoutes(services: EnrolmentRouteServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const places = createPlaces(services.config.maxConcurrentVerifications)

  app.post('/v1/enrolments', async (c) => {
    const body = await readForm(c, enrolmentBody, MAX_ENROLMENT_BYTES)
    if (!body.ok) return refuseForm(c, services, body.failure)
    // The one thing here that costs an unknown caller less than us: past so many, come later.
    return places.take(
      () => begin(c, services, body.value),
      () => answerBusy(c),
    )
  })

  app.post('/v1/enrolments/activate', async (c) => {
    const body = await readForm(c, activationBody, MAX_ACTIVATION_BYTES)
    if (!body.ok) return refuseForm(c, services, body.failure)
    const enrolled = await activateEnrolment(services.enrolment, body.value)
    if (!enrolled.ok) return refuse(c, services, enrolled.failure)
    const { deviceId, deviceKey, certificate, expiresAt } = enrolled.value
    services.log.info('key_enrolled', { request_id: c.get('requestId'), device_id: deviceId })
    const answer = {
      device_id: deviceId,
      device_key: deviceKey,
      aik_cert: toBase64Url(certificate),
      expires_at: expiresAt.toISOString(),
    }
    return c.json(answer, 201)
  })
  return app
}

async function begin(
  c: HttpContext,
  services: EnrolmentRouteServices,
  body: z.infer<typeof enrolmentBody>,
): Promise<Response> {
  const begun = await beginEnrolment(services.enrolment, {
    ekCertificate: body.ek_certificate,
    chain: body.chain,
    ekPublic: body.ek_public,
    akPublic: body.ak_public,
  })
  if (!begun.ok) return refuse(c, services, begun.failure)
  const { credentialBlob, encryptedSecret, ticket, expiresAt, deviceKey } = begun.value
  return c.json({
    credential_blob: toBase64Url(credentialBlob),
    encrypted_secret: toBase64Url(encryptedSecret),
    ticket,
    expires_at: expiresAt.toISOString(),
    device_key: deviceKey,
  })
}

function answerBusy(c: HttpContext): Response {
  c.header('retry-after', '1')
  return answerProblem(c, 'enrolment_busy')
}

function refuse(
  c: HttpContext,
  services: EnrolmentRouteServices,
  failure: EnrolmentFailure,
): Response {
  const [requestId, now] = [c.get('requestId'), services.clock()]
  noteRefusal(services, { stage: 'enrolment', failure, deviceId: undefined, requestId, now })
  const { code, detail, retryAfterSeconds } = toEnrolmentProblem(failure)
  if (retryAfterSeconds !== undefined) c.header('retry-after', String(retryAfterSeconds))
  return answerProblem(c, code, detail, tellPlace(failure))
}

/** A body that is none of ours by its form: an administrator finds it by its id all the same. */
function refuseForm(
  c: HttpContext,
  { recentRefusals, clock }: Pick<EnrolmentRouteServices, 'recentRefusals' | 'clock'>,
  refused: RequestFailure,
): Response {
  const [member = ''] = refused.member?.split('.') ?? []
  const expected = MEMBER_FORMS.get(member)
  const failure = { ...refused, ...(expected !== undefined && { expected }) }
  const [requestId, now] = [c.get('requestId'), clock()]
  recentRefusals.note({ stage: 'enrolment', failure, deviceId: undefined, requestId, now })
  return answerRequestFailure(c, failure)
}

/** base64url without padding, as bytes are written in attestation messages. */
function bytes(maxChars: number) {
  return z
    .string()
    .min(1)
    .max(maxChars)
    .meta({ pattern: BASE64URL.source, contentEncoding: 'base64url' })
    .transform((text, issues) => {
      const decoded = fromBase64Url(text)
      if (decoded !== undefined) return new Uint8Array(decoded)
      issues.addIssue('must be base64url without padding')
      return z.NEVER
    })
}
