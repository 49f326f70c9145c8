import { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Rules } from '../../access/assess.ts'
import { type EvaluationRequest, parseEvaluation } from '../../access/authzen.ts'
import { answerUnreadable, endsBatch, parseEvaluations } from '../../access/authzen-batch.ts'
import { type Decision, decide, denyWithoutDevice } from '../../access/decide.ts'
import { deviceOfRequest, deviceTokenOf } from '../../access/device-of-request.ts'
import { describeDecisionPoint, EVALUATION_PATH, EVALUATIONS_PATH } from '../../access/metadata.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import type { Services } from '../../services.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { requireClient } from '../middleware/api-client.ts'
import { answerPublic } from '../public-document.ts'
import { type RequestFailure, readJson, STATUS_OF_BODY } from '../read-json.ts'

const MAX_EVALUATION_BYTES = 64 * 1024
const MAX_EVALUATIONS_BYTES = 512 * 1024

/** OpenID AuthZEN Authorization API 1.0: we are the PDP. */
export function authzenRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const client = requireClient(services, 'access.evaluate', answerError)

  app.post(EVALUATION_PATH, client, async (c) => {
    const body = await readJson(c, MAX_EVALUATION_BYTES)
    if (!body.ok) return answerUnreadableBody(c, body.failure)
    const request = parseEvaluation(body.value)
    if (!request.ok) return answerError(c, 400, request.failure.message)
    return c.json(await answerOne(services, request.value, c.req.header('accept-language')))
  })

  app.post(EVALUATIONS_PATH, client, async (c) => {
    const body = await readJson(c, MAX_EVALUATIONS_BYTES)
    if (!body.ok) return answerUnreadableBody(c, body.failure)
    const request = parseEvaluations(body.value)
    if (!request.ok) return answerError(c, 400, request.failure.message)
    const language = c.req.header('accept-language')
    if (request.value.kind === 'single') {
      return c.json(await answerOne(services, request.value.request, language))
    }
    return c.json({ evaluations: await answerBatch(services, request.value, language) })
  })

  const metadata = describeDecisionPoint(services.config.publicUrl)
  app.get('/.well-known/authzen-configuration', (c) => answerPublic(c, metadata))
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
}

async function readQuestion(services: Services, request: EvaluationRequest): Promise<Question> {
  const token = deviceTokenOf(request.subject)
  const verified = typeof token === 'string' ? await services.verifyDeviceToken(token) : undefined
  const tokenDeviceId =
    token === undefined ? undefined : verified?.ok ? verified.value.deviceId : null
  return { request, device: deviceOfRequest({ subject: request.subject, tokenDeviceId }) }
}

async function answerOne(
  services: Services,
  request: EvaluationRequest,
  language: string | undefined,
): Promise<Decision> {
  const question = await readQuestion(services, request)
  // Without a device the hashes alone are read: what is in force names the answer all the same.
  const found = await services.store.trustRecord(question.device.ok ? question.device.value : '')
  const rules = await services.rules.ofHashes(found)
  return answerQuestion(services, question, { rules, record: found.record, language })
}

function answerQuestion(
  services: Services,
  { request, device }: Question,
  known: { rules: Rules; record: TrustRecord | null; language: string | undefined },
): Decision {
  const { rules, record, language } = known
  const decision = device.ok
    ? decide({ ...rules, record, request, now: services.clock(), language })
    : denyWithoutDevice({ ...rules, reason: device.failure.reason, request, language })
  services.metrics.decisions.labels(String(decision.decision), decision.context.verdict).inc()
  return decision
}

/** All devices of a batch are read in one statement, then answered in order. */
async function answerBatch(
  services: Services,
  batch: Extract<ReturnType<typeof parseEvaluations>, { ok: true }>['value'] & { kind: 'batch' },
  language: string | undefined,
): Promise<readonly unknown[]> {
  const questions = await Promise.all(
    batch.items.map((item) => (item.ok ? readQuestion(services, item.value) : item.failure)),
  )
  const ids = questions.flatMap((question) =>
    'device' in question && question.device.ok ? [question.device.value] : [],
  )
  const found = await services.store.trustRecords([...new Set(ids)])
  const rules = await services.rules.ofHashes(found)
  const answers: unknown[] = []
  for (const question of questions) {
    const answer =
      'device' in question
        ? answerQuestion(services, question, {
            rules,
            record: question.device.ok ? (found.records.get(question.device.value) ?? null) : null,
            language,
          })
        : answerUnreadable(question)
    answers.push(answer)
    if (endsBatch(batch.semantic, answer.decision)) break
  }
  return answers
}
