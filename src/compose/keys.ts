import { createSecretKey } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import { signCompactJws } from '../access/compact-jws.ts'
import { ringOf } from '../access/device-id.ts'
import {
  type DeviceTokenClaims,
  type DeviceTokenFailure,
  issueDeviceToken,
  type VerifiedDeviceToken,
  verifyDeviceToken,
} from '../access/device-token.ts'
import { EAR_TYPE, type EarClaims } from '../access/ear/ear.ts'
import {
  type AuthzenConfiguration,
  type SignedConfiguration,
  signConfiguration,
} from '../access/metadata.ts'
import { type DecisionFacts, type IssuedReceipt, issueReceipt } from '../access/receipt/receipt.ts'
import { type StatusListToSign, signStatusList } from '../access/status-list/list-token.ts'
import { indexOfPlace } from '../access/status-list/shuffle.ts'
import { fromBase64, toBase32 } from '../base/encoding.ts'
import type { Log } from '../base/log.ts'
import type { Result } from '../base/result.ts'
import { type IssuerKey, importKeySet } from '../evidence/jws/key-set.ts'
import type { TokenIssuer } from '../evidence/token/attestation-token.ts'
import { type Certificate, parseCertificate } from '../evidence/x509/certificate.ts'
import { type KeyRing, openKeyRing, signingSealingKeys } from '../keys/key-ring.ts'
import type { MasterSecrets } from '../keys/master-secret.ts'
import { derivePurposeKeys, type PurposeKeys } from '../keys/sealing.ts'
import type { SigningKey, SigningKeys } from '../keys/signing-keys.ts'
import { loadStoredSecret, type StoredSecretName } from '../keys/stored-secret.ts'
import { streamHeaderKeys } from '../keys/stream-header.ts'
import { EVENT_TOKEN_TYPE } from '../signals/security-event-token.ts'
import type { SealedSecrets } from '../store/system/sealed-secrets.ts'
import type { StoredSigningKeys } from '../store/system/stored-signing-keys.ts'
import { BUILT_IN_POLICY_HASH } from '../verifier/built-in-policy.ts'
import type { PublishedCertificate } from '../verifier/protocol/metadata.ts'
import type { TokenSigningKey } from '../verifier/steps/issue-token.ts'
import { type AccessTokenServices, accessTokens } from './access-tokens.ts'
import { type EvaluationServices, externalEvaluations } from './external-evaluations.ts'
import { type IdTokenServices, idTokens } from './id-tokens.ts'
import {
  type FirstKeyMaking,
  importPublicKey,
  type Maybe,
  makeKeyOnce,
  onceEach,
  type Shared,
  signerOf,
  verifyingKeys,
} from './key-use.ts'

/** What callers and identity providers are given tokens and answers with. */
type TokenKeyServices = AccessTokenServices & IdTokenServices & EvaluationServices

/**
 * What is made and read with our own keys. All of it follows the key ring: a key that was rotated or
 * retired by another process counts here as it does there.
 */
export type KeyServices = TokenKeyServices & {
  readonly keyRing: KeyRing
  /** Each list: the first seals, all open. */
  readonly sealing: {
    readonly signingKey: PurposeKeys
    readonly nonce: PurposeKeys
    readonly serviceContext: PurposeKeys
    readonly ticket: PurposeKeys
    readonly streamHeader: PurposeKeys
    readonly searchPage: PurposeKeys
    readonly signInTicket: PurposeKeys
    readonly signInCode: PurposeKeys
    readonly dpopNonce: PurposeKeys
  }
  /** The ring of a device by what names it: the same in all processes, and known to nobody else. */
  readonly ringOf: (identity: Uint8Array) => number
  /** The index in the list of statuses of a place: the same in all processes. */
  readonly statusIndexOf: (place: number) => number
  readonly issueDeviceToken: (claims: DeviceTokenClaims) => Promise<string>
  /** By the key that device tokens are signed with: who can verify one can verify the other. */
  readonly signStatusList: (list: StatusListToSign) => Promise<string>
  readonly verifyDeviceToken: VerifyDeviceToken
  /** The same by the keys that are at hand: what has to answer without a store asks this. */
  readonly verifyDeviceTokenOffline: VerifyDeviceToken
  /** By the key that receipts are signed with, and of another type. */
  readonly signAttestationResult: (claims: EarClaims) => Promise<string>
  /** Signs what a decision came to, under a fresh id. */
  readonly issueReceipt: (facts: DecisionFacts) => Promise<IssuedReceipt>
  /** What a relying party reads of this decision point, with our signature over it. */
  readonly signMetadata: (configuration: AuthzenConfiguration) => Promise<SignedConfiguration>
  /** Signs the claims of a security event (RFC 8417). Throws where no stream was ever made. */
  readonly signEvent: (claims: object) => Promise<string>
  /** Makes the first key for security events, if there is none. */
  readonly makeEventKey: () => Promise<void>
  /** What others verify device tokens, receipts, security events and access tokens with: `/.well-known/jwks.json`. */
  readonly publishedKeys: () => Promise<JSONWebKeySet>
  /** What others verify the built-in verifier's tokens with: `/certs`. */
  readonly publishedCertificates: () => Promise<readonly PublishedCertificate[]>
  /** The key that the built-in verifier signs a token with now. */
  readonly tokenSigningKey: () => Promise<TokenSigningKey>
  /** Our own verifier as an issuer of tokens, with the key that a token names if it is one of ours. */
  readonly builtInIssuer: (kid: string | undefined) => Promise<TokenIssuer>
  /** The key that certifies enrolled keys now. */
  readonly enrolmentAuthority: () => Promise<SigningKey>
  /** A certificate for each key of that authority that may have signed one that counts. */
  readonly enrolmentAuthorities: () => Promise<readonly Certificate[]>
}

type VerifyDeviceToken = (token: string) => Promise<Result<VerifiedDeviceToken, DeviceTokenFailure>>

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
      searchPage: derivePurposeKeys(secrets, 'search page'),
      signInTicket: derivePurposeKeys(secrets, 'sign-in ticket'),
      signInCode: derivePurposeKeys(secrets, 'sign-in code'),
      dpopNonce: derivePurposeKeys(secrets, 'nonce for proofs of callers'),
    },
    ringOf: (identity) => ringOf(identity, ringSecret),
    statusIndexOf: (place) => indexOfPlace(place, listSecret),
    ...deviceTokens(keyRing, input),
    ...attestationTokens(keyRing, input),
    issueReceipt: receiptIssuer(keyRing, input),
    async signAttestationResult(claims) {
      const key = (await keyRing.current()).signingKey('receipt', clock())
      return signCompactJws(claims, { typ: EAR_TYPE, signer: signerOf(key) })
    },
    signMetadata: metadataSigner(keyRing, input),
    ...securityEvents(keyRing, input),
    ...accessTokens(keyRing, input),
    ...idTokens(keyRing, input),
    ...externalEvaluations(keyRing, input),
    ...enrolment(keyRing, input),
  }
}

function deviceTokens(
  keyRing: KeyRing,
  { issuer, clock }: Shared,
): Pick<
  KeyServices,
  | 'issueDeviceToken'
  | 'signStatusList'
  | 'verifyDeviceToken'
  | 'verifyDeviceTokenOffline'
  | 'publishedKeys'
> {
  const imported = onceEach(importPublicKey)
  const verifyWith = (find: (kid: string) => Maybe<SigningKey>): VerifyDeviceToken => {
    const keyOf = verifyingKeys(find, imported)
    return (token) => verifyDeviceToken(token, { issuer, keyOf, now: clock() })
  }
  return {
    async issueDeviceToken(claims: DeviceTokenClaims) {
      const key = (await keyRing.current()).signingKey('device-token', clock())
      return issueDeviceToken(claims, { issuer, signer: signerOf(key) })
    },
    async signStatusList(list) {
      const key = (await keyRing.current()).signingKey('device-token', clock())
      return signStatusList(list, { issuer, signer: signerOf(key) })
    },
    verifyDeviceToken: verifyWith((kid) => keyRing.keyOf('device-token', kid)),
    verifyDeviceTokenOffline: verifyWith((kid) =>
      keyRing.latest().acceptedKey('device-token', kid, clock()),
    ),
    async publishedKeys() {
      const keys = await keyRing.current()
      const published = PUBLISHED_USES.flatMap((use) => keys.publishedKeySet(use, clock()).keys)
      return { keys: published }
    },
  }
}

/** Whose signatures others verify by `/.well-known/jwks.json`. */
const PUBLISHED_USES = ['device-token', 'receipt', 'security-event', 'access-token'] as const

/** Its own key, so that nothing that is signed here can be taken for a device token. */
function receiptIssuer(
  keyRing: KeyRing,
  { issuer, clock, random }: Shared,
): KeyServices['issueReceipt'] {
  return async (facts) => {
    const key = (await keyRing.current()).signingKey('receipt', clock())
    const jti = `rcp_${toBase32(random(16))}`
    const receipt = await issueReceipt(facts, { issuer, signer: signerOf(key), jti })
    return { receipt, receiptId: jti }
  }
}

function securityEvents(
  keyRing: KeyRing,
  input: Shared & FirstKeyMaking,
): Pick<KeyServices, 'signEvent' | 'makeEventKey'> {
  const { clock } = input
  const use = 'security-event'
  return {
    async signEvent(claims) {
      const key = (await keyRing.current()).signingKey(use, clock())
      return signCompactJws(claims, { alg: 'RS256', typ: EVENT_TOKEN_TYPE, signer: signerOf(key) })
    },
    makeEventKey: () => makeKeyOnce(keyRing, input, use),
  }
}

/**
 * With the keys of receipts: both are what a decision point says to relying parties, verified with the
 * set that these have anyway, and told apart by their `typ`. A use of keys of its own would be one that
 * processes of the version before cannot open.
 */
function metadataSigner(keyRing: KeyRing, { issuer, clock }: Shared): KeyServices['signMetadata'] {
  const signed = new WeakMap<SigningKey, SignedConfiguration>()
  return async (configuration) => {
    const key = (await keyRing.current()).signingKey('receipt', clock())
    // Anybody may ask for it, and it says the same until the key changes.
    const known = signed.get(key)
    if (known !== undefined) return known
    const made = await signConfiguration(configuration, { issuer, signer: signerOf(key) })
    signed.set(key, made)
    return made
  }
}

function attestationTokens(
  keyRing: KeyRing,
  { issuer, clock }: Shared,
): Pick<KeyServices, 'publishedCertificates' | 'tokenSigningKey' | 'builtInIssuer'> {
  const issuerKeyOf = onceEach(importIssuerKey)
  const accepted = (keys: SigningKeys) => keys.acceptedKeys('attestation', clock())
  return {
    async publishedCertificates() {
      return accepted(await keyRing.current()).map(publishCertificate)
    },
    async tokenSigningKey() {
      const key = (await keyRing.current()).signingKey('attestation', clock())
      return { ...publishCertificate(key), privateKey: key.privateKey.cryptoKey }
    },
    async builtInIssuer(kid: string | undefined): Promise<TokenIssuer> {
      if (kid !== undefined) await keyRing.keyOf('attestation', kid)
      const keys = new Map<string, IssuerKey>()
      for (const key of accepted(await keyRing.current())) keys.set(key.kid, await issuerKeyOf(key))
      return {
        issuer,
        keys: { keys, ignored: [] },
        attestationPolicyHashes: [BUILT_IN_POLICY_HASH],
      }
    },
  }
}

function publishCertificate({ kid, certificate }: SigningKey): PublishedCertificate {
  if (certificate === null) throw new TypeError('an attestation key has a certificate')
  return { kid, x5c: [certificate] }
}

/** By the way that others go who read our key set. */
async function importIssuerKey(key: SigningKey): Promise<IssuerKey> {
  const set = await importKeySet({ keys: [{ ...publishCertificate(key), kty: 'RSA' }] })
  const imported = set.ok ? set.value.keys.get(key.kid) : undefined
  if (imported === undefined) throw new Error('our own attestation key cannot be used')
  return imported
}

function enrolment(
  keyRing: KeyRing,
  { clock }: Shared,
): Pick<KeyServices, 'enrolmentAuthority' | 'enrolmentAuthorities'> {
  const parsed = new WeakMap<SigningKey, Certificate>()
  const certificateOf = (key: SigningKey): Certificate => {
    const known = parsed.get(key)
    if (known !== undefined) return known
    const certificate = parseCertificate(fromBase64(key.certificate ?? '') ?? new Uint8Array())
    if (!certificate.ok) throw new Error('our own enrolment certificate cannot be read')
    parsed.set(key, certificate.value)
    return certificate.value
  }
  return {
    async enrolmentAuthority() {
      return (await keyRing.current()).signingKey('enrolment', clock())
    },
    async enrolmentAuthorities() {
      return (await keyRing.current()).acceptedKeys('enrolment', clock()).map(certificateOf)
    },
  }
}
