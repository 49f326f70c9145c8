import { z } from 'zod'
import type { AiaPlace } from '../aia/hosts.ts'
import {
  type AzureConfig,
  azureSettings,
  missingCredentials,
  readAzureConfig,
  verifiers,
} from '../azure/settings.ts'
import { describeIssue, oneOf, origin, seconds, wholeNumber } from '../base/fields.ts'
import { err, ok, type Result } from '../base/result.ts'
import { EK_KINDS, type EkKind } from '../evidence/tpm/endorsement-key.ts'
import {
  type BreakGlassConfig,
  breakGlassContradictions,
  breakGlassSettings,
  readBreakGlassConfig,
} from './break-glass-settings.ts'
import { aiaPlaces, ekTrustAnchors, trustAnchors } from './certificate-settings.ts'
import { type OAuthConfig, oauthSettings, readOAuthConfig } from './oauth-settings.ts'
import { privateHosts } from './private-hosts.ts'
import { publishedKeyMistakes } from './published-settings.ts'
import { readSignInConfig, type SignInConfig, signInSettings } from './sign-in-settings.ts'
import {
  readVendorConfig,
  type VendorConfig,
  vendorContradictions,
  vendorSettings,
} from './vendor-settings.ts'

/** Every setting has one name, the same in the environment and as a Worker binding. */
export type Environment = Readonly<Record<string, string | undefined>>

export const CONFIG_REASONS = ['config_invalid'] as const

export type ConfigFailure = {
  readonly reason: (typeof CONFIG_REASONS)[number]
  /** One line per mistake, all of them, each naming its setting. */
  readonly mistakes: readonly string[]
}

const LOOPBACK = ['127.0.0.1', '::1', 'localhost']

/** Whether a host, as HOST or a URL names it, is this machine to itself alone. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.includes(host.replace(/^\[(.*)\]$/, '$1'))
}

/** A user without a host before the path is good for a Unix socket (`?host=/run/postgresql`). */
function isDatabaseUrl(text: string): boolean {
  return URL.canParse(text.replace('@/', '@localhost/'))
}

const masterSecret = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/, 'must be 32 bytes in base64 (openssl rand -base64 32)')
  .optional()

/** None, denials alone, or one in `every` decisions: all where that is 1. */
export type DecisionLogMode =
  | { readonly kind: 'off' }
  | { readonly kind: 'denials' }
  | { readonly kind: 'sample'; readonly every: number }

const DECISION_LOG_FORM = 'must be off, denials, all, or sample:N for one in N decisions, N from 1'

const decisionLog = z
  .string()
  .regex(/^(?:off|denials|all|sample:[1-9]\d{0,8})$/, DECISION_LOG_FORM)
  .default('off')
  .transform((text): DecisionLogMode => {
    if (text === 'off' || text === 'denials') return { kind: text }
    return { kind: 'sample', every: text === 'all' ? 1 : Number(text.slice('sample:'.length)) }
  })

export const MAX_CLOCK_SKEW_SECONDS = 600
export const MAX_ATTESTATION_VALIDITY_SECONDS = 2_592_000

/** With a shorter time there would be more keys for receipts than a key set may have. */
const LEAST_SIGNING_KEY_DAYS = 30

/** In less the list could not be signed again, and fetched, before it ends. */
const LEAST_STATUS_LIST_TTL_SECONDS = 300

/** One for each use of the store: decisions, recordings, administration and jobs. */
const LEAST_CONNECTIONS = 5

const settings = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535, 8080),
  PUBLIC_URL: origin.optional(),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(?:ql)?:\/\//, 'must begin with postgres:// or postgresql://')
    .refine(isDatabaseUrl, 'is no URL (special characters of the password must be percent-encoded)')
    .optional(),
  DATABASE_POOL_SIZE: wholeNumber(LEAST_CONNECTIONS, 500, 10),
  DATABASE_PREPARED: oneOf(['auto', 'off']).default('auto'),
  DATA_DIR: z.string().min(1).default('./data'),
  SECRET_KEY: masterSecret,
  SECRET_KEY_PREVIOUS: masterSecret,
  SIGNING_KEY_DAYS: wholeNumber(0, 3650, 90).refine(
    (days) => days === 0 || days >= LEAST_SIGNING_KEY_DAYS,
    `must be 0 (never), or ${LEAST_SIGNING_KEY_DAYS} or more`,
  ),
  ENROLMENT: oneOf(['open', 'approval', 'listed']).default('open'),
  DEVICE_KEY: oneOf(['aik', 'cnf']).default('aik'),
  LEGACY_UNBOUND_REQUEST_KEY: oneOf(['refuse', 'accept']).default('refuse'),
  AK_TRUST_ANCHORS: trustAnchors.optional(),
  AK_TRUST_ANCHORS_FILE: z.string().min(1).optional(),
  AK_CERTIFICATE_PURPOSE: oneOf(['required', 'lax']).default('required'),
  AIA_HOSTS: aiaPlaces,
  PUSH_PRIVATE_HOSTS: privateHosts,
  EK_TRUST_ANCHORS: ekTrustAnchors.optional(),
  EK_TRUST_ANCHORS_FILE: z.string().min(1).optional(),
  EK_KEY_TYPES: z
    .string()
    .default('rsa-2048')
    .transform((text) => text.split(','))
    .pipe(z.array(oneOf(EK_KINDS)).min(1)),
  CHALLENGE_TTL_SECONDS: seconds(30, 3600, 300),
  CLOCK_SKEW_SECONDS: seconds(0, MAX_CLOCK_SKEW_SECONDS, 60),
  TOKEN_MAX_AGE_SECONDS: seconds(60, 86_400, 600),
  ATTESTATION_VALIDITY_SECONDS: seconds(300, MAX_ATTESTATION_VALIDITY_SECONDS, 28_800),
  STATUS_LIST_TTL_SECONDS: wholeNumber(0, 86_400, 900).refine(
    (ttl) => ttl === 0 || ttl >= LEAST_STATUS_LIST_TTL_SECONDS,
    `must be 0 (no list), or ${LEAST_STATUS_LIST_TTL_SECONDS} or more`,
  ),
  OUTAGE_GRACE_SECONDS: seconds(0, 604_800, 14_400),
  UNVOUCHED_STEERING: oneOf(['refuse', 'accept']).default('refuse'),
  HOLD_SECONDS: seconds(0, 86_400, 14_400),
  PREVIEW_MAX_AGE_SECONDS: seconds(60, 604_800, 3600),
  SECOND_ADMINISTRATOR: oneOf(['off', 'required']).default('off'),
  CONTROL_INTERVAL_SECONDS: seconds(5, 300, 15),
  HISTORY_DAYS: wholeNumber(1, 3650, 90),
  REFUSAL_DAYS: wholeNumber(1, 3650, 30),
  QUESTIONS_DAYS: wholeNumber(0, 90, 7),
  DECISION_LOG: decisionLog,
  DEVICE_ATTESTATIONS_PER_MINUTE: wholeNumber(1, 6000, 10),
  MAX_CONCURRENT_VERIFICATIONS: wholeNumber(1, 1024, 32),
  MAX_CONCURRENT_SUBMISSIONS: wholeNumber(1, 4096, 256),
  UNVOUCHED_DEVICES_MOST: wholeNumber(0, 1_000_000, 20_000),
  UNVOUCHED_DEVICES_PER_MINUTE: wholeNumber(1, 100_000, 2000),
  DEVICE_IDLE_DAYS: wholeNumber(0, 3650, 180),
  ARCHIVED_DEVICE_DAYS: wholeNumber(1, 3650, 90),
  VERIFIERS: verifiers,
  ...azureSettings,
  ...breakGlassSettings,
  ...vendorSettings,
  ...oauthSettings,
  ...signInSettings,
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
})

/** Every setting there is. */
export const SETTING_NAMES = Object.keys(settings.shape)

export type Config = {
  readonly host: string
  readonly port: number
  /** Base URL without a final slash: our issuer, our AuthZEN identifier, the origin of our routes. */
  readonly publicUrl: string
  /** The bases under which agents may address us in a proof's `htu`. */
  readonly agentOrigins: readonly string[]
  readonly database:
    | { readonly kind: 'embedded'; readonly dataDir: string }
    | {
        readonly kind: 'postgres'
        readonly url: string
        readonly poolSize: number
        /** Whether to look for a pooler, which forgets the names of statements, or to expect one. */
        readonly prepared: 'auto' | 'off'
      }
  readonly dataDir: string
  /** Base64 of 32 bytes; the Node entry keeps one in the data directory when none is given. */
  readonly secretKey: string | undefined
  /** The one before it, while it is being replaced. */
  readonly secretKeyPrevious: string | undefined
  /** After so many days a signing key is followed by another; 0 for never by itself. */
  readonly signingKeyDays: number
  readonly enrolment: 'open' | 'approval' | 'listed'
  /** Which key names a device: the TPM attestation key, or `cnf` where the policy issues no other. */
  readonly deviceKey: 'aik' | 'cnf'
  /** Whether `basic` requests of version 1 count, whose request key nothing vouches for. */
  readonly legacyUnboundRequestKey: 'refuse' | 'accept'
  /** Whom AK certificates must chain to: names, PEM or both; `undefined` leaves hardware unproven. */
  readonly akTrustAnchors: string | undefined
  readonly akTrustAnchorsFile: string | undefined
  /** `lax`: under those anchors a certificate makes an attestation key without saying so. */
  readonly akCertificatePurpose: 'required' | 'lax'
  /** Where certificates of authorities may be fetched from that other certificates name. */
  readonly aiaPlaces: readonly AiaPlace[]
  /** Receivers of events that may be on a private network. */
  readonly pushPrivateHosts: ReadonlySet<string>
  /** PEM bundle of who vouches for endorsement keys; without it no TPM can enrol its keys here. */
  readonly ekTrustAnchors: string | undefined
  readonly ekTrustAnchorsFile: string | undefined
  /** The kinds of endorsement keys that name a TPM. */
  readonly ekKeyTypes: readonly EkKind[]
  readonly challengeTtlSeconds: number
  readonly clockSkewSeconds: number
  readonly tokenMaxAgeSeconds: number
  readonly attestationValiditySeconds: number
  /**
   * How old the list of statuses may be, never longer than evidence counts, since keys that signed it are
   * not accepted for longer; 0 for no list.
   */
  readonly statusListTtlSeconds: number
  /** For how long evidence counts past its end while its verifier cannot be reached. */
  readonly outageGraceSeconds: number
  /** For how long a cause that many good devices met at once does not count; 0 for never. */
  readonly holdSeconds: number
  /** Whether devices that no anchor vouches for are counted, where there are no anchors. */
  readonly unvouchedSteering: 'refuse' | 'accept'
  /** How old a preview may be that a change over HTTP goes by. */
  readonly previewMaxAgeSeconds: number
  /** Whether two administrators have to send what is dangerous. */
  readonly secondAdministrator: 'off' | 'required'
  /** How often rollouts and causes of denial are looked after. */
  readonly controlIntervalSeconds: number
  readonly historyDays: number
  readonly refusalDays: number
  /** How long a sample of the questions is kept that were asked; 0 for none. */
  readonly questionsDays: number
  /** Which decisions are written to the log. */
  readonly decisionLog: DecisionLogMode
  readonly deviceAttestationsPerMinute: number
  readonly maxConcurrentVerifications: number
  readonly maxConcurrentSubmissions: number
  /** Devices on record for whose hardware nobody vouches, and how many of them may be new in a minute. */
  readonly unvouchedDevicesMost: number
  readonly unvouchedDevicesPerMinute: number
  /** After so many days without an attestation a device is archived; 0 for never. */
  readonly deviceIdleDays: number
  /** After so many more it is removed. */
  readonly archivedDeviceDays: number
  /** `built-in` and URLs of Azure providers: the first that can answers an agent's evidence. */
  readonly verifiers: readonly string[]
  readonly azure: AzureConfig
  readonly azureClientCertificatePath: string | undefined
  /** How callers are known by access tokens. */
  readonly oauth: OAuthConfig
  readonly signIn: SignInConfig
  /** Who may grant access when nothing else answers; absent where nobody may. */
  readonly breakGlass: BreakGlassConfig | undefined
  /** Which identity providers may ask at endpoints of their own. */
  readonly vendors: VendorConfig
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/**
 * Reads every setting once and refuses with all mistakes at once; unset means the safe default. Keys of the
 * vectors are a mistake everywhere but in the service that makes the vectors.
 */
export function parseConfig(
  environment: Environment,
  options: { readonly acceptPublishedKeys?: true } = {},
): Result<Config, ConfigFailure> {
  const given = Object.fromEntries(
    Object.keys(settings.shape).flatMap((name) => {
      const value = environment[name]
      return value === undefined || value === '' ? [] : [[name, value]]
    }),
  )
  const parsed = settings.safeParse(given)
  const mistakes = parsed.success ? [] : parsed.error.issues.map(describeMistake)
  mistakes.push(...contradictions(given))
  if (options.acceptPublishedKeys !== true) mistakes.push(...publishedKeyMistakes(given))
  if (!parsed.success || mistakes.length > 0) return err({ reason: 'config_invalid', mistakes })
  return ok(toConfig(parsed.data))
}

function describeMistake(issue: z.core.$ZodIssue): string {
  return `${issue.path.join('.')}: ${describeIssue(issue)}`
}

function contradictions(given: Environment): string[] {
  const found: string[] = []
  const host = given.HOST ?? LOOPBACK[0] ?? ''
  if (given.PUBLIC_URL === undefined && !isLoopback(host)) {
    found.push(`PUBLIC_URL: is needed when HOST (${host}) is not a loopback address`)
  }
  for (const name of ['AK_TRUST_ANCHORS', 'EK_TRUST_ANCHORS', 'OAUTH_ISSUERS', 'SIGN_IN_CLIENTS']) {
    if (given[name] !== undefined && given[`${name}_FILE`] !== undefined) {
      found.push(`${name}: give either this or ${name}_FILE`)
    }
  }
  if (given.SECRET_KEY !== undefined && given.SECRET_KEY === given.SECRET_KEY_PREVIOUS) {
    found.push('SECRET_KEY_PREVIOUS: is SECRET_KEY itself; give the one before it, or leave it out')
  }
  return [
    ...found,
    ...missingCredentials(given),
    ...breakGlassContradictions(given),
    ...vendorContradictions(given),
  ]
}

function toConfig(s: z.infer<typeof settings>): Config {
  const local = ['localhost', '127.0.0.1', '[::1]'].map((name) => `http://${name}:${s.PORT}`)
  const publicUrl = s.PUBLIC_URL ?? `http://localhost:${s.PORT}`
  return {
    host: s.HOST,
    port: s.PORT,
    publicUrl,
    agentOrigins: s.PUBLIC_URL === undefined ? local : [publicUrl],
    database:
      s.DATABASE_URL === undefined
        ? { kind: 'embedded', dataDir: s.DATA_DIR }
        : {
            kind: 'postgres',
            url: s.DATABASE_URL,
            poolSize: s.DATABASE_POOL_SIZE,
            prepared: s.DATABASE_PREPARED,
          },
    dataDir: s.DATA_DIR,
    secretKey: s.SECRET_KEY,
    secretKeyPrevious: s.SECRET_KEY_PREVIOUS,
    signingKeyDays: s.SIGNING_KEY_DAYS,
    enrolment: s.ENROLMENT,
    deviceKey: s.DEVICE_KEY,
    legacyUnboundRequestKey: s.LEGACY_UNBOUND_REQUEST_KEY,
    akTrustAnchors: s.AK_TRUST_ANCHORS,
    akTrustAnchorsFile: s.AK_TRUST_ANCHORS_FILE,
    akCertificatePurpose: s.AK_CERTIFICATE_PURPOSE,
    aiaPlaces: s.AIA_HOSTS,
    pushPrivateHosts: s.PUSH_PRIVATE_HOSTS,
    ekTrustAnchors: s.EK_TRUST_ANCHORS,
    ekTrustAnchorsFile: s.EK_TRUST_ANCHORS_FILE,
    ekKeyTypes: s.EK_KEY_TYPES,
    challengeTtlSeconds: s.CHALLENGE_TTL_SECONDS,
    clockSkewSeconds: s.CLOCK_SKEW_SECONDS,
    tokenMaxAgeSeconds: s.TOKEN_MAX_AGE_SECONDS,
    attestationValiditySeconds: s.ATTESTATION_VALIDITY_SECONDS,
    statusListTtlSeconds: Math.min(s.STATUS_LIST_TTL_SECONDS, s.ATTESTATION_VALIDITY_SECONDS),
    outageGraceSeconds: s.OUTAGE_GRACE_SECONDS,
    holdSeconds: s.HOLD_SECONDS,
    unvouchedSteering: s.UNVOUCHED_STEERING,
    previewMaxAgeSeconds: s.PREVIEW_MAX_AGE_SECONDS,
    secondAdministrator: s.SECOND_ADMINISTRATOR,
    controlIntervalSeconds: s.CONTROL_INTERVAL_SECONDS,
    historyDays: s.HISTORY_DAYS,
    refusalDays: s.REFUSAL_DAYS,
    questionsDays: s.QUESTIONS_DAYS,
    decisionLog: s.DECISION_LOG,
    deviceAttestationsPerMinute: s.DEVICE_ATTESTATIONS_PER_MINUTE,
    maxConcurrentVerifications: s.MAX_CONCURRENT_VERIFICATIONS,
    maxConcurrentSubmissions: s.MAX_CONCURRENT_SUBMISSIONS,
    unvouchedDevicesMost: s.UNVOUCHED_DEVICES_MOST,
    unvouchedDevicesPerMinute: s.UNVOUCHED_DEVICES_PER_MINUTE,
    deviceIdleDays: s.DEVICE_IDLE_DAYS,
    archivedDeviceDays: s.ARCHIVED_DEVICE_DAYS,
    verifiers: s.VERIFIERS,
    azure: readAzureConfig(s),
    azureClientCertificatePath: s.AZURE_CLIENT_CERTIFICATE_PATH,
    oauth: readOAuthConfig(s),
    signIn: readSignInConfig(s),
    breakGlass: readBreakGlassConfig(s),
    vendors: readVendorConfig(s),
    logLevel: s.LOG_LEVEL,
  }
}
