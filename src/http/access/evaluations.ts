import { Hono } from 'hono'
import { parseEvaluation } from '../../access/evaluation-request.ts'
import { parseEvaluations } from '../../access/evaluations-request.ts'
import { EVALUATION_PATH, EVALUATIONS_PATH } from '../../access/metadata.ts'
import { ok } from '../../base/result.ts'
import type { OpenBreakGlass } from '../../operations/decide/answer-by-break-glass.ts'
import { answerBatch } from '../../operations/decide/batch.ts'
import { type AnswerSource, answerQuestion } from '../../operations/decide/question.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerAuthzenError, answerAuthzenFailure } from '../errors/authzen-error.ts'
import { type ClientServices, requireClient } from '../middleware/api-client.ts'
import { readJson } from '../read-json.ts'
import { type MetadataServices, metadataRoutes } from './metadata.ts'
import { type SearchServices, searchRoutes } from './search.ts'

/** What the routes of relying parties work with. */
export type AccessServices = ClientServices &
  SearchServices &
  MetadataServices & {
    readonly answersByPolicy: AnswerSource
    readonly openBreakGlass: OpenBreakGlass
  }

export const BREAK_GLASS_HEADER = 'break-glass'

/** How the body of one of the two endpoints is read. */
type Endpoint = { readonly maxBytes: number; readonly parse: typeof parseEvaluations }

const EVALUATION: Endpoint = { maxBytes: 64 * 1024, parse: parseSingle }
const EVALUATIONS: Endpoint = { maxBytes: 512 * 1024, parse: parseEvaluations }

/** OpenID AuthZEN Authorization API 1.0: we are the PDP. */
export function evaluationRoutes(services: AccessServices): Hono<HttpEnv> {
  const { answersByPolicy, openBreakGlass } = services
  const app = new Hono<HttpEnv>()
  const client = requireClient(services, 'access.evaluate', answerAuthzenError)

  const answerClient = (c: HttpContext, endpoint: Endpoint) => {
    return answer(c, { source: answersByPolicy, clientId: c.get('client').clientId }, endpoint)
  }

  app.route('/', breakGlassRoutes(openBreakGlass))
  app.post(EVALUATION_PATH, client, (c) => answerClient(c, EVALUATION))
  app.post(EVALUATIONS_PATH, client, (c) => answerClient(c, EVALUATIONS))
  app.route('/', searchRoutes(services))
  app.route('/', metadataRoutes(services))
  return app
}

/**
 * Answers what comes with a `Break-Glass` token from that token alone, whatever else the request
 * proves; what comes without one goes on. It wants no client and no store.
 */
export function breakGlassRoutes(openBreakGlass: OpenBreakGlass): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const endpoints = [
    [EVALUATION_PATH, EVALUATION],
    [EVALUATIONS_PATH, EVALUATIONS],
  ] as const
  for (const [path, endpoint] of endpoints) {
    app.post(path, async (c, next) => {
      const token = c.req.header(BREAK_GLASS_HEADER)
      if (token === undefined) return next()
      const opened = await openBreakGlass(token, c.get('requestId'))
      if (!opened.ok) return answerAuthzenFailure(c, opened.failure)
      return answer(c, { source: opened.value, clientId: null }, endpoint)
    })
  }
  return app
}

async function answer(
  c: HttpContext,
  { source, clientId }: { readonly source: AnswerSource; readonly clientId: string | null },
  { maxBytes, parse }: Endpoint,
): Promise<Response> {
  const body = await readJson(c, maxBytes)
  if (!body.ok) return answerAuthzenFailure(c, body.failure)
  const parsed = parse(body.value)
  if (!parsed.ok) return answerAuthzenFailure(c, parsed.failure)
  const language = c.req.header('accept-language')
  const asked = { clientId, requestId: c.get('requestId'), language }
  if (parsed.value.kind === 'batch') {
    return c.json({ evaluations: await answerBatch(source, parsed.value, asked) })
  }
  const answered = await answerQuestion(source, parsed.value.request, asked)
  return answered.ok ? c.json(answered.value) : answerAuthzenFailure(c, answered.failure)
}

function parseSingle(json: unknown): ReturnType<typeof parseEvaluations> {
  const request = parseEvaluation(json)
  return request.ok ? ok({ kind: 'single', request: request.value }) : request
}
