import { z } from 'zod'
import { oneOf, seconds, secureOrigin, wholeNumber } from '../base/fields.ts'
import type { AzureCredentialSettings } from './credential.ts'

/** The name of our own verifier in a list of verifiers. */
export const BUILT_IN = 'built-in'

const MAX_VERIFIERS = 8
/** Shared providers have no TPM policy and take none; test clouds are nobody's to trust. */
const UNUSABLE_PROVIDER =
  /^https:\/\/shared[a-z0-9]+\.[a-z0-9]+\.attest\.azure\.|\.test\.attest\.azure\./

/** `built-in` and the URLs of Azure Attestation providers, in the order in which they are asked. */
export const verifiers = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim().replace(/\/+$/, '')))
  .pipe(
    z
      .array(z.string().refine(isVerifier, 'must be built-in or https://name.region.attest…'))
      .min(1)
      .max(MAX_VERIFIERS)
      .refine((names) => new Set(names).size === names.length, 'names a verifier twice')
      .refine(
        (names) => !names.some((name) => UNUSABLE_PROVIDER.test(name)),
        'shared and test providers cannot attest TPMs: create a provider of your own',
      ),
  )
  .default([BUILT_IN])

function isVerifier(name: string): boolean {
  if (name === BUILT_IN) return true
  return name.startsWith('https://') && URL.canParse(name) && new URL(name).origin === name
}

/** Where Entra is and for whom its tokens are, by cloud. */
const CLOUDS = {
  public: {
    authorityHost: 'https://login.microsoftonline.com',
    scope: 'https://attest.azure.net/.default',
    graphUrl: 'https://graph.microsoft.com',
  },
  'us-government': {
    authorityHost: 'https://login.microsoftonline.us',
    scope: 'https://attest.azure.us/.default',
    graphUrl: 'https://graph.microsoft.us',
  },
  china: {
    authorityHost: 'https://login.chinacloudapi.cn',
    scope: 'https://attest.azure.cn/.default',
    graphUrl: 'https://microsoftgraph.chinacloudapi.cn',
  },
} as const

const name = z.string().min(1).max(256).optional()

/** The settings of Azure Attestation. Those of the credential have the names of Azure's own tools. */
export const azureSettings = {
  AZURE_CREDENTIAL: oneOf([
    'default',
    'client-secret',
    'client-certificate',
    'workload-identity',
    'managed-identity',
  ]).default('default'),
  AZURE_TENANT_ID: name,
  AZURE_CLIENT_ID: name,
  AZURE_CLIENT_SECRET: z.string().min(1).optional(),
  AZURE_CLIENT_CERTIFICATE: z
    .string()
    .refine(isCertificateWithKey, 'must hold a certificate and its PKCS#8 key in PEM')
    .optional(),
  AZURE_CLIENT_CERTIFICATE_PATH: z.string().min(1).optional(),
  AZURE_FEDERATED_TOKEN_FILE: z.string().min(1).optional(),
  AZURE_CLOUD: oneOf(['public', 'us-government', 'china']).default('public'),
  AZURE_AUTHORITY_HOST: secureOrigin.optional(),
  AZURE_ATTESTATION_SCOPE: name,
  AZURE_TIMEOUT_SECONDS: seconds(1, 60, 10),
  MAX_CONCURRENT_RELAYS: wholeNumber(1, 4096, 128),
}

type Settings = z.infer<z.ZodObject<typeof azureSettings>>

export type AzureConfig = {
  readonly credential: AzureCredentialSettings
  /** For whom the credential asks tokens. */
  readonly scope: string
  /** Microsoft Graph of the cloud. */
  readonly graphUrl: string
  /** For one message to a provider. */
  readonly timeoutMs: number
  readonly maxConcurrentRelays: number
}

export function readAzureConfig(settings: Settings): AzureConfig {
  return {
    credential: credentialOf(settings),
    scope: settings.AZURE_ATTESTATION_SCOPE ?? CLOUDS[settings.AZURE_CLOUD].scope,
    graphUrl: CLOUDS[settings.AZURE_CLOUD].graphUrl,
    timeoutMs: settings.AZURE_TIMEOUT_SECONDS * 1000,
    maxConcurrentRelays: settings.MAX_CONCURRENT_RELAYS,
  }
}

function credentialOf(settings: Settings): AzureCredentialSettings {
  const { AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: clientId } = settings
  const { AZURE_AUTHORITY_HOST: ownHost, AZURE_FEDERATED_TOKEN_FILE: tokenFile } = settings
  // Entra's list of its clouds knows no other host, and has nothing to say about ours.
  const authorityHost = ownHost ?? CLOUDS[settings.AZURE_CLOUD].authorityHost
  const authority = { authorityHost, disableInstanceDiscovery: ownHost !== undefined }
  const named = { tenantId: tenantId ?? '', clientId: clientId ?? '', ...authority }
  const client = clientId === undefined ? {} : { clientId }
  const kind = settings.AZURE_CREDENTIAL
  switch (kind) {
    case 'client-secret':
      return { kind, ...named, clientSecret: settings.AZURE_CLIENT_SECRET ?? '' }
    case 'client-certificate':
      return { kind, ...named, pem: settings.AZURE_CLIENT_CERTIFICATE ?? '' }
    case 'workload-identity': {
      const tenant = tenantId === undefined ? {} : { tenantId }
      const file = tokenFile === undefined ? {} : { tokenFile }
      return { kind, ...client, ...tenant, ...file, ...authority }
    }
    case 'managed-identity':
      return { kind, ...client, ...authority }
    case 'default':
      return { kind, ...authority }
  }
}

const NEEDED: Readonly<Record<string, readonly string[]>> = {
  'client-secret': ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET'],
  'client-certificate': ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID'],
}

/** What the chosen kind of credential needs and is not given, one line each. */
export function missingCredentials(
  given: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const kind = given.AZURE_CREDENTIAL ?? 'default'
  const missing = (NEEDED[kind] ?? []).filter((setting) => given[setting] === undefined)
  const mistakes = missing.map((setting) => `${setting}: is needed for AZURE_CREDENTIAL ${kind}`)
  const { AZURE_CLIENT_CERTIFICATE: pem, AZURE_CLIENT_CERTIFICATE_PATH: path } = given
  if (kind === 'client-certificate' && (pem === undefined) === (path === undefined)) {
    const either = 'give either this or AZURE_CLIENT_CERTIFICATE_PATH'
    mistakes.push(`AZURE_CLIENT_CERTIFICATE: ${either} for AZURE_CREDENTIAL ${kind}`)
  }
  return mistakes
}

function isCertificateWithKey(text: string): boolean {
  return ['PRIVATE KEY', 'CERTIFICATE'].every((kind) => text.includes(`-----BEGIN ${kind}-----`))
}
