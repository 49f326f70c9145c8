import { createSecretKey } from 'node:crypto'
import { importJWK, type JSONWebKeySet } from 'jose'
import { ringOf } from '../access/device-id.ts'
import {
  type DeviceTokenClaims,
  type DeviceTokenFailure,
  issueDeviceToken,
  type VerifiedDeviceToken,
  verifyDeviceToken,
} from '../access/device-token.ts'
import { type DecisionFacts, issueReceipt } from '../access/receipt/receipt.ts'
import type { Verdict } from '../access/trust-record.ts'
import type { KeySets } from '../azure/key-sets.ts'
import { connectProviders } from '../azure/providers.ts'
import type { AzureRelay } from '../azure/relay.ts'
import { BUILT_IN } from '../azure/settings.ts'
import { toBase32 } from '../base/encoding.ts'
import type { Log } from '../base/log.ts'
import { createLogBudget, type LogBudget } from '../base/log-budget.ts'
import { createMetrics, type Metrics } from '../base/metrics.ts'
import { createRandomSource } from '../base/random.ts'
import type { Result } from '../base/result.ts'
import type { Config } from '../config/config.ts'
import { provesHardware, readTrustAnchors, requiresHardware } from '../config/trust-anchors.ts'
import { importKeySet } from '../evidence/jws/key-set.ts'
import type { TokenIssuer } from '../evidence/token/attestation-token.ts'
import {
  CLIENT_REFUSALS_PER_MINUTE,
  type ClientDirectory,
  createClientDirectory,
} from '../keys/client-directory.ts'
import type { MasterSecret } from '../keys/master-secret.ts'
import { derivePurposeKey } from '../keys/sealing.ts'
import { loadSigningKeys, type SigningKeys } from '../keys/signing-keys.ts'
import { createDeviceLimiter, type DeviceLimiter } from '../operations/attest/device-limiter.ts'
import type { EnrolmentServices } from '../operations/attest/enrolment-services.ts'
import { createReportExaminer, type ReportExaminer } from '../operations/attest/examine-report.ts'
import {
  createIssuerDirectory,
  type IssuerDirectory,
} from '../operations/attest/issuer-directory.ts'
import { createMemory, type Memory } from '../operations/attest/memory.ts'
import { prepareEnrolment } from '../operations/attest/prepare-enrolment.ts'
import { createSharedKeys, type SharedKeys } from '../operations/attest/shared-keys.ts'
import { createContextSpender } from '../operations/attest/spend-context.ts'
import { createTokenIssuers, type TokenIssuers } from '../operations/attest/token-issuers.ts'
import { trustUnder } from '../operations/attest/trust-in-force.ts'
import {
  createUnvouchedDevices,
  type UnvouchedDevices,
} from '../operations/attest/unvouched-devices.ts'
import { createShadowDecisions, type ShadowDecisions } from '../operations/decide/shadow.ts'
import { whoSteers } from '../operations/jobs/who-steers.ts'
import { createRulesReader, type RulesReader } from '../operations/release/rules-in-force.ts'
import type { Store } from '../store/store.ts'
import { BUILT_IN_POLICY_HASH } from '../verifier/built-in-policy.ts'
import type { PublishedCertificate } from '../verifier/protocol/metadata.ts'
import type { SpendContext } from '../verifier/protocol/service-context.ts'
import type { AikTrust } from '../verifier/steps/attestation-key.ts'
import type { VerifierConfig, VerifierKeys } from '../verifier/verifier.ts'
import { prepareBreakGlass, type VerifyBreakGlass } from './break-glass.ts'
import { ensureDocuments, listsTrustAnchors } from './first-documents.ts'

/** Everything that handlers work with. Made once; only this file knows what stands behind each. */
export type Services = {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly store: Store
  readonly clock: () => Date
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  readonly rules: RulesReader
  /** What rollouts do to the questions that this process is asked. */
  readonly shadow: ShadowDecisions
  /** Whether the tokens of a provider are believed that it gave this process. */
  readonly reports: ReportExaminer
  /** Tells processes apart that work on one database. */
  readonly processId: string
  readonly clients: ClientDirectory
  /** Requests whose credentials or scope were refused, by client. */
  readonly clientRefusals: DeviceLimiter
  /** What a TPM enrols its keys with. */
  readonly enrolment: EnrolmentServices
  /** Attempts that are recorded, and refused attempts that are kept, each by device. */
  readonly limiter: DeviceLimiter
  readonly refusalLimiter: DeviceLimiter
  /** Who may become a new row although nobody vouches for its hardware. */
  readonly unvouched: UnvouchedDevices
  readonly sharedKeys: SharedKeys
  /** For what anybody can bring about. */
  readonly logBudget: LogBudget
  /** Nonces that attestations used up here: who sends one again is told so, at no cost to the device. */
  readonly spentNonces: Memory
  readonly secrets: { readonly nonce: Uint8Array }
  /** The ring of a device by what names it: the same in all processes, and known to nobody else. */
  readonly ringOf: (identity: Uint8Array) => number
  readonly issuers: TokenIssuers
  /** By URL, one for each Azure provider among the configured verifiers. */
  readonly relays: ReadonlyMap<string, AzureRelay>
  /** Of the same providers. */
  readonly keySets: KeySets
  /** Certificates of authorities, for attestation keys that come without them. */
  readonly issuerDirectory: IssuerDirectory
  /** Whether each configured verifier answers, by its name there. */
  readonly verifierStates: () => Readonly<Record<string, boolean>>
  readonly verifier: {
    readonly config: VerifierConfig
    readonly keys: VerifierKeys
    readonly published: readonly PublishedCertificate[]
    /** Whom to believe about attestation keys: `config.trust` and what reference values list. */
    readonly trustInForce: () => Promise<AikTrust>
    /** Uses up the service context that a message answers. */
    readonly spendContext: SpendContext
  }
  readonly deviceTokenKeys: JSONWebKeySet
  readonly issueDeviceToken: (claims: DeviceTokenClaims) => Promise<string>
  readonly verifyDeviceToken: (
    token: string,
  ) => Promise<Result<VerifiedDeviceToken, DeviceTokenFailure>>
  /** Whether a break-glass token opens; asks no store. */
  readonly verifyBreakGlass: VerifyBreakGlass
  /** What device tokens and receipts are verified with by others: `/.well-known/jwks.json`. */
  readonly publishedKeys: JSONWebKeySet
  /** Signs what a decision came to, under a fresh id. */
  readonly issueReceipt: (facts: DecisionFacts) => Promise<string>
  /** Set when the process is on its way down and should get no more requests. */
  readonly lifecycle: { draining: boolean }
}

export type ServicesInput = {
  readonly config: Config
  readonly log: Log
  readonly store: Store
  readonly masterSecret: MasterSecret
  readonly clock: () => Date
  /**
   * The first reference values where hardware is unproven anyway: those of simulated devices, so
   * that the service can be tried out. Whoever leaves it out begins with none.
   */
  readonly simulatedHardware?: object | undefined
}

const MAX_SPENT_NONCES = 50_000
const BUILT_IN_TOKEN_LIFETIME_MS = 8 * 3600 * 1000

export async function createServices(input: ServicesInput): Promise<Services> {
  const { config, log, store, masterSecret, clock } = input
  const now = clock()
  const issuer = config.publicUrl
  const keys = await loadSigningKeys({ store, masterSecret, issuer, now })
  const limiter = createDeviceLimiter(config.deviceAttestationsPerMinute)
  const random = createRandomSource()
  const logBudget = createLogBudget(log)
  const places = config.aiaPlaces
  const issuerDirectory = createIssuerDirectory({ store, places, clock, log, logBudget })
  const ringSecret = createSecretKey(derivePurposeKey(masterSecret, 'rollout ring'))
  const ring = (identity: Uint8Array) => ringOf(identity, ringSecret)
  const shared = {
    ringOf: ring,
    config,
    keys,
    masterSecret,
    store,
    issuerDirectory,
    limiter,
    random,
    clock,
  }
  const enrolment = prepareEnrolment(shared)
  const akTrust = readTrustAnchors(config.akTrustAnchors, config.akCertificatePurpose)
  const trust = { ...akTrust, enrolment: enrolment.trust }
  const verifiesHere = config.verifiers.includes(BUILT_IN)
  const isHardwareProven = provesHardware(config)
  await ensureDocuments(store, now, isHardwareProven ? undefined : input.simulatedHardware)
  if (!isHardwareProven && !(await listsTrustAnchors(store))) {
    log.warn('hardware_unproven', {
      consequence: 'any attestation key is accepted and simulated devices can become trusted',
      remedy: 'set AK_TRUST_ANCHORS or EK_TRUST_ANCHORS, or list trust_anchors',
    })
  }
  if (config.legacyUnboundRequestKey === 'accept') {
    log.warn('legacy_unbound_request_key_accepted', {
      consequence: 'whoever has the evidence of a version 1 device gets tokens with its claims',
      remedy: 'unset LEGACY_UNBOUND_REQUEST_KEY when all agents send attReqV2, or vbs',
    })
  }
  if (config.akCertificatePurpose === 'lax') {
    log.warn('certificates_of_any_purpose_accepted', {
      consequence: 'whatever the authorities certify for signatures counts as a key in a TPM',
      remedy: 'unset AK_CERTIFICATE_PURPOSE, and list the one authority that needs it as lax',
    })
  }
  if (config.unvouchedSteering === 'accept') {
    log.warn('unvouched_steering_accepted', {
      consequence:
        'without trust anchors, whoever attests with many devices of his own making can have causes of denial held',
      remedy: 'set AK_TRUST_ANCHORS or AK_TRUST_ANCHORS_FILE, and unset UNVOUCHED_STEERING',
    })
  }
  const rules = createRulesReader(store, {
    clock,
    outageGraceMs: config.outageGraceSeconds * 1000,
    requiresHardware: requiresHardware(config),
  })
  const azure = connectProviders(config, clock)
  const countOfDevices = () => countDevices(store, clock())
  const processId = toBase32(random(10))
  const issuers = createTokenIssuers({
    builtIn: verifiesHere ? await builtInIssuer(keys, issuer, now) : undefined,
    ...azure,
    rules,
    clock,
  })
  const tokens = await deviceTokens(keys, { issuer, clock, now })
  return {
    config,
    log,
    metrics: createMetrics({ countDevices: countOfDevices, verifiers: azure.states }),
    store,
    clock,
    random,
    rules,
    shadow: createShadowDecisions({
      store,
      reporter: processId,
      counts: (record, { active }) => whoSteers(config, active.referenceValues).budgets(record),
    }),
    reports: createReportExaminer({ issuers, store, config, log, clock, reporter: processId }),
    processId,
    clients: createClientDirectory(store, clock),
    clientRefusals: createDeviceLimiter(CLIENT_REFUSALS_PER_MINUTE),
    limiter,
    enrolment: enrolment.services,
    refusalLimiter: createDeviceLimiter(config.deviceAttestationsPerMinute),
    unvouched: createUnvouchedDevices(store, {
      perMinute: config.unvouchedDevicesPerMinute,
      most: config.unvouchedDevicesMost,
    }),
    sharedKeys: createSharedKeys(),
    spentNonces: createMemory(MAX_SPENT_NONCES),
    logBudget,
    secrets: { nonce: derivePurposeKey(masterSecret, 'challenge nonce') },
    ringOf: ring,
    issuers,
    relays: azure.relays,
    keySets: azure.keySets,
    issuerDirectory,
    verifierStates: azure.states,
    verifier: builtInVerifier(keys, {
      ...{ config, trust, issuerDirectory, masterSecret, rules, store, clock, now },
    }),
    ...tokens,
    publishedKeys: {
      keys: [...tokens.deviceTokenKeys.keys, ...keys.publishedKeySet('receipt', now).keys],
    },
    verifyBreakGlass: await prepareBreakGlass(config, { log, clock }),
    issueReceipt: receiptIssuer(keys, { issuer, random, now }),
    lifecycle: { draining: false },
  }
}

/** Not a number while nobody can count: metrics are wanted most when the store is down. */
async function countDevices(store: Store, now: Date): Promise<Readonly<Record<Verdict, number>>> {
  try {
    return (await store.counts(now)).devices
  } catch {
    return { trusted: NaN, untrusted: NaN, stale: NaN, unknown: NaN, quarantined: NaN }
  }
}

async function builtInIssuer(keys: SigningKeys, issuer: string, now: Date): Promise<TokenIssuer> {
  const set = await importKeySet(keys.publishedKeySet('attestation', now))
  if (!set.ok) throw new Error(`our own key set cannot be used: ${set.failure.reason}`)
  return { issuer, keys: set.value, attestationPolicyHashes: [BUILT_IN_POLICY_HASH] }
}

function builtInVerifier(
  keys: SigningKeys,
  input: {
    readonly config: Config
    readonly trust: AikTrust
    readonly issuerDirectory: IssuerDirectory
    readonly masterSecret: MasterSecret
    readonly rules: RulesReader
    readonly store: Store
    readonly clock: () => Date
    readonly now: Date
  },
): Services['verifier'] {
  const { config, trust, issuerDirectory, masterSecret, rules, store, clock, now } = input
  const { kid, certificate, privateKey } = keys.signingKey('attestation', now)
  if (certificate === null) throw new TypeError('an attestation key has a certificate')
  return {
    config: {
      issuer: config.publicUrl,
      trust,
      legacyUnboundRequestKey: config.legacyUnboundRequestKey,
      challengeLifetimeMs: config.challengeTtlSeconds * 1000,
      tokenLifetimeMs: BUILT_IN_TOKEN_LIFETIME_MS,
    },
    keys: {
      serviceContext: [derivePurposeKey(masterSecret, 'service context')],
      tokenSigning: { kid, x5c: [certificate], privateKey: privateKey.cryptoKey },
    },
    published: keys.publishedKeySet('attestation', now).keys.map((key) => ({
      kid: key.kid ?? '',
      x5c: key.x5c ?? [],
    })),
    async trustInForce() {
      const { referenceValues } = await rules.recent()
      const inForce = trustUnder(trust, referenceValues, clock())
      return issuerDirectory.supply(inForce)
    },
    spendContext: createContextSpender({
      store,
      limiter: createDeviceLimiter(config.deviceAttestationsPerMinute),
      clock,
    }),
  }
}

async function deviceTokens(
  keys: SigningKeys,
  input: { readonly issuer: string; readonly clock: () => Date; readonly now: Date },
): Promise<Pick<Services, 'deviceTokenKeys' | 'issueDeviceToken' | 'verifyDeviceToken'>> {
  const { issuer, clock, now } = input
  const published = keys.publishedKeySet('device-token', now)
  const { kid, privateKey } = keys.signingKey('device-token', now)
  const signer = { kid, sign: privateKey.sign }
  const verifying = new Map<string, CryptoKey>()
  for (const jwk of published.keys) {
    const key = await importJWK(jwk, 'ES256')
    if (jwk.kid !== undefined && key instanceof CryptoKey) verifying.set(jwk.kid, key)
  }
  return {
    deviceTokenKeys: published,
    issueDeviceToken: (claims) => issueDeviceToken(claims, { issuer, signer }),
    verifyDeviceToken: (token) =>
      verifyDeviceToken(token, { issuer, keyOf: (id) => verifying.get(id), now: clock() }),
  }
}

/** Its own key, so that nothing that is signed here can be taken for a device token. */
function receiptIssuer(
  keys: SigningKeys,
  input: {
    readonly issuer: string
    readonly random: (length: number) => Uint8Array
    readonly now: Date
  },
): Services['issueReceipt'] {
  const { issuer, random, now } = input
  const { kid, privateKey } = keys.signingKey('receipt', now)
  const signer = { kid, sign: privateKey.sign }
  return (facts) => issueReceipt(facts, { issuer, signer, jti: `rcp_${toBase32(random(16))}` })
}
