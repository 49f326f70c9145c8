import { Hono } from 'hono'
import type { JSONWebKeySet } from 'jose'
import {
  answerExternalEvaluation,
  answerPosture,
  type CloudflareDependencies,
  verifyPostureCaller,
} from '../../operations/vendors/answer-cloudflare.ts'
import { MAX_POSTURE_BODY_BYTES, MAX_VENDOR_BODY_BYTES } from '../../vendors/limits.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerPublic } from '../public-document.ts'
import { readJson } from '../read-json.ts'
import { refuseVendor, type VendorFailure, type VendorRefusalServices } from './refuse-vendor.ts'

export const EVALUATION_PATH = '/vendors/cloudflare/evaluation'
export const EVALUATION_KEYS_PATH = '/vendors/cloudflare/keys'
export const POSTURE_PATH = '/vendors/cloudflare/posture'

export type CloudflareServices = CloudflareDependencies &
  VendorRefusalServices & {
    /** What Cloudflare verifies our answers with. */
    readonly evaluationKeys: () => Promise<JSONWebKeySet>
  }

/** Cloudflare Access asks about a user who signs in, and Cloudflare's client about devices. */
export function cloudflareRoutes(services: CloudflareServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.get(EVALUATION_KEYS_PATH, async (c) => answerPublic(c, await services.evaluationKeys()))
  app.post(EVALUATION_PATH, (c) => answerEvaluation(c, services))
  const { postureAudience: audience } = services.cloudflare
  if (audience !== undefined) {
    app.post(POSTURE_PATH, (c) => answerDevices(c, services, audience))
  }
  return app
}

async function answerEvaluation(c: HttpContext, services: CloudflareServices): Promise<Response> {
  const body = await readJson(c, MAX_VENDOR_BODY_BYTES)
  if (!body.ok) return refuse(c, services, body.failure)
  const asked = { requestId: c.get('requestId') }
  const answer = await answerExternalEvaluation(services, body.value, asked)
  return answer.ok ? c.json(answer.value) : refuse(c, services, answer.failure)
}

/** Access adds the header to what it lets through, and strips it from what others send by way of it. */
const ASSERTION_HEADER = 'cf-access-jwt-assertion'

async function answerDevices(
  c: HttpContext,
  services: CloudflareServices,
  audience: string,
): Promise<Response> {
  const assertion = c.req.header(ASSERTION_HEADER)
  const caller = await verifyPostureCaller(services, { assertion, audience })
  if (!caller.ok) return refuse(c, services, caller.failure)
  const body = await readJson(c, MAX_POSTURE_BODY_BYTES)
  if (!body.ok) return refuse(c, services, body.failure)
  const answer = await answerPosture(services, body.value, { requestId: c.get('requestId') })
  return answer.ok ? c.json(answer.value) : refuse(c, services, answer.failure)
}

function refuse(c: HttpContext, services: CloudflareServices, failure: VendorFailure): Response {
  return refuseVendor(c, services, { vendor: 'cloudflare', failure })
}
