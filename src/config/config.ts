import { z } from 'zod'
import {
  type AzureConfig,
  azureSettings,
  missingCredentials,
  readAzureConfig,
  verifiers,
} from '../azure/settings.ts'
import { describeIssue, oneOf, origin, seconds, wholeNumber } from '../base/fields.ts'
import { err, ok, type Result } from '../base/result.ts'
import { type AlertConfig, alertSettings, readAlertConfig } from './alert-settings.ts'
import {
  type BreakGlassConfig,
  breakGlassContradictions,
  breakGlassSettings,
  readBreakGlassConfig,
} from './break-glass-settings.ts'
import {
  type CertificateConfig,
  certificateSettings,
  readCertificateConfig,
} from './certificate-settings.ts'
import {
  type ConsoleConfig,
  consoleContradictions,
  consoleSettings,
  readConsoleConfig,
} from './console-settings.ts'
import { type DatabaseConfig, databaseSettings, readDatabaseConfig } from './database-settings.ts'
import { type DecisionLogMode, decisionLog } from './decision-log.ts'
import { type DescribedSetting, describeSettings } from './describe-settings.ts'
import { type LimitConfig, limitSettings, readLimitConfig } from './limit-settings.ts'
import { isLoopback, LOOPBACK } from './loopback.ts'
import { type OAuthConfig, oauthSettings, readOAuthConfig } from './oauth-settings.ts'
import { privateHosts } from './private-hosts.ts'
import { publishedKeyMistakes } from './published-settings.ts'
import {
  type RetentionConfig,
  readRetentionConfig,
  retentionSettings,
} from './retention-settings.ts'
import { readSignInConfig, type SignInConfig, signInSettings } from './sign-in-settings.ts'
import {
  readTelemetryConfig,
  type TelemetryConfig,
  telemetrySettings,
} from './telemetry-settings.ts'
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

const masterSecret = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/, 'must be 32 bytes in base64 (openssl rand -base64 32)')
  .optional()

export const MAX_CLOCK_SKEW_SECONDS = 600
export const MAX_ATTESTATION_VALIDITY_SECONDS = 2_592_000

/** With a shorter time there would be more keys for receipts than a key set may have. */
const LEAST_SIGNING_KEY_DAYS = 30

/** In less the list could not be signed again, and fetched, before it ends. */
const LEAST_STATUS_LIST_TTL_SECONDS = 300

const settings = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535, 8080),
  PUBLIC_URL: origin.optional(),
  ...databaseSettings,
  SECRET_KEY: masterSecret,
  SECRET_KEY_PREVIOUS: masterSecret,
  SIGNING_KEY_DAYS: wholeNumber(0, 3650, 90).refine(
    (days) => days === 0 || days >= LEAST_SIGNING_KEY_DAYS,
    `must be 0 (never), or ${LEAST_SIGNING_KEY_DAYS} or more`,
  ),
  ENROLMENT: oneOf(['open', 'approval', 'listed']).default('open'),
  DEVICE_KEY: oneOf(['aik', 'cnf']).default('aik'),
  LEGACY_UNBOUND_REQUEST_KEY: oneOf(['refuse', 'accept']).default('refuse'),
  ...certificateSettings,
  PUSH_PRIVATE_HOSTS: privateHosts,
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
  ...retentionSettings,
  ...alertSettings,
  ...telemetrySettings,
  DECISION_LOG: decisionLog,
  ...limitSettings,
  VERIFIERS: verifiers,
  ...azureSettings,
  ...breakGlassSettings,
  ...vendorSettings,
  ...oauthSettings,
  ...signInSettings,
  ...consoleSettings,
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
})

/** Every setting there is. */
export const SETTING_NAMES = Object.keys(settings.shape)

export type Config = CertificateConfig &
  RetentionConfig &
  AlertConfig &
  LimitConfig & {
    readonly host: string
    readonly port: number
    /** Base URL without a final slash: our issuer, our AuthZEN identifier, the origin of our routes. */
    readonly publicUrl: string
    /** The bases under which agents may address us in a proof's `htu`. */
    readonly agentOrigins: readonly string[]
    readonly database: DatabaseConfig
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
    /** Receivers of events that may be on a private network. */
    readonly pushPrivateHosts: ReadonlySet<string>
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
    /** Which decisions are written to the log. */
    readonly decisionLog: DecisionLogMode
    /** `built-in` and URLs of Azure providers: the first that can answers an agent's evidence. */
    readonly verifiers: readonly string[]
    readonly azure: AzureConfig
    readonly azureClientCertificatePath: string | undefined
    /** How callers are known by access tokens. */
    readonly oauth: OAuthConfig
    readonly signIn: SignInConfig
    /** How people sign in to the console. */
    readonly console: ConsoleConfig
    /** Who may grant access when nothing else answers; absent where nobody may. */
    readonly breakGlass: BreakGlassConfig | undefined
    /** Which identity providers may ask at endpoints of their own. */
    readonly vendors: VendorConfig
    /** Where traces and metrics are sent; absent where they are not. */
    readonly telemetry: TelemetryConfig | undefined
    readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
    /** Every setting by its name, as it stands, for people to look at; no secret is in it. */
    readonly described: readonly DescribedSetting[]
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
  return ok({
    ...toConfig(parsed.data),
    described: describeSettings(SETTING_NAMES, given, parsed.data),
  })
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
    ...consoleContradictions(given),
  ]
}

function toConfig(s: z.infer<typeof settings>): Omit<Config, 'described'> {
  const local = ['localhost', '127.0.0.1', '[::1]'].map((name) => `http://${name}:${s.PORT}`)
  const publicUrl = s.PUBLIC_URL ?? `http://localhost:${s.PORT}`
  return {
    host: s.HOST,
    port: s.PORT,
    publicUrl,
    agentOrigins: s.PUBLIC_URL === undefined ? local : [publicUrl],
    database: readDatabaseConfig(s),
    dataDir: s.DATA_DIR,
    secretKey: s.SECRET_KEY,
    secretKeyPrevious: s.SECRET_KEY_PREVIOUS,
    signingKeyDays: s.SIGNING_KEY_DAYS,
    enrolment: s.ENROLMENT,
    deviceKey: s.DEVICE_KEY,
    legacyUnboundRequestKey: s.LEGACY_UNBOUND_REQUEST_KEY,
    ...readCertificateConfig(s),
    pushPrivateHosts: s.PUSH_PRIVATE_HOSTS,
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
    ...readRetentionConfig(s),
    ...readAlertConfig(s),
    decisionLog: s.DECISION_LOG,
    ...readLimitConfig(s),
    verifiers: s.VERIFIERS,
    azure: readAzureConfig(s),
    azureClientCertificatePath: s.AZURE_CLIENT_CERTIFICATE_PATH,
    oauth: readOAuthConfig(s),
    signIn: readSignInConfig(s),
    console: readConsoleConfig(s),
    breakGlass: readBreakGlassConfig(s),
    vendors: readVendorConfig(s),
    telemetry: readTelemetryConfig(s),
    logLevel: s.LOG_LEVEL,
  }
}
