import { z } from 'zod'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { MAX_VENDOR_TEXT_CHARS } from '../limits.ts'
import type { ToldDecision } from '../told-decision.ts'
import type { VendorRequestFailure, VendorUserQuestion } from '../vendor-request.ts'

const text = z.string().min(1).max(MAX_VENDOR_TEXT_CHARS)

const app = z.object({ appId: text })

/** What Entra sends, as far as it is read. */
export const tokenIssuanceBody = z.object({
  type: z.literal('microsoft.graph.authenticationEvent.tokenIssuanceStart'),
  data: z.object({
    tenantId: text,
    authenticationContext: z.object({
      correlationId: text.optional(),
      protocol: text.optional(),
      client: z.object({ ip: text.optional() }).optional(),
      clientServicePrincipal: app,
      resourceServicePrincipal: app.nullish(),
      user: z.object({ id: text, userPrincipalName: text }),
    }),
  }),
})

/**
 * Reads what Entra sends before it issues a token (onTokenIssuanceStart), and asks by it whether the user may.
 * It names no device. Owners of devices are looked up by the user's principal name and object id: both are the
 * directory's own, where `mail` is what somebody wrote.
 */
export function readTokenIssuance(
  body: unknown,
  { tenantId }: { readonly tenantId: string },
): Result<VendorUserQuestion, VendorRequestFailure> {
  const read = tokenIssuanceBody.safeParse(body)
  if (!read.success) {
    const detail = read.error.issues[0]?.path.join('.') ?? ''
    return err({ reason: 'vendor_request_malformed', detail })
  }
  const { authenticationContext: context, tenantId: tenant } = read.data.data
  if (tenant.toLowerCase() !== tenantId) {
    return err({ reason: 'vendor_request_malformed', detail: 'data.tenantId' })
  }
  const { user, clientServicePrincipal, resourceServicePrincipal, client, protocol } = context
  const request: EvaluationRequest = {
    subject: { type: 'user', id: user.userPrincipalName, properties: {} },
    action: { name: 'issue_token', properties: {} },
    resource: {
      type: 'application',
      id: (resourceServicePrincipal ?? clientServicePrincipal).appId,
      properties: {},
    },
    context: {
      provider: 'entra',
      client_id: clientServicePrincipal.appId,
      ...(client?.ip !== undefined && { ip: client.ip }),
      ...(protocol !== undefined && { protocol }),
    },
  }
  return ok({ owners: [user.userPrincipalName, user.id], request })
}

/** The answer: claims for the token, which a claims-mapping policy lets in. Some 1.2 KiB at most, of 3. */
export function describeClaims({ compliance, deviceId, reasons }: ToldDecision) {
  return {
    data: {
      '@odata.type': 'microsoft.graph.onTokenIssuanceStartResponseData',
      actions: [
        {
          '@odata.type': 'microsoft.graph.tokenIssuanceStart.provideClaimsForToken',
          claims: {
            device_compliance: compliance,
            ...(deviceId !== undefined && { device_id: deviceId }),
            ...(reasons.length > 0 && { device_reasons: reasons }),
          },
        },
      ],
    },
  }
}
