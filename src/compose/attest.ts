import type { connectProviders } from '../azure/providers.ts'
import { BUILT_IN } from '../azure/settings.ts'
import type { Log } from '../base/log.ts'
import type { LogBudget } from '../base/log-budget.ts'
import type { Config } from '../config/config.ts'
import { readTrustAnchors } from '../config/trust-anchors.ts'
import { fingerprintOf } from '../evidence/x509/fingerprint.ts'
import type { AnsweringDependencies } from '../operations/attest/answer-message.ts'
import { createDeviceLimiter, type DeviceLimiter } from '../operations/attest/device-limiter.ts'
import type { EnrolmentServices } from '../operations/attest/enrolment-services.ts'
import { createReportExaminer, type ReportExaminer } from '../operations/attest/examine-report.ts'
import {
  createIssuerDirectory,
  type IssuerDirectory,
} from '../operations/attest/issuer-directory.ts'
import { createMemory, type Memory } from '../operations/attest/memory.ts'
import { createSharedKeys, type SharedKeys } from '../operations/attest/shared-keys.ts'
import { createContextSpender } from '../operations/attest/spend-context.ts'
import { createTokenIssuers, type TokenIssuers } from '../operations/attest/token-issuers.ts'
import { trustUnder } from '../operations/attest/trust-in-force.ts'
import {
  createUnvouchedDevices,
  type UnvouchedDevices,
} from '../operations/attest/unvouched-devices.ts'
import { BUILT_IN_TOKEN_LIFETIME_MS } from '../operations/keys/key-lifetimes.ts'
import type { RulesReader } from '../operations/release/rules-in-force.ts'
import type { Store } from '../store/store.ts'
import type { AikTrust } from '../verifier/kinds/tpm/attestation-key.ts'
import type { PublishedCertificate } from '../verifier/protocol/metadata.ts'
import { developerMode } from './developer-mode.ts'
import type { KeyServices } from './keys.ts'

/** What attestation and enrolment work with, besides what all use cases share. */
export type AttestServices = {
  /** Whose tokens are believed. */
  readonly issuers: TokenIssuers
  /** Whether the tokens of a provider are believed that it gave this process. */
  readonly reports: ReportExaminer
  /** What a TPM enrols its keys with. */
  readonly enrolment: EnrolmentServices
  /** Attempts that are recorded, and refused attempts that are kept, each by device. */
  readonly limiter: DeviceLimiter
  readonly refusalLimiter: DeviceLimiter
  /** Who may become a new row although nobody vouches for its hardware. */
  readonly unvouched: UnvouchedDevices
  readonly sharedKeys: SharedKeys
  /** Nonces that attestations used up, by the proofs that came with them: `receiveSubmission`. */
  readonly spentNonces: { readonly recorded: Memory; readonly refused: Memory }
  /** How often one recorded submission is answered again. */
  readonly repeatLimiter: DeviceLimiter
  /** Certificates of authorities, for attestation keys that come without them. */
  readonly issuerDirectory: IssuerDirectory
  readonly verifier: AnsweringDependencies['verifier'] & {
    readonly published: () => Promise<readonly PublishedCertificate[]>
  }
}

type AttestInput = {
  readonly config: Config
  readonly keys: KeyServices
  readonly azure: ReturnType<typeof connectProviders>
  readonly rules: RulesReader
  readonly store: Store
  readonly log: Log
  readonly logBudget: LogBudget
  readonly clock: () => Date
  readonly random: (length: number) => Uint8Array
  /** Tells processes apart that work on one database. */
  readonly processId: string
  readonly isDeveloperMode: boolean
}

const MAX_SPENT_NONCES = 50_000

/** Puts together what attestation works with. */
export async function createAttestServices(input: AttestInput): Promise<AttestServices> {
  const { config, keys, azure, rules, store, log, logBudget, clock, processId } = input
  const perMinute = config.deviceAttestationsPerMinute
  const limiter = createDeviceLimiter(perMinute)
  const places = config.aiaPlaces
  const issuerDirectory = createIssuerDirectory({ store, places, clock, log, logBudget })
  const builtIn = config.verifiers.includes(BUILT_IN) ? keys.builtInIssuer : undefined
  const issuers = createTokenIssuers({ builtIn, ...azure, rules, clock })
  const enrolment = enrolmentServices(input, { limiter, issuerDirectory })
  return {
    issuers,
    reports: createReportExaminer({ issuers, store, config, log, clock, reporter: processId }),
    enrolment,
    limiter,
    refusalLimiter: createDeviceLimiter(perMinute),
    unvouched: createUnvouchedDevices(store, {
      perMinute: config.unvouchedDevicesPerMinute,
      most: config.unvouchedDevicesMost,
    }),
    sharedKeys: createSharedKeys(),
    spentNonces: {
      recorded: createMemory(MAX_SPENT_NONCES),
      refused: createMemory(MAX_SPENT_NONCES),
    },
    repeatLimiter: createDeviceLimiter(perMinute),
    issuerDirectory,
    verifier: await builtInVerifier(input, { enrolment, issuerDirectory }),
  }
}

function enrolmentServices(
  { config, keys, store, clock, random }: AttestInput,
  shared: { readonly limiter: DeviceLimiter; readonly issuerDirectory: IssuerDirectory },
): EnrolmentServices {
  const { limiter, issuerDirectory } = shared
  const ekTrust = readTrustAnchors(config.ekTrustAnchors)
  return {
    ...{ config, store, clock, random, limiter, ekTrust },
    ringOf: keys.ringOf,
    ticketKeys: keys.sealing.ticket,
    enrolmentAuthority: keys.enrolmentAuthority,
    findIssuers: issuerDirectory.forRequest,
    ekAnchors: new Map(ekTrust.anchors.map((anchor) => [fingerprintOf(anchor), anchor])),
    ekKinds: config.ekKeyTypes,
  }
}

async function builtInVerifier(
  { config, keys, rules, store, clock, isDeveloperMode }: AttestInput,
  shared: { readonly enrolment: EnrolmentServices; readonly issuerDirectory: IssuerDirectory },
): Promise<AttestServices['verifier']> {
  const { enrolment, issuerDirectory } = shared
  const akTrust = readTrustAnchors(config.akTrustAnchors, config.akCertificatePurpose)
  const trustNow = async (): Promise<AikTrust> => {
    const authorities = await keys.enrolmentAuthorities()
    return { ...akTrust, enrolment: { authorities, ekAnchors: enrolment.ekAnchors } }
  }
  return {
    config: {
      issuer: config.publicUrl,
      trust: await trustNow(),
      legacyUnboundRequestKey: config.legacyUnboundRequestKey,
      challengeLifetimeMs: config.challengeTtlSeconds * 1000,
      tokenLifetimeMs: BUILT_IN_TOKEN_LIFETIME_MS,
    },
    developer: isDeveloperMode ? developerMode(rules) : undefined,
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
    nonceSecrets: config.deviceKey === 'cnf' ? undefined : keys.sealing.nonce,
    spendContext: createContextSpender({
      store,
      limiter: createDeviceLimiter(config.deviceAttestationsPerMinute),
      clock,
    }),
  }
}
