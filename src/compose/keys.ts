import { createSecretKey } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import { ringOf } from '../access/device-id.ts'
import { indexOfPlace } from '../access/status-list/shuffle.ts'
import type { Log } from '../base/log.ts'
import { type KeyRing, openKeyRing, signingSealingKeys } from '../keys/key-ring.ts'
import type { MasterSecrets } from '../keys/master-secret.ts'
import { derivePurposeKeys, type PurposeKeys } from '../keys/sealing.ts'
import { loadStoredSecret, type StoredSecretName } from '../keys/stored-secret.ts'
import { streamHeaderKeys } from '../keys/stream-header.ts'
import { webhookKeys } from '../keys/webhook-secrets.ts'
import type { SealedSecrets } from '../store/system/sealed-secrets.ts'
import type { StoredSigningKeys } from '../store/system/stored-signing-keys.ts'
import { type AccessTokenServices, accessTokens } from './access-tokens.ts'
import { type AttestationTokenServices, attestationTokens } from './attestation-tokens.ts'
import { auditCheckpoints, type CheckpointServices } from './audit-checkpoints.ts'
import { type DecisionSignatures, decisionSignatures } from './decision-signatures.ts'
import { type DeviceTokenServices, deviceTokens } from './device-tokens.ts'
import { type EnrolmentServices, enrolmentCertificates } from './enrolment-certificates.ts'
import { type EvaluationServices, externalEvaluations } from './external-evaluations.ts'
import { type IdTokenServices, idTokens } from './id-tokens.ts'
import { type SecurityEventServices, securityEvents } from './security-events.ts'

/** What agents, relying parties, callers and identity providers are given that our keys sign. */
type SignedServices = DeviceTokenServices &
  AttestationTokenServices &
  EnrolmentServices &
  DecisionSignatures &
  SecurityEventServices &
  AccessTokenServices &
  IdTokenServices &
  EvaluationServices &
  CheckpointServices

/**
 * What is made and read with our own keys. All of it follows the key ring: a key that was rotated or
 * retired by another process counts here as it does there.
 */
export type KeyServices = SignedServices & {
  readonly keyRing: KeyRing
  /** Each list: the first seals, all open. */
  readonly sealing: {
    readonly signingKey: PurposeKeys
    readonly nonce: PurposeKeys
    readonly serviceContext: PurposeKeys
    readonly ticket: PurposeKeys
    readonly streamHeader: PurposeKeys
    readonly webhook: PurposeKeys
    readonly searchPage: PurposeKeys
    readonly signInTicket: PurposeKeys
    readonly signInCode: PurposeKeys
    readonly dpopNonce: PurposeKeys
    readonly consoleSession: PurposeKeys
    readonly consoleSignIn: PurposeKeys
    readonly consoleLink: PurposeKeys
  }
  /** The ring of a device by what names it: the same in all processes, and known to nobody else. */
  readonly ringOf: (identity: Uint8Array) => number
  /** The index in the list of statuses of a place: the same in all processes. */
  readonly statusIndexOf: (place: number) => number
  /** What others verify device tokens, receipts, security events and access tokens with: `/.well-known/jwks.json`. */
  readonly publishedKeys: () => Promise<JSONWebKeySet>
}

/** What one-time links to the console are sealed with, by the service and by a command on its machine. */
export function consoleLinkKeys(secrets: MasterSecrets): PurposeKeys {
  return derivePurposeKeys(secrets, 'console link')
}

/** Whose signatures others verify by `/.well-known/jwks.json`. */
const PUBLISHED_USES = ['device-token', 'receipt', 'security-event', 'access-token'] as const

/** Opens our keys, making what is missing. Throws `MasterSecretMismatchError`. */
export async function createKeyServices(input: {
  readonly store: StoredSigningKeys & SealedSecrets
  readonly secrets: MasterSecrets
  /** Our URL. */
  readonly issuer: string
  readonly log: Log
  readonly clock: () => Date
  readonly random: (length: number) => Uint8Array
}): Promise<KeyServices> {
  const { store, secrets, clock, log } = input
  if (secrets.length > 1) {
    log.warn('previous_secret_key_accepted', {
      consequence: 'who has the previous SECRET_KEY can still make nonces and tickets',
      remedy: 'unset SECRET_KEY_PREVIOUS an hour after the last process was started with it',
    })
  }
  const keyRing = await openKeyRing(input)
  const secretOf = async (name: StoredSecretName) => {
    return createSecretKey(await loadStoredSecret(name, { store, secrets, now: clock() }))
  }
  const ringSecret = await secretOf('rollout ring')
  const listSecret = await secretOf('status list')
  return {
    keyRing,
    sealing: {
      signingKey: signingSealingKeys(secrets),
      nonce: derivePurposeKeys(secrets, 'challenge nonce'),
      serviceContext: derivePurposeKeys(secrets, 'service context'),
      ticket: derivePurposeKeys(secrets, 'enrolment ticket'),
      streamHeader: streamHeaderKeys(secrets),
      webhook: webhookKeys(secrets),
      searchPage: derivePurposeKeys(secrets, 'search page'),
      signInTicket: derivePurposeKeys(secrets, 'sign-in ticket'),
      signInCode: derivePurposeKeys(secrets, 'sign-in code'),
      dpopNonce: derivePurposeKeys(secrets, 'nonce for proofs of callers'),
      consoleSession: derivePurposeKeys(secrets, 'console session'),
      consoleSignIn: derivePurposeKeys(secrets, 'console sign-in'),
      consoleLink: consoleLinkKeys(secrets),
    },
    ringOf: (identity) => ringOf(identity, ringSecret),
    statusIndexOf: (place) => indexOfPlace(place, listSecret),
    ...deviceTokens(keyRing, input),
    ...attestationTokens(keyRing, input),
    ...decisionSignatures(keyRing, input),
    ...securityEvents(keyRing, input),
    ...accessTokens(keyRing, input),
    ...idTokens(keyRing, input),
    ...externalEvaluations(keyRing, input),
    ...auditCheckpoints(keyRing, input),
    ...enrolmentCertificates(keyRing, input),
    async publishedKeys() {
      const keys = await keyRing.current()
      const published = PUBLISHED_USES.flatMap((use) => keys.publishedKeySet(use, clock()).keys)
      return { keys: published }
    },
  }
}
