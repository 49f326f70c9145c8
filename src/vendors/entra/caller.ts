import type { JWTPayload } from 'jose'
import { err, ok, type Result } from '../../base/result.ts'

/** Which tenant may call, and as what it knows this service. */
export type EntraCaller = {
  /** GUID, in small letters. */
  readonly tenantId: string
  /** GUID of the app registration that stands for this service. */
  readonly appId: string
  /** `https://login.microsoftonline.com`, or the host of another cloud or of an external tenant. */
  readonly authority: string
}

/** The service principal by which Entra calls custom authentication extensions, in every tenant. */
export const EXTENSIONS_CALLER = '99045fe1-7639-4a75-9d4a-577b6ca3810f'

const PUBLIC_AUTHORITY = 'https://login.microsoftonline.com'

/** Why a sound token of Entra is not one by which it calls an extension of this tenant. */
export const ENTRA_CALLER_REASONS = ['entra_tenant_mismatch', 'entra_caller_mismatch'] as const

export type EntraCallerFailure = { readonly reason: (typeof ENTRA_CALLER_REASONS)[number] }

/** The keys of every tenant of a cloud are the same: whose token it is, its issuer says. */
export function entraKeysUrl({ authority, tenantId }: EntraCaller): string {
  return `${authority}/${tenantId}/discovery/v2.0/keys`
}

/** `iss` of tokens of both versions; the older one is of the public cloud alone. */
export function entraIssuers({ authority, tenantId }: EntraCaller): readonly string[] {
  const second = `${authority}/${tenantId}/v2.0`
  return authority === PUBLIC_AUTHORITY
    ? [second, `https://sts.windows.net/${tenantId}/`]
    : [second]
}

/** `aud`: the id of the app registration, or in older tokens its identifier URI for our host. */
export function entraAudiences({ appId }: EntraCaller, publicUrl: string): readonly string[] {
  return [appId, `api://${new URL(publicUrl).host}/${appId}`]
}

/**
 * Whether the token is one by which Entra itself calls: any app of the tenant can get a token for this
 * audience, so that who asked for it decides.
 */
export function checkEntraCaller(
  payload: JWTPayload,
  { tenantId }: EntraCaller,
): Result<void, EntraCallerFailure> {
  if (payload.tid !== tenantId) return err({ reason: 'entra_tenant_mismatch' })
  const caller = payload.ver === '2.0' ? payload.azp : payload.appid
  return caller === EXTENSIONS_CALLER ? ok(undefined) : err({ reason: 'entra_caller_mismatch' })
}
