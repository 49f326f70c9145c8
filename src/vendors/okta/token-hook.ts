import { z } from 'zod'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { MAX_VENDOR_TEXT_CHARS } from '../limits.ts'
import type { ToldDecision } from '../told-decision.ts'
import type { VendorRequestFailure, VendorUserQuestion } from '../vendor-request.ts'

/** Why a hook that was called by a proven caller is not answered. */
export const OKTA_HOOK_REASONS = ['okta_organisation_mismatch'] as const

export type OktaHookFailure =
  | { readonly reason: (typeof OKTA_HOOK_REASONS)[number] }
  | VendorRequestFailure

/** Which Okta organisation calls, and what a denial comes to. */
export type OktaHook = {
  /** `https://example.okta.com` */
  readonly organisation: string
  /** `claim`: the token is issued and says so. `refuse`: none is. */
  readonly denial: 'claim' | 'refuse'
}

const text = z.string().min(1).max(MAX_VENDOR_TEXT_CHARS)

/** What Okta sends, as far as it is read. */
export const tokenHookBody = z.object({
  eventType: z.literal('com.okta.oauth2.tokens.transform'),
  data: z.object({
    context: z.object({
      request: z.object({ ipAddress: text.optional() }).optional(),
      protocol: z.object({
        type: text.optional(),
        request: z.object({ client_id: text.optional(), grant_type: text.optional() }).optional(),
        issuer: z.object({ uri: text }),
        client: z.object({ id: text }).optional(),
      }),
      user: z.object({ id: text, profile: z.object({ login: text }) }).optional(),
    }),
    identity: z.object({}).optional(),
    access: z.object({}).optional(),
  }),
})

/** Which tokens are being made: no other may be changed, or Okta changes none. */
export type OktaTokens = { readonly identity: boolean; readonly access: boolean }

export type OktaTokenHook = VendorUserQuestion & { readonly tokens: OktaTokens }

/**
 * Reads what Okta sends before a custom authorization server issues tokens. It names no device. Owners of
 * devices are looked up by the user's login and Okta id; a token for a program has no user, and is asked
 * about as the client that it is for.
 */
export function readTokenHook(
  body: unknown,
  { organisation }: Pick<OktaHook, 'organisation'>,
): Result<OktaTokenHook, OktaHookFailure> {
  const read = tokenHookBody.safeParse(body)
  if (!read.success) {
    const detail = read.error.issues[0]?.path.join('.') ?? ''
    return err({ reason: 'vendor_request_malformed', detail })
  }
  const { context, identity, access } = read.data.data
  const { protocol, user, request } = context
  if (URL.parse(protocol.issuer.uri)?.origin !== organisation) {
    return err({ reason: 'okta_organisation_mismatch' })
  }
  const clientId = protocol.client?.id ?? protocol.request?.client_id ?? 'unknown'
  const tokens = { identity: identity !== undefined, access: access !== undefined }
  const asked: Omit<EvaluationRequest, 'subject'> = {
    action: { name: 'issue_token', properties: {} },
    resource: { type: 'application', id: clientId, properties: {} },
    context: {
      provider: 'okta',
      issuer: protocol.issuer.uri,
      ...(request?.ipAddress !== undefined && { ip: request.ipAddress }),
      ...(protocol.request?.grant_type !== undefined && {
        grant_type: protocol.request.grant_type,
      }),
    },
  }
  if (user === undefined) {
    const subject = { type: 'client', id: clientId, properties: {} }
    return ok({ tokens, owners: [], request: { subject, ...asked } })
  }
  const subject = { type: 'user', id: user.profile.login, properties: {} }
  return ok({ tokens, owners: [user.profile.login, user.id], request: { subject, ...asked } })
}

/**
 * The claim that says what was decided. `device_compliance` and other obvious names are Okta's own, and one
 * command with such a name has Okta drop all of them.
 */
export const POSTURE_CLAIM = 'device_posture'
export const POSTURE_DEVICE_CLAIM = 'device_posture_device'
export const POSTURE_REASONS_CLAIM = 'device_posture_reasons'

/** The answer to a hook: claims for each token that is being made, or that none is to be made. */
export function describeTokenHook(
  { compliance, deviceId, reasons }: ToldDecision,
  { tokens, denial }: Pick<OktaHook, 'denial'> & { readonly tokens: OktaTokens },
) {
  if (compliance === 'not-compliant' && denial === 'refuse') {
    return describeHookError('This device does not meet the requirements of your organisation.')
  }
  const add = (claim: string, value: unknown) => ({ op: 'add', path: `/claims/${claim}`, value })
  const value = [
    add(POSTURE_CLAIM, compliance),
    ...(deviceId === undefined ? [] : [add(POSTURE_DEVICE_CLAIM, deviceId)]),
    ...(reasons.length === 0 ? [] : [add(POSTURE_REASONS_CLAIM, reasons)]),
  ]
  const types = [
    ...(tokens.identity ? ['com.okta.identity.patch'] : []),
    ...(tokens.access ? ['com.okta.access.patch'] : []),
  ]
  return { commands: types.map((type) => ({ type, value })) }
}

/**
 * Has Okta issue no token. It has to come with status 200: at any other, and at none, Okta issues the token as
 * if nobody had been asked.
 */
export function describeHookError(errorSummary: string) {
  return { error: { errorSummary } }
}
