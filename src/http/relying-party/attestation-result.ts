import { Hono } from 'hono'
import { EAR_PROFILE, EAR_TYPE } from '../../access/ear/ear.ts'
import {
  findAttestationResult,
  type ResultDependencies,
} from '../../operations/devices/attestation-result.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, answerUnauthorized } from '../errors/problem.ts'
import { type ClientServices, requireClient } from '../middleware/api-client.ts'

export type ResultServices = ResultDependencies & ClientServices

/** RFC 9711 §4.1: the nonce of a result in JSON. */
const NONCE = /^[\x21-\x7e]{8,88}$/

/** `GET /v1/devices/ID/attestation-result`: what a relying party that speaks RATS asks for. */
export function attestationResultRoutes(services: ResultServices): Hono<HttpEnv> {
  const mayAsk = requireClient(services, 'access.evaluate', answerUnauthorized)
  return new Hono<HttpEnv>().get('/v1/devices/:id/attestation-result', mayAsk, async (c) => {
    const nonce = c.req.query('nonce')
    if (nonce !== undefined && !NONCE.test(nonce)) {
      const detail = 'nonce must be 8 to 88 visible characters of ASCII'
      return answerProblem(c, 'request_malformed', detail, { where: { member: 'nonce' } })
    }
    const deviceId = c.req.param('id')
    const result = await findAttestationResult(services, { deviceId, nonce })
    if (!result.ok) return answerProblem(c, result.failure.reason)
    return answerResult(c, result.value)
  })
}

/** RFC 9782 §3: the profile is a parameter of the media type. */
export function answerResult(c: HttpContext, ear: string, status: 200 | 201 = 200): Response {
  c.header('cache-control', 'no-store')
  c.header('content-type', `application/${EAR_TYPE}; eat_profile="${EAR_PROFILE}"`)
  return c.body(ear, status)
}

/** Whether an answer is wanted as an EAR; the draft printed `eat-jwt` before RFC 9782 registered the type. */
export function wantsResult(accepted = ''): boolean {
  return accepted.split(',').some((item) => {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const isRefused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
    return !isRefused && /^application\/eat[+-]jwt$/.test(type)
  })
}
