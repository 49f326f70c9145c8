import { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import {
  type AuthzenFailure,
  type EvaluationRequest,
  parseEvaluation,
} from '../../access/authzen.ts'
import {
  answerUnreadable,
  type EvaluationsRequest,
  endsBatch,
  parseEvaluations,
} from '../../access/authzen-batch.ts'
import { type Decision, decide, denyWithoutDevice } from '../../access/decide.ts'
import { deviceOfRequest, deviceTokenOf } from '../../access/device-of-request.ts'
import type { VerifiedDeviceToken } from '../../access/device-token.ts'
import { describeDecisionPoint, EVALUATION_PATH, EVALUATIONS_PATH } from '../../access/metadata.ts'
import { readReceiptOrder } from '../../access/receipt/order.ts'
import { type DecisionToDescribe, describeDecision } from '../../access/receipt/receipt.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { describeFault } from '../../base/log.ts'
import { ok, type Result } from '../../base/result.ts'
import type { Services } from '../../compose/services.ts'
import { reportShadowDecisions } from '../../operations/jobs/round.ts'
import type { RulesInForce } from '../../operations/release/rules-in-force.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { requireClient } from '../middleware/api-client.ts'
import { type BreakGlassServices, breakGlass } from '../middleware/break-glass.ts'
import { answerPublic } from '../public-document.ts'
import { type RequestFailure, readJson, STATUS_OF_BODY } from '../read-json.ts'

const MAX_EVALUATION_BYTES = 64 * 1024
const MAX_EVALUATIONS_BYTES = 512 * 1024

/** What the routes of relying parties work with. */
export type AccessServices = Services

/** OpenID AuthZEN Authorization API 1.0: we are the PDP. */
export function authzenRoutes(services: AccessServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const client = requireClient(services, 'access.evaluate', answerError)

  app.route('/', breakGlassRoutes(services))

  app.post(EVALUATION_PATH, client, async (c) => {
    const body = await readJson(c, MAX_EVALUATION_BYTES)
    if (!body.ok) return answerUnreadableBody(c, body.failure)
    const request = parseEvaluation(body.value)
    if (!request.ok) return answerError(c, 400, request.failure.message)
    return answerOne(c, services, request.value)
  })

  app.post(EVALUATIONS_PATH, client, async (c) => {
    const body = await readJson(c, MAX_EVALUATIONS_BYTES)
    if (!body.ok) return answerUnreadableBody(c, body.failure)
    const request = parseEvaluations(body.value)
    if (!request.ok) return answerError(c, 400, request.failure.message)
    if (request.value.kind === 'single') return answerOne(c, services, request.value.request)
    const language = c.req.header('accept-language')
    return c.json({ evaluations: await answerBatch(services, request.value, language) })
  })

  const metadata = describeDecisionPoint(services.config.publicUrl)
  app.get('/.well-known/authzen-configuration', (c) => answerPublic(c, metadata))
  return app
}

/** What break-glass needs no service for; whatever comes without a token goes on. */
export function breakGlassRoutes(services: BreakGlassServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const refuse = answerError
  const one = { kind: 'evaluation', maxBytes: MAX_EVALUATION_BYTES, refuse } as const
  const many = { kind: 'evaluations', maxBytes: MAX_EVALUATIONS_BYTES, refuse } as const
  app.post(EVALUATION_PATH, breakGlass(services, one))
  app.post(EVALUATIONS_PATH, breakGlass(services, many))
  return app
}

/** AuthZEN §10.1.2: the body of an error is a message; it is still JSON. */
export function answerError(
  c: HttpContext,
  status: ContentfulStatusCode,
  message: string,
): Response {
  return c.json(message, status)
}

function answerUnreadableBody(c: HttpContext, failure: RequestFailure): Response {
  return answerError(c, STATUS_OF_BODY[failure.reason], failure.detail)
}

type Question = {
  readonly request: EvaluationRequest
  readonly device: ReturnType<typeof deviceOfRequest>
  /** Verified, and not yet held against the record. */
  readonly token: VerifiedDeviceToken | undefined
  /** Of the request, where a receipt was asked for. */
  readonly requestDigest: string | undefined
}

async function readQuestion(
  services: Services,
  request: EvaluationRequest,
): Promise<Result<Question, AuthzenFailure>> {
  const order = readReceiptOrder(request)
  if (!order.ok) return order
  const given = deviceTokenOf(request.subject)
  const verified = typeof given === 'string' ? await services.verifyDeviceToken(given) : undefined
  const token = verified?.ok ? verified.value : undefined
  const tokenDeviceId = given === undefined ? undefined : (token?.deviceId ?? null)
  const device = deviceOfRequest({ subject: request.subject, tokenDeviceId })
  return ok({ request, device, token, requestDigest: order.value })
}

async function answerOne(
  c: HttpContext,
  services: Services,
  request: EvaluationRequest,
): Promise<Response> {
  const question = await readQuestion(services, request)
  if (!question.ok) return answerError(c, 400, question.failure.message)
  const { device } = question.value
  // Without a device the hashes alone are read: what is in force names the answer all the same.
  const found = await services.store.trustRecord(device.ok ? device.value : '')
  const rulesInForce = await services.rules.at(found)
  const language = c.req.header('accept-language')
  const known = { rulesInForce, record: found.record, language }
  const answer = await answerQuestion(services, question.value, known)
  await reportIfDue(services)
  return c.json(answer)
}

type Known = {
  readonly rulesInForce: RulesInForce
  readonly record: TrustRecord | null
  readonly language: string | undefined
}

function answerQuestion(
  services: Services,
  question: Question,
  { rulesInForce, record, language }: Known,
): Decision | Promise<Decision> {
  const { request, device, token, requestDigest } = question
  const now = services.clock()
  const { rules, reliefs, trials } = rulesInForce.rulesFor(record, now)
  const decision = device.ok
    ? decide({ ...rules, record, request, token, reliefs, now, language })
    : denyWithoutDevice({ ...rules, reason: device.failure.reason, request, language })
  const { verdict, relief = [] } = decision.context
  services.metrics.decisions.labels(String(decision.decision), verdict).inc()
  for (const { kind } of relief) services.metrics.relieved.labels(kind).inc()
  if (record !== null && trials.length > 0) {
    services.shadow.observe({
      rulesInForce,
      trials,
      rules,
      record,
      request,
      token,
      reliefs,
      now,
      decision,
    })
  }
  if (requestDigest === undefined) return decision
  const decided = { ...rules, record, request, reliefs, requestDigest, now, decision }
  return addReceipt(services, { ...decided, trials })
}

async function addReceipt(services: Services, decided: DecisionToDescribe): Promise<Decision> {
  const receipt = await services.issueReceipt(describeDecision(decided))
  const { decision, context } = decided.decision
  const withReceipt: Decision['context'] & { readonly receipt: string } = { ...context, receipt }
  return { decision, context: withReceipt }
}

/** All devices of a batch are read in one statement, then answered in order. */
async function answerBatch(
  services: Services,
  batch: Extract<EvaluationsRequest, { kind: 'batch' }>,
  language: string | undefined,
): Promise<readonly unknown[]> {
  const questions = await Promise.all(
    batch.items.map((item) => (item.ok ? readQuestion(services, item.value) : item)),
  )
  const ids = questions.flatMap((question) =>
    question.ok && question.value.device.ok ? [question.value.device.value] : [],
  )
  const found = await services.store.trustRecords([...new Set(ids)])
  const rulesInForce = await services.rules.at(found)
  const answers: unknown[] = []
  for (const question of questions) {
    const answer = question.ok
      ? await answerQuestion(services, question.value, {
          rulesInForce,
          record: recordIn(found.records, question.value),
          language,
        })
      : answerUnreadable(question.failure)
    answers.push(answer)
    if (endsBatch(batch.semantic, answer.decision)) break
  }
  await reportIfDue(services)
  return answers
}

/** While a rollout is open, one answer in a while carries what was seen of it to the database. */
async function reportIfDue(services: Services): Promise<void> {
  if (!services.shadow.isDue(services.clock())) return
  try {
    await reportShadowDecisions(services)
  } catch (error) {
    // Nothing about the answer hangs on it, and it is told again.
    services.log.error('report_failed', describeFault(error))
  }
}

function recordIn(
  records: ReadonlyMap<string, TrustRecord>,
  { device }: Question,
): TrustRecord | null {
  return device.ok ? (records.get(device.value) ?? null) : null
}
