import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { answerTokenHook, type OktaDependencies } from '../../operations/vendors/answer-okta.ts'
import { MAX_VENDOR_BODY_BYTES } from '../../vendors/limits.ts'
import { describeHookError } from '../../vendors/okta/token-hook.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerOktaError } from '../errors/okta-error.ts'
import { answerUnauthorized } from '../errors/problem.ts'
import { type ClientServices, requireClient } from '../middleware/api-client.ts'
import { readJson } from '../read-json.ts'
import {
  noteVendorRefusal,
  type VendorFailure,
  type VendorRefusalServices,
} from './refuse-vendor.ts'

export const TOKEN_HOOK_PATH = '/vendors/okta/token-hook'

export type OktaServices = OktaDependencies & VendorRefusalServices & ClientServices

/**
 * Okta waits for 3 seconds, the network included, and then issues the token as if nobody had been asked. A database that
 * answers nothing is waited for longer than that where other questions are answered.
 */
export const HOOK_ANSWER_MS = 2000

/**
 * Okta asks before a custom authorization server issues tokens. It is an API client of ours: its header
 * `Authorization` is HTTP Basic, or an access token that it gets from us.
 *
 * Okta issues the token unchanged for whatever is not 200. So a proven caller is answered 200 even where there
 * is no decision, with an error in it, which has Okta issue none (`surfaceOf` does the same for faults), and
 * before Okta stops waiting.
 */
export function oktaRoutes(services: OktaServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const client = requireClient(services, 'access.evaluate', (c, code, message) =>
    code === 'unavailable'
      ? answerOktaError(c, code, message)
      : answerUnauthorized(c, code, message),
  )
  app.post(TOKEN_HOOK_PATH, answerInTime(services), client, async (c) => {
    const body = await readJson(c, MAX_VENDOR_BODY_BYTES)
    if (!body.ok) return refuse(c, services, body.failure)
    const asked = { clientId: c.get('client').clientId, requestId: c.get('requestId') }
    const answer = await answerTokenHook(services, body.value, asked)
    return answer.ok ? c.json(answer.value) : refuse(c, services, answer.failure)
  })
  return app
}

/** Whatever is not answered in time is answered all the same; what came of it afterwards nobody is told. */
function answerInTime({ logBudget, clock }: OktaServices) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<true>((resolve) => {
      timer = setTimeout(() => resolve(true), HOOK_ANSWER_MS)
    })
    const isLate = await Promise.race([next(), late])
    clearTimeout(timer)
    if (isLate !== true) return
    const fields = { request_id: c.get('requestId'), after_ms: HOOK_ANSWER_MS }
    logBudget.write('error', 'okta_hook_late', 'late', fields, clock())
    return answerOktaError(c, 'unavailable')
  })
}

function refuse(c: HttpContext, services: OktaServices, failure: VendorFailure): Response {
  noteVendorRefusal(c, services, { vendor: 'okta', failure })
  return c.json(describeHookError(`${failure.reason}: request ${c.get('requestId')}`))
}
