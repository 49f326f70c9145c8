import { createMiddleware } from 'hono/factory'
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
import type { VerifiedBreakGlass } from '../../access/break-glass/break-glass.ts'
import {
  type BreakGlassDecision,
  decideBreakGlass,
  denyBreakGlass,
} from '../../access/break-glass/decide.ts'
import type { BreakGlassFailure } from '../../access/break-glass/failure.ts'
import { isDeviceId } from '../../access/device-id.ts'
import { deviceOfRequest, deviceTokenOf } from '../../access/device-of-request.ts'
import { type LanguageRange, readLanguages } from '../../access/language.ts'
import type { Result } from '../../base/result.ts'
import type { Services } from '../../compose/services.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { readJson, STATUS_OF_BODY } from '../read-json.ts'

/** What is needed to answer: nothing of it asks the store. */
export type BreakGlassServices = Pick<
  Services,
  'breakGlass' | 'verifyDeviceToken' | 'log' | 'logBudget' | 'metrics' | 'clock'
>

type Options = {
  /** Of the body. */
  readonly maxBytes: number
  readonly kind: 'evaluation' | 'evaluations'
  /** Words an error as AuthZEN does. */
  readonly refuse: (c: HttpContext, status: ContentfulStatusCode, message: string) => Response
}

export const BREAK_GLASS_HEADER = 'break-glass'

/**
 * Answers AuthZEN questions that come with a `Break-Glass` token, from that token alone: before any
 * client is authenticated, without database and without policy. A token that does not open is an
 * error whoever asks, and never left aside: who breaks the glass must see that it did not work.
 *
 * Nothing is written to the audit table, which is where the database is: the log has it.
 */
export function breakGlass(services: BreakGlassServices, options: Options) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const token = c.req.header(BREAK_GLASS_HEADER)
    return token === undefined ? next() : answer(c, { services, options, token })
  })
}

type Asked = {
  readonly services: BreakGlassServices
  readonly options: Options
  readonly token: string
}

async function answer(c: HttpContext, { services, options, token }: Asked): Promise<Response> {
  const { maxBytes, kind, refuse } = options
  const verified = await services.breakGlass(token)
  if (!verified.ok) return answerRefused(c, { services, options }, verified.failure)
  const body = await readJson(c, maxBytes)
  if (!body.ok) return refuse(c, STATUS_OF_BODY[body.failure.reason], body.failure.detail)
  const glass = { services, options, verified: verified.value }
  if (kind === 'evaluation') {
    const request = parseEvaluation(body.value)
    return request.ok ? answerOne(c, glass, request.value) : refuse(c, 400, request.failure.message)
  }
  const request = parseEvaluations(body.value)
  if (!request.ok) return refuse(c, 400, request.failure.message)
  return request.value.kind === 'single'
    ? answerOne(c, glass, request.value.request)
    : answerBatch(c, glass, request.value)
}

type Glass = Omit<Asked, 'token'> & { readonly verified: VerifiedBreakGlass }

async function answerOne(
  c: HttpContext,
  glass: Glass,
  request: EvaluationRequest,
): Promise<Response> {
  const decision = await decideOne(glass, request)
  if (!decision.ok) return answerRefused(c, glass, decision.failure)
  reportUse(c, glass, [decision.value])
  return c.json(decision.value)
}

async function answerBatch(
  c: HttpContext,
  glass: Glass,
  batch: Extract<EvaluationsRequest, { kind: 'batch' }>,
): Promise<Response> {
  const languages = readLanguages(c.req.header('accept-language'))
  const decided: BreakGlassDecision[] = []
  const evaluations: unknown[] = []
  let refusal: BreakGlassFailure | undefined
  for (const item of batch.items) {
    const decision = item.ok ? await decideOne(glass, item.value) : item
    if (decision.ok) decided.push(decision.value)
    else if (!('message' in decision.failure)) refusal = decision.failure
    const told = decision.ok ? decision.value : describeFailure(glass, decision.failure, languages)
    evaluations.push(told)
    if (endsBatch(batch.semantic, told.decision)) break
  }
  if (decided.length > 0) reportUse(c, glass, decided)
  else if (refusal !== undefined) reportRefusal(c, glass, refusal)
  return c.json({ evaluations })
}

async function decideOne(
  { services, verified }: Glass,
  { subject }: EvaluationRequest,
): Promise<Result<BreakGlassDecision, BreakGlassFailure>> {
  const token = deviceTokenOf(subject)
  const named = typeof token === 'string' ? await services.verifyDeviceToken(token) : undefined
  const tokenDeviceId = token === undefined ? undefined : named?.ok ? named.value.deviceId : null
  return decideBreakGlass(verified, deviceOfRequest({ subject, tokenDeviceId }))
}

function describeFailure(
  { verified }: Glass,
  failure: BreakGlassFailure | AuthzenFailure,
  languages: readonly LanguageRange[],
) {
  return 'message' in failure
    ? answerUnreadable(failure)
    : denyBreakGlass(verified, { failure, languages })
}

/** As loud as a log can be: each use is somebody's to look after. */
function reportUse(
  c: HttpContext,
  { services, verified }: Glass,
  granted: readonly BreakGlassDecision[],
): void {
  const { claims, kids } = verified
  const { metrics, log } = services
  metrics.breakGlass.labels('granted').inc()
  for (const { decision, context } of granted) {
    metrics.decisions.labels(String(decision), context.verdict).inc()
  }
  const devices = granted.map(({ context }) => context.device_id ?? '').filter(isDeviceId)
  log.error('break_glass_used', {
    request_id: c.get('requestId'),
    jti: claims.jti,
    sub: claims.sub,
    iss: claims.iss,
    reason: claims.reason,
    expires_at: new Date(claims.exp * 1000).toISOString(),
    kids: kids.join(' '),
    granted: granted.length,
    devices: [...new Set(devices)].join(' '),
  })
}

/**
 * What was granted already is told by its own line. A token that nobody signed has no id, and anybody
 * can hand in many.
 */
function reportRefusal(
  c: HttpContext,
  { services }: Omit<Asked, 'token'>,
  { reason, jti }: BreakGlassFailure,
): void {
  services.metrics.breakGlass.labels(reason).inc()
  const fields = { request_id: c.get('requestId'), reason, jti }
  if (jti !== undefined) services.log.warn('break_glass_refused', fields)
  else services.logBudget.write('warn', 'break_glass_refused', reason, fields, services.clock())
}

function answerRefused(
  c: HttpContext,
  asked: Omit<Asked, 'token'>,
  failure: BreakGlassFailure,
): Response {
  reportRefusal(c, asked, failure)
  const message = `the Break-Glass token is refused: ${failure.reason}`
  return asked.options.refuse(c, 403, message)
}
