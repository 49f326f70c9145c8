import { Hono } from 'hono'
import { z } from 'zod'
import { err, ok, type Result } from '../../base/result.ts'
import {
  explainQuestion,
  type HypotheticalQuestion,
} from '../../operations/decide/explain-question.ts'
import {
  completeQuestion,
  describeHypothesisFailure,
  hypotheticalDeviceSchema,
  hypotheticalEvidence,
  hypotheticalQuestionSchema,
  recordOfHypothesis,
} from '../../operations/decide/hypothesis.ts'
import { showExplanation } from '../../views/show-explanation.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { type RequestFailure, readForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import type { AdminServices } from './services.ts'

/** Claims can be as large as a token. */
const MAX_EXPLANATION_BYTES = 128 * 1024

/** A question that nobody asks, and what it is about. */
export const explanationBody = z.strictObject({
  /** A recorded device; or else the claims, and what is on record, of one that need not be. */
  device_id: z.string().max(128).optional(),
  device: hypotheticalDeviceSchema.optional(),
  /** Or neither: the question names no device. */
  without_device: z.literal(true).optional(),
  ...hypotheticalEvidence,
  question: hypotheticalQuestionSchema.default({}),
  at: z.iso.datetime().optional(),
})

type Body = z.infer<typeof explanationBody>

/** What would be decided, and what every clause says to it. It changes nothing. */
export function adminExplanationRoutes(services: AdminServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/explanations', (c) => explain(c, services))
}

async function explain(c: HttpContext, services: AdminServices): Promise<Response> {
  const body = await readForm(c, explanationBody, MAX_EXPLANATION_BYTES)
  if (!body.ok) return answerFailure(c, body.failure)
  const { device_id, at, question } = body.value
  const now = at === undefined ? services.clock() : new Date(at)
  const about = readAbout(body.value, now)
  if (!about.ok) return answerFailure(c, about.failure)
  const deviceId = device_id ?? ('record' in about.value ? about.value.record?.deviceId : undefined)
  const request = completeQuestion(question, deviceId)
  if (!request.ok) return answerFailure(c, malformed(request.failure.message))
  const explained = await explainQuestion(services, {
    ...{ about: about.value, request: request.value, at: now },
    language: c.req.header('accept-language'),
  })
  if (!explained.ok) return answerFailure(c, explained.failure)
  return c.json(showExplanation(explained.value))
}

function readAbout(
  { device_id: deviceId, without_device: withoutDevice, ...hypothesis }: Body,
  now: Date,
): Result<HypotheticalQuestion['about'], RequestFailure> {
  const ways = [deviceId, hypothesis.claims, withoutDevice].filter((one) => one !== undefined)
  if (ways.length !== 1) {
    return err(malformed('say one of device_id, claims and without_device'))
  }
  if (withoutDevice === true) return ok({ record: null })
  if (deviceId !== undefined) return ok({ deviceId })
  const record = recordOfHypothesis(hypothesis, now)
  if (record.ok) return ok({ record: record.value })
  return err(malformed(describeHypothesisFailure(record.failure)))
}

function malformed(detail: string): RequestFailure {
  return { reason: 'request_malformed', detail }
}
