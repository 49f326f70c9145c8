import { z } from 'zod'
import { oneOf, secureOrigin } from '../base/fields.ts'
import type { EntraCaller } from '../vendors/entra/caller.ts'
import {
  type GoogleActing,
  type GoogleServiceAccount,
  readServiceAccount,
} from '../vendors/google/service-account.ts'
import type { OktaHook } from '../vendors/okta/token-hook.ts'

/** Which identity providers may ask at their own endpoints: each absent where it may not. */
export type VendorConfig = {
  readonly entra: EntraCaller | undefined
  readonly okta: OktaHook | undefined
  readonly cloudflare:
    | { readonly team: string; readonly postureAudience: string | undefined }
    | undefined
  /** As whom states are written to Google; absent where none are. */
  readonly google: (GoogleServiceAccount & Pick<GoogleActing, 'administrator'>) | undefined
}

const guid = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be a GUID'))
  .optional()

const PUBLIC_AUTHORITY = 'https://login.microsoftonline.com'

/** Who may ask, by public names. The key of the service account is the one secret. */
export const vendorSettings = {
  ENTRA_TENANT_ID: guid,
  ENTRA_APP_ID: guid,
  ENTRA_AUTHORITY: secureOrigin
    .refine((url) => new URL(url).origin === url, 'must have no path')
    .default(PUBLIC_AUTHORITY),
  OKTA_ORGANISATION: secureOrigin
    .refine((url) => new URL(url).origin === url, 'must be like https://example.okta.com')
    .optional(),
  OKTA_DENIAL: oneOf(['claim', 'refuse']).default('claim'),
  CLOUDFLARE_TEAM: z
    .string()
    .regex(/^(?!-)[a-z0-9-]{1,63}(?<!-)$/, 'must be the name before .cloudflareaccess.com')
    .optional(),
  CLOUDFLARE_POSTURE_AUDIENCE: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be an audience tag: 64 hexadecimal digits')
    .optional(),
  GOOGLE_SERVICE_ACCOUNT: z
    .string()
    .transform((text, context) => {
      const account = readServiceAccount(text)
      if (account !== undefined) return account
      const message = 'must be the JSON of a key of a service account'
      context.issues.push({ code: 'custom', message, input: '' })
      return z.NEVER
    })
    .optional(),
  GOOGLE_SERVICE_ACCOUNT_FILE: z.string().min(1).optional(),
  GOOGLE_ADMINISTRATOR: z
    .string()
    .regex(/^[^\s@]{1,64}@[^\s@]{1,255}$/, 'must be the mail address of an administrator')
    .optional(),
}

type Settings = z.infer<z.ZodObject<typeof vendorSettings>>

export function readVendorConfig(settings: Settings): VendorConfig {
  const { ENTRA_TENANT_ID: tenantId, ENTRA_APP_ID: appId } = settings
  const { OKTA_ORGANISATION: organisation, CLOUDFLARE_TEAM: team } = settings
  const { GOOGLE_SERVICE_ACCOUNT: account, GOOGLE_ADMINISTRATOR: administrator } = settings
  return {
    entra:
      tenantId === undefined || appId === undefined
        ? undefined
        : { tenantId, appId, authority: settings.ENTRA_AUTHORITY },
    okta: organisation === undefined ? undefined : { organisation, denial: settings.OKTA_DENIAL },
    cloudflare:
      team === undefined
        ? undefined
        : { team, postureAudience: settings.CLOUDFLARE_POSTURE_AUDIENCE },
    google: account && { ...account, administrator },
  }
}

/** What says no more than nothing does. */
const PRESETS: Readonly<Record<string, string>> = {
  ENTRA_AUTHORITY: PUBLIC_AUTHORITY,
  OKTA_DENIAL: 'claim',
}

/** Settings that do nothing without another: whoever sets one believes that something is on. */
const NEEDS = {
  ENTRA_TENANT_ID: 'ENTRA_APP_ID',
  ENTRA_APP_ID: 'ENTRA_TENANT_ID',
  ENTRA_AUTHORITY: 'ENTRA_TENANT_ID',
  OKTA_DENIAL: 'OKTA_ORGANISATION',
  CLOUDFLARE_POSTURE_AUDIENCE: 'CLOUDFLARE_TEAM',
} as const

export function vendorContradictions(
  given: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const found = Object.entries(NEEDS)
    .filter(([name]) => given[name] !== undefined && given[name] !== PRESETS[name])
    .filter(([, needed]) => given[needed] === undefined)
    .map(([name, needed]) => `${name}: has no effect without ${needed}`)
  return [...found, ...googleContradictions(given)]
}

/** The file is not read yet where settings are first looked at. */
function googleContradictions(given: Readonly<Record<string, string | undefined>>): string[] {
  const { GOOGLE_SERVICE_ACCOUNT: text, GOOGLE_SERVICE_ACCOUNT_FILE: file } = given
  const administrator = given.GOOGLE_ADMINISTRATOR
  const account = text ?? file
  const found: string[] = []
  if (text !== undefined && file !== undefined) {
    found.push('GOOGLE_SERVICE_ACCOUNT: give either this or GOOGLE_SERVICE_ACCOUNT_FILE')
  }
  if (account === undefined && administrator !== undefined) {
    found.push('GOOGLE_ADMINISTRATOR: has no effect without GOOGLE_SERVICE_ACCOUNT')
  }
  return found
}
