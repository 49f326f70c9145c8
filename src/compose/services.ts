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
import type { Config } from '../config/config.ts'
import { provesHardware, readTrustAnchors, requiresHardware } from '../config/trust-anchors.ts'
import {
  CLIENT_REFUSALS_PER_MINUTE,
  type ClientDirectory,
  createClientDirectory,
} from '../keys/client-directory.ts'
import type { MasterSecrets } from '../keys/master-secret.ts'
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
import { BUILT_IN_TOKEN_LIFETIME_MS } from '../operations/keys/key-lifetimes.ts'
import { createRulesReader, type RulesReader } from '../operations/release/rules-in-force.ts'
import type { Store } from '../store/store.ts'
import type { PublishedCertificate } from '../verifier/protocol/metadata.ts'
import type { SpendContext } from '../verifier/protocol/service-context.ts'
import type { AikTrust } from '../verifier/steps/attestation-key.ts'
import type { VerifierConfig, VerifierKeys } from '../verifier/verifier.ts'
import { prepareBreakGlass, type VerifyBreakGlass } from './break-glass.ts'
import { ensureDocuments, listsTrustAnchors } from './first-documents.ts'
import { createKeyServices, type KeyServices } from './keys.ts'

/** Everything that handlers work with. Made once; only this file knows what stands behind each. */
export type Services = KeyServices & {
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
    /** Its keys at this moment. */
    readonly keys: () => Promise<VerifierKeys>
    readonly published: () => Promise<readonly PublishedCertificate[]>
    /** Whom to believe about attestation keys: `config.trust` and what reference values list. */
    readonly trustInForce: () => Promise<AikTrust>
    /** Uses up the service context that a message answers. */
    readonly spendContext: SpendContext
  }
  /** Whether a break-glass token opens; asks no store. */
  readonly verifyBreakGlass: VerifyBreakGlass
  /** Set when the process is on its way down and should get no more requests. */
  readonly lifecycle: { draining: boolean }
}

export type ServicesInput = {
  readonly config: Config
  readonly log: Log
  readonly store: Store
  readonly secrets: MasterSecrets
  readonly clock: () => Date
  /**
   * The first reference values where hardware is unproven anyway: those of simulated devices, so
   * that the service can be tried out. Whoever leaves it out begins with none.
   */
  readonly simulatedHardware?: object | undefined
}

const MAX_SPENT_NONCES = 50_000

export async function createServices(input: ServicesInput): Promise<Services> {
  const { config, log, store, secrets, clock } = input
  const now = clock()
  const issuer = config.publicUrl
  const limiter = createDeviceLimiter(config.deviceAttestationsPerMinute)
  const random = createRandomSource()
  const keys = await createKeyServices({ store, secrets, issuer, log, clock, random })
  const logBudget = createLogBudget(log)
  const places = config.aiaPlaces
  const issuerDirectory = createIssuerDirectory({ store, places, clock, log, logBudget })
  const shared = {
    ringOf: keys.ringOf,
    ticketKeys: keys.sealing.ticket,
    enrolmentAuthority: keys.enrolmentAuthority,
    config,
    store,
    issuerDirectory,
    limiter,
    random,
    clock,
  }
  const enrolment = prepareEnrolment(shared)
  const akTrust = readTrustAnchors(config.akTrustAnchors, config.akCertificatePurpose)
  const trustNow = async (): Promise<AikTrust> => {
    const authorities = await keys.enrolmentAuthorities()
    return { ...akTrust, enrolment: { authorities, ekAnchors: enrolment.ekAnchors } }
  }
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
    builtIn: verifiesHere ? keys.builtInIssuer : undefined,
    ...azure,
    rules,
    clock,
  })
  return {
    ...keys,
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
    enrolment,
    refusalLimiter: createDeviceLimiter(config.deviceAttestationsPerMinute),
    unvouched: createUnvouchedDevices(store, {
      perMinute: config.unvouchedDevicesPerMinute,
      most: config.unvouchedDevicesMost,
    }),
    sharedKeys: createSharedKeys(),
    spentNonces: createMemory(MAX_SPENT_NONCES),
    logBudget,
    issuers,
    relays: azure.relays,
    keySets: azure.keySets,
    issuerDirectory,
    verifierStates: azure.states,
    verifier: builtInVerifier(keys, {
      ...{ config, trust: await trustNow(), trustNow, issuerDirectory, rules, store, clock },
    }),
    verifyBreakGlass: await prepareBreakGlass(config, { log, clock }),
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

function builtInVerifier(
  keys: KeyServices,
  input: {
    readonly config: Config
    readonly trust: AikTrust
    readonly trustNow: () => Promise<AikTrust>
    readonly issuerDirectory: IssuerDirectory
    readonly rules: RulesReader
    readonly store: Store
    readonly clock: () => Date
  },
): Services['verifier'] {
  const { config, trust, trustNow, issuerDirectory, rules, store, clock } = input
  return {
    config: {
      issuer: config.publicUrl,
      trust,
      legacyUnboundRequestKey: config.legacyUnboundRequestKey,
      challengeLifetimeMs: config.challengeTtlSeconds * 1000,
      tokenLifetimeMs: BUILT_IN_TOKEN_LIFETIME_MS,
    },
    keys: async () => ({
      serviceContext: keys.sealing.serviceContext,
      tokenSigning: await keys.tokenSigningKey(),
    }),
    published: keys.publishedCertificates,
    async trustInForce() {
      const { referenceValues } = await rules.recent()
      const inForce = trustUnder(await trustNow(), referenceValues, clock())
      return issuerDirectory.supply(inForce)
    },
    spendContext: createContextSpender({
      store,
      limiter: createDeviceLimiter(config.deviceAttestationsPerMinute),
      clock,
    }),
  }
}
