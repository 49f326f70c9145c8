import type { JWTPayload } from 'jose'
import { z } from 'zod'
import type { Decision } from '../../access/decide.ts'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { MAX_POSTURE_DEVICES, MAX_VENDOR_TEXT_CHARS } from '../limits.ts'
import type { VendorRequestFailure } from '../vendor-request.ts'
import type { CloudflareTeam } from './team.ts'

/** Why a sound token of Access does not let its bearer ask about devices. */
export const CLOUDFLARE_ASSERTION_REASONS = ['cloudflare_assertion_of_person'] as const

export type CloudflareAssertionFailure = {
  readonly reason: (typeof CLOUDFLARE_ASSERTION_REASONS)[number]
}

/**
 * Whether Access let a service token through, as Cloudflare's own client has one, and no person who may open
 * the same application.
 */
export function checkServiceToken(payload: JWTPayload): Result<void, CloudflareAssertionFailure> {
  const { common_name: name, email } = payload
  const isService = typeof name === 'string' && name !== '' && email === undefined
  return isService ? ok(undefined) : err({ reason: 'cloudflare_assertion_of_person' })
}

const text = z.string().max(MAX_VENDOR_TEXT_CHARS)

/** What Cloudflare's client sends. */
export const postureBody = z.object({
  devices: z
    .array(
      z.object({
        device_id: text.min(1),
        email: text.default(''),
        serial_number: text.default(''),
        hostname: text.default(''),
      }),
    )
    .max(MAX_POSTURE_DEVICES),
})

/** One device of Cloudflare's, as its client describes it: nothing of it is proven. */
export type PostureDevice = {
  /** Cloudflare's own name of it. */
  readonly id: string
  readonly serial: string
  readonly user: string
  readonly request: EvaluationRequest
}

/** Reads which devices Cloudflare asks about. They are looked up by serial number. */
export function readPostureRequest(
  json: unknown,
  { team }: CloudflareTeam,
): Result<readonly PostureDevice[], VendorRequestFailure> {
  const read = postureBody.safeParse(json)
  if (!read.success) {
    const detail = read.error.issues[0]?.path.join('.') ?? ''
    return err({ reason: 'vendor_request_malformed', detail })
  }
  return ok(
    read.data.devices.map(({ device_id: id, email, serial_number: serial }) => ({
      ...{ id, serial, user: email },
      request: {
        subject: { type: 'user', id: email, properties: {} },
        action: { name: 'connect', properties: {} },
        resource: { type: 'cloudflare_gateway', id: team, properties: {} },
        context: { provider: 'cloudflare' },
      },
    })),
  )
}

/** A device that is not ours, or not told apart from others: a rule on the score never passes by it. */
const NO_DEVICE = { s2s_id: 'unknown', score: 0 } as const

/** The answer: 100 for what the policy grants, 0 for all else. Each device that was asked about has one. */
export function describePosture(
  devices: readonly PostureDevice[],
  decisions: readonly (Decision | undefined)[],
) {
  const scores = devices.map(({ id }, index) => {
    const decision = decisions[index]
    const deviceId = decision?.context.device_id
    if (decision === undefined || deviceId === undefined) return [id, NO_DEVICE] as const
    return [id, { s2s_id: deviceId, score: decision.decision ? 100 : 0 }] as const
  })
  return { result: Object.fromEntries(scores) }
}
