import { describeServer } from './describe-server.ts'

/** A setting as it stands, for people. */
export type DescribedSetting = {
  readonly name: string
  /** Whether somebody gave it: else it is as it is by itself. */
  readonly isGiven: boolean
  /** Absent for a secret, and for what there is none of. */
  readonly value: string | undefined
  readonly isSecret: boolean
}

/**
 * Settings whose values are nobody's secret. Every other one is told of only whether it is given: one that is new is
 * kept back until it stands here.
 */
const PUBLIC: ReadonlySet<string> = new Set([
  ...['HOST', 'PORT', 'PUBLIC_URL', 'DATABASE_POOL_SIZE', 'DATABASE_PREPARED', 'DATA_DIR'],
  ...['SIGNING_KEY_DAYS', 'ENROLMENT', 'DEVICE_KEY', 'LEGACY_UNBOUND_REQUEST_KEY'],
  ...['AK_TRUST_ANCHORS', 'AK_TRUST_ANCHORS_FILE', 'AK_CERTIFICATE_PURPOSE', 'AIA_HOSTS'],
  ...['EK_TRUST_ANCHORS', 'EK_TRUST_ANCHORS_FILE', 'EK_KEY_TYPES', 'PUSH_PRIVATE_HOSTS'],
  ...['CHALLENGE_TTL_SECONDS', 'CLOCK_SKEW_SECONDS', 'TOKEN_MAX_AGE_SECONDS'],
  ...['ATTESTATION_VALIDITY_SECONDS', 'STATUS_LIST_TTL_SECONDS', 'OUTAGE_GRACE_SECONDS'],
  ...['UNVOUCHED_STEERING', 'HOLD_SECONDS', 'PREVIEW_MAX_AGE_SECONDS', 'SECOND_ADMINISTRATOR'],
  ...['CONTROL_INTERVAL_SECONDS', 'HISTORY_DAYS', 'REFUSAL_DAYS', 'QUESTIONS_DAYS'],
  ...['DEVICE_IDLE_DAYS', 'ARCHIVED_DEVICE_DAYS', 'DECISION_LOG', 'LOG_LEVEL', 'VERIFIERS'],
  ...['DEVICE_ATTESTATIONS_PER_MINUTE', 'MAX_CONCURRENT_VERIFICATIONS'],
  ...['MAX_CONCURRENT_SUBMISSIONS', 'MAX_CONCURRENT_RELAYS', 'UNVOUCHED_DEVICES_MOST'],
  ...['UNVOUCHED_DEVICES_PER_MINUTE', 'AZURE_CREDENTIAL', 'AZURE_TENANT_ID', 'AZURE_CLIENT_ID'],
  ...['AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE', 'AZURE_CLOUD'],
  ...['AZURE_AUTHORITY_HOST', 'AZURE_ATTESTATION_SCOPE', 'AZURE_TIMEOUT_SECONDS'],
  ...['BREAK_GLASS_KEYS', 'BREAK_GLASS_THRESHOLD', 'BREAK_GLASS_MAX_SECONDS'],
  ...['ENTRA_TENANT_ID', 'ENTRA_APP_ID', 'ENTRA_AUTHORITY', 'OKTA_ORGANISATION', 'OKTA_DENIAL'],
  ...['CLOUDFLARE_TEAM', 'CLOUDFLARE_POSTURE_AUDIENCE', 'GOOGLE_SERVICE_ACCOUNT_FILE'],
  ...['GOOGLE_ADMINISTRATOR', 'OAUTH_TOKEN_SECONDS', 'OAUTH_ISSUERS', 'OAUTH_ISSUERS_FILE'],
  ...['OAUTH_PRIVATE_HOSTS', 'SIGN_IN_CLIENTS', 'SIGN_IN_CLIENTS_FILE', 'SIGN_IN_AGENT_PORT'],
  ...['CONSOLE_ISSUER', 'CONSOLE_CLIENT_ID', 'CONSOLE_SCOPE', 'CONSOLE_ROLES_CLAIM'],
  ...['CONSOLE_ROLES', 'CONSOLE_IDLE_SECONDS', 'CONSOLE_SESSION_SECONDS', 'CONSOLE_ROLES_SECONDS'],
  ...['EXPIRY_WARNING_DAYS', 'OTEL_SDK_DISABLED', 'OTEL_SERVICE_NAME', 'OTEL_RESOURCE_ATTRIBUTES'],
  ...['OTEL_TRACES_EXPORTER', 'OTEL_TRACES_SAMPLER', 'OTEL_TRACES_SAMPLER_ARG'],
  ...['OTEL_METRICS_EXPORTER', 'OTEL_METRIC_EXPORT_INTERVAL'],
])

/** With a password in it, but where it leads is worth knowing. */
const DATABASE = 'DATABASE_URL'

/**
 * Settings as they stand: `given` as somebody wrote them, `read` as they are read, with what those are that nobody
 * gave.
 */
export function describeSettings(
  names: readonly string[],
  given: Readonly<Record<string, string | undefined>>,
  read: Readonly<Record<string, unknown>>,
): readonly DescribedSetting[] {
  return names.map((name) => {
    const text = given[name]
    const isGiven = text !== undefined
    if (name === DATABASE && isGiven) {
      return { name, isGiven, value: describeServer(text), isSecret: false }
    }
    const isSecret = !PUBLIC.has(name)
    const value = isSecret ? undefined : isGiven ? text : presetText(read[name])
    return { name, isGiven, value, isSecret }
  })
}

/** What a setting is that nobody gave. */
function presetText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (value instanceof Set) return [...value].join(',')
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) return value.join(',')
  // A choice that may say more than which one it is.
  if (typeof value === 'object' && 'kind' in value && Object.keys(value).length === 1) {
    return String(value.kind)
  }
  const isPlain = ['string', 'number', 'boolean'].includes(typeof value)
  return isPlain ? String(value) : JSON.stringify(value)
}
