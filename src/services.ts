import { importJWK, type JSONWebKeySet } from 'jose'
import { createDeviceLimiter, type DeviceLimiter } from './access/device-limiter.ts'
import {
  type DeviceTokenClaims,
  type DeviceTokenFailure,
  issueDeviceToken,
  verifyDeviceToken,
} from './access/device-token.ts'
import { type DecisionFacts, issueReceipt } from './access/receipt.ts'
import type { Verdict } from './access/trust-record.ts'
import { parseReferenceValues } from './appraisal/reference-values.ts'
import { connectProviders } from './azure/providers.ts'
import type { AzureRelay } from './azure/relay.ts'
import { BUILT_IN } from './azure/settings.ts'
import type { Config } from './config.ts'
import { equalBytes } from './digest.ts'
import { toBase32 } from './encoding.ts'
import type { TokenIssuer } from './evidence/attestation-token.ts'
import { importKeySet } from './evidence/key-set.ts'
import { type Certificate, parsePemBundle } from './evidence/x509/certificate.ts'
import type { Result } from './failure.ts'
import { type ClientDirectory, createClientDirectory } from './keys/client-directory.ts'
import type { MasterSecret } from './keys/master-secret.ts'
import { derivePurposeKey } from './keys/sealing.ts'
import { loadSigningKeys, type SigningKeys } from './keys/signing-keys.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { BASELINE_POLICY } from './policy/baseline.ts'
import { compilePolicy } from './policy/compile.ts'
import { createRandomSource } from './random.ts'
import { createRulesInForce, type RulesInForce } from './rules.ts'
import { listSimulatorReferenceValues } from './simulator/virtual-enclave.ts'
import type { Json } from './store/json.ts'
import type { Store } from './store/store.ts'
import { createTokenIssuers, type TokenIssuers } from './token-issuers.ts'
import type { AikTrust } from './verifier/attestation-key.ts'
import { BUILT_IN_POLICY_HASH } from './verifier/built-in-policy.ts'
import type { PublishedCertificate } from './verifier/metadata.ts'
import type { VerifierConfig, VerifierKeys } from './verifier/verifier.ts'

/** Everything that handlers work with. Made once; only this file knows what stands behind each. */
export type Services = {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly store: Store
  readonly clock: () => Date
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  readonly rules: RulesInForce
  readonly clients: ClientDirectory
  /** Attempts that are recorded, and refused attempts that are kept, each by device. */
  readonly limiter: DeviceLimiter
  readonly refusalLimiter: DeviceLimiter
  readonly secrets: { readonly nonce: Uint8Array }
  readonly issuers: TokenIssuers
  /** By URL, one for each Azure provider among the configured verifiers. */
  readonly relays: ReadonlyMap<string, AzureRelay>
  /** Whether each configured verifier answers, by its name there. */
  readonly verifierStates: () => Readonly<Record<string, boolean>>
  readonly verifier: {
    readonly config: VerifierConfig
    readonly keys: VerifierKeys
    readonly published: readonly PublishedCertificate[]
  }
  readonly deviceTokenKeys: JSONWebKeySet
  readonly issueDeviceToken: (claims: DeviceTokenClaims) => Promise<string>
  readonly verifyDeviceToken: (
    token: string,
  ) => Promise<Result<{ readonly deviceId: string }, DeviceTokenFailure>>
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
}

const BUILT_IN_TOKEN_LIFETIME_MS = 8 * 3600 * 1000

export async function createServices(input: ServicesInput): Promise<Services> {
  const { config, log, store, masterSecret, clock } = input
  const now = clock()
  const issuer = config.publicUrl
  const keys = await loadSigningKeys({ store, masterSecret, issuer, now })
  const trust = readTrustAnchors(config.akTrustAnchors)
  const verifiesHere = config.verifiers.includes(BUILT_IN)
  const isHardwareProven = !verifiesHere || trust.anchors.length > 0
  await ensureDocuments(store, isHardwareProven, now)
  if (!isHardwareProven) {
    log.warn('hardware_unproven', {
      consequence: 'any attestation key is accepted and simulated devices can become trusted',
      remedy: 'set AK_TRUST_ANCHORS or AK_TRUST_ANCHORS_FILE',
    })
  }
  const rules = createRulesInForce(store, clock)
  const azure = connectProviders(config, clock)
  const countOfDevices = () => countDevices(store, clock())
  const random = createRandomSource()
  const tokens = await deviceTokens(keys, { issuer, clock, now })
  return {
    config,
    log,
    metrics: createMetrics({ countDevices: countOfDevices, verifiers: azure.states }),
    store,
    clock,
    random,
    rules,
    clients: createClientDirectory(store, clock),
    limiter: createDeviceLimiter(config.deviceAttestationsPerMinute),
    refusalLimiter: createDeviceLimiter(config.deviceAttestationsPerMinute),
    secrets: { nonce: derivePurposeKey(masterSecret, 'challenge nonce') },
    issuers: createTokenIssuers({
      builtIn: verifiesHere ? await builtInIssuer(keys, issuer, now) : undefined,
      ...azure,
      rules,
      clock,
    }),
    relays: azure.relays,
    verifierStates: azure.states,
    verifier: builtInVerifier(keys, { config, trust, masterSecret, now }),
    ...tokens,
    publishedKeys: {
      keys: [...tokens.deviceTokenKeys.keys, ...keys.publishedKeySet('receipt', now).keys],
    },
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

/** Certificates that are their own issuer are anchors, the others help to reach them. */
function readTrustAnchors(pem: string | undefined): AikTrust {
  if (pem === undefined) return { anchors: [], intermediates: [] }
  const bundle = parsePemBundle(pem)
  if (!bundle.ok) throw new Error(`AK_TRUST_ANCHORS: ${bundle.failure.reason}`)
  const isAnchor = ({ issuer, subject }: Certificate) => equalBytes(issuer, subject)
  const anchors = bundle.value.filter(isAnchor)
  if (anchors.length === 0) throw new Error('AK_TRUST_ANCHORS: holds no self-signed certificate')
  return { anchors, intermediates: bundle.value.filter((one) => !isAnchor(one)) }
}

/**
 * On a first start a policy and reference values come into force. Where hardware is unproven anyway,
 * the simulator's enclave is among the reference values, so that the service can be tried out.
 */
async function ensureDocuments(store: Store, isHardwareProven: boolean, now: Date): Promise<void> {
  const author = 'countersign'
  const reason = 'first start'
  const policy = compilePolicy(BASELINE_POLICY)
  const values = isHardwareProven ? { name: 'empty', enclaves: [] } : listSimulatorReferenceValues()
  const references = parseReferenceValues(values)
  if (!policy.ok || !references.ok) throw new TypeError('a built-in document does not compile')
  const documents = [
    { kind: 'policy', hash: policy.value.hash, body: policy.value.document },
    { kind: 'reference-values', hash: references.value.hash, body: references.value.document },
  ] as const
  for (const { kind, hash, body } of documents) {
    await store.ensureActiveDocument({ kind, hash, body: body as Json, author, reason, now })
  }
}

async function builtInIssuer(keys: SigningKeys, issuer: string, now: Date): Promise<TokenIssuer> {
  const set = await importKeySet(keys.publishedKeySet('attestation', now))
  if (!set.ok) throw new Error(`our own key set cannot be used: ${set.failure.reason}`)
  return { issuer, keys: set.value, policyHashes: [BUILT_IN_POLICY_HASH] }
}

function builtInVerifier(
  keys: SigningKeys,
  input: {
    readonly config: Config
    readonly trust: AikTrust
    readonly masterSecret: MasterSecret
    readonly now: Date
  },
): Services['verifier'] {
  const { config, trust, masterSecret, now } = input
  const { kid, certificate, privateKey } = keys.signingKey('attestation', now)
  if (certificate === null) throw new TypeError('an attestation key has a certificate')
  return {
    config: {
      issuer: config.publicUrl,
      trust,
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
