import type { JWTPayload } from 'jose'
import { z } from 'zod'
import { err, ok, type Result } from '../../base/result.ts'
import { MAX_EVALUATION_SECONDS, MAX_VENDOR_TEXT_CHARS } from '../limits.ts'
import type { VendorRequestFailure, VendorUserQuestion } from '../vendor-request.ts'
import type { CloudflareTeam } from './team.ts'

/** Why a sound token of Access is not answered. */
export const CLOUDFLARE_EVALUATION_REASONS = [
  'cloudflare_evaluation_lifetime_too_long',
  /** It was answered before, by whichever of our processes. */
  'cloudflare_nonce_replayed',
] as const

export type CloudflareEvaluationFailure =
  | { readonly reason: (typeof CLOUDFLARE_EVALUATION_REASONS)[number] }
  | VendorRequestFailure

/** How long our answer counts, as long as Cloudflare's own example has it. */
export const ANSWER_SECONDS = 60

const text = z.string().min(1).max(MAX_VENDOR_TEXT_CHARS)

/** What Access sends: a JWT of its keys. */
export const evaluationBody = z.object({ token: z.string() })

const claims = z.object({
  nonce: text,
  iat: z.number(),
  exp: z.number(),
  identity: z.object({
    email: text,
    ip: text.optional(),
    geo: z.object({ country: text.optional() }).optional(),
  }),
})

/** The token in the body of an external evaluation. Unverified. */
export function readEvaluationBody(json: unknown): string | undefined {
  const read = evaluationBody.safeParse(json)
  return read.success ? read.data.token : undefined
}

/** What Access asks: whether this user may, with a nonce that the answer carries back. */
export type CloudflareEvaluation = VendorUserQuestion & {
  readonly nonce: string
  readonly expiresAt: Date
}

/** Reads the claims of a token that was verified. It names the user and no device, and no application. */
export function readEvaluation(
  payload: JWTPayload,
  { team }: CloudflareTeam,
): Result<CloudflareEvaluation, CloudflareEvaluationFailure> {
  const read = claims.safeParse(payload)
  if (!read.success) {
    const detail = read.error.issues[0]?.path.join('.') ?? ''
    return err({ reason: 'vendor_request_malformed', detail })
  }
  const { nonce, iat, exp, identity } = read.data
  if (exp - iat > MAX_EVALUATION_SECONDS) {
    return err({ reason: 'cloudflare_evaluation_lifetime_too_long' })
  }
  const { email, ip, geo } = identity
  return ok({
    nonce,
    expiresAt: new Date(exp * 1000),
    owners: [email],
    request: {
      subject: { type: 'user', id: email, properties: {} },
      action: { name: 'sign_in', properties: {} },
      resource: { type: 'cloudflare_access', id: team, properties: {} },
      context: {
        provider: 'cloudflare',
        ...(ip !== undefined && { ip }),
        ...(geo?.country !== undefined && { country: geo.country }),
      },
    },
  })
}

/** The claims of our answer, which is for this nonce alone. */
export function describeEvaluation(
  { nonce }: Pick<CloudflareEvaluation, 'nonce'>,
  { success, now }: { readonly success: boolean; readonly now: Date },
) {
  const iat = Math.floor(now.getTime() / 1000)
  return { success, iat, exp: iat + ANSWER_SECONDS, nonce }
}
