import { Hono } from 'hono'
import {
  answerTokenIssuance,
  type EntraDependencies,
  verifyEntraCaller,
} from '../../operations/vendors/answer-entra.ts'
import { MAX_VENDOR_BODY_BYTES } from '../../vendors/limits.ts'
import type { HttpEnv } from '../environment.ts'
import { readJson } from '../read-json.ts'
import { refuseVendor, type VendorRefusalServices } from './refuse-vendor.ts'

export const TOKEN_ISSUANCE_PATH = '/vendors/entra/token-issuance-start'

export type EntraServices = EntraDependencies & VendorRefusalServices

const BEARER = /^bearer +(\S+)$/i

/** Microsoft Entra asks for claims before it issues a token. Whatever is no answer of 200 ends the sign-in. */
export function entraRoutes(services: EntraServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post(TOKEN_ISSUANCE_PATH, async (c) => {
    const refuse = (failure: Parameters<typeof refuseVendor>[2]['failure']) =>
      refuseVendor(c, services, { vendor: 'entra', failure })
    const [, token] = BEARER.exec(c.req.header('authorization') ?? '') ?? []
    const caller = await verifyEntraCaller(services, token)
    if (!caller.ok) return refuse(caller.failure)
    const body = await readJson(c, MAX_VENDOR_BODY_BYTES)
    if (!body.ok) return refuse(body.failure)
    const asked = { requestId: c.get('requestId') }
    const answer = await answerTokenIssuance(services, body.value, asked)
    return answer.ok ? c.json(answer.value) : refuse(answer.failure)
  })
}
