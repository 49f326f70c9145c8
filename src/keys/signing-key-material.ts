import { createPrivateKey, sign } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { digest } from '../base/digest.ts'
import { fromBase64, toBase64, toBase64Url } from '../base/encoding.ts'
import { IS_NODE } from '../base/runtime.ts'
import type { SigningKeyUse } from '../store/schema/system-schema.ts'
import type { NewSigningKey, StoredSigningKey } from '../store/system/stored-signing-keys.ts'
import { type PurposeKeys, seal, unseal } from './sealing.ts'
import { createSelfSignedCertificate } from './self-signed-certificate.ts'

export type SigningAlgorithm = 'RS256' | 'ES256' | 'EdDSA'

const ALGORITHMS: Readonly<Record<SigningKeyUse, SigningAlgorithm>> = {
  // Azure Attestation's tokens know no other.
  attestation: 'RS256',
  'device-token': 'ES256',
  receipt: 'ES256',
  enrolment: 'ES256',
  // CAEP interoperability profile 1.0 §2.6, with 2048 bits or more.
  'security-event': 'RS256',
  'access-token': 'ES256',
  // Entra takes no other of an external authentication method.
  'sign-in': 'RS256',
  // Cloudflare Access knows no other.
  'external-evaluation': 'RS256',
  // C2SP tlog-checkpoint, by Ed25519 (RFC 8037 §3.1).
  'audit-log': 'EdDSA',
}

const PARAMETERS = {
  RS256: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
  },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
} as const

/** The parts of a public JWK that make the key; the rest is said when it is published. */
type PublicJwk = { readonly [member in 'kty' | 'n' | 'e' | 'crv' | 'x' | 'y']?: string }

export type SigningKeyInput = {
  readonly use: SigningKeyUse
  /** Common name of the certificate, for the uses that have one. */
  readonly issuer: string
  readonly sealingKeys: PurposeKeys
  readonly signsFrom: Date
  readonly now: Date
}

/** Makes a key of a use, its private half sealed with the first of `sealingKeys`, ready to be stored. */
export async function createSigningKey(input: SigningKeyInput): Promise<NewSigningKey> {
  const parameters = PARAMETERS[ALGORITHMS[input.use]]
  const keys = await crypto.subtle.generateKey(parameters, true, ['sign', 'verify'])
  if (!('privateKey' in keys)) throw new TypeError('a key pair was to be made')
  const serial = crypto.getRandomValues(new Uint8Array(16))
  return sealSigningKey({ ...input, keys, serial })
}

/** The same of a key pair that is there, which fits the use. `serial`: 16 bytes, for its certificate. */
export async function sealSigningKey(
  input: SigningKeyInput & { readonly keys: CryptoKeyPair; readonly serial: Uint8Array },
): Promise<NewSigningKey> {
  const { use, issuer, sealingKeys, signsFrom, now, keys, serial } = input
  const algorithm = ALGORITHMS[use]
  const publicJwk = publicPartOf(await crypto.subtle.exportKey('jwk', keys.publicKey))
  const certificate = await certify(use, { commonName: issuer, keys, serial, now })
  const kid = await keyIdOf(publicJwk, certificate)
  const plaintext = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  const sealed = seal({ key: sealingKeys[0], plaintext, context: contextOf({ use, kid }) })
  return {
    kid,
    use,
    algorithm,
    publicJwk,
    certificate: certificate && toBase64(certificate),
    sealedPrivateKey: toBase64(sealed),
    createdAt: now,
    signsFrom,
  }
}

/**
 * RFC 7638 thumbprint of a bare key; of one with a certificate the SHA-1 of that, as `x5t` (RFC 7517
 * §4.8). Either way it names the public half.
 */
async function keyIdOf(publicJwk: PublicJwk, certificate: Uint8Array | null): Promise<string> {
  return certificate === null
    ? await calculateJwkThumbprint(publicJwk as JWK, 'sha256')
    : toBase64Url(digest('sha1', certificate))
}

/** Uses whose keys are known by a certificate: to clients of Azure, and as a certificate authority. */
async function certify(
  use: SigningKeyUse,
  input: Omit<Parameters<typeof createSelfSignedCertificate>[0], 'authority'>,
): Promise<Uint8Array | null> {
  if (use === 'attestation' || use === 'sign-in') {
    return createSelfSignedCertificate({ ...input, authority: false })
  }
  if (use !== 'enrolment') return null
  const commonName = `${input.commonName} enrolment`
  return createSelfSignedCertificate({ ...input, commonName, authority: true })
}

/** A private half that was opened. */
export type PrivateKey = {
  /** Not to be taken out again. */
  readonly cryptoKey: CryptoKey
  /** The signature of the key's algorithm as JWS has it (RFC 7518 §3.3, §3.4). */
  readonly sign: (message: Uint8Array) => Uint8Array | Promise<Uint8Array>
}

/** A private half that was opened, and what it was sealed with. */
export type OpenedKey = {
  readonly privateKey: PrivateKey
  /** The same sealed anew, if not the first of the keys had sealed it. */
  readonly resealed: string | undefined
}

/**
 * Opens the private half. `undefined` if none of the keys sealed it, or if it was sealed for another
 * public half than the row has: what is published is what we made.
 */
export async function openPrivateKey(
  key: StoredSigningKey,
  sealingKeys: PurposeKeys,
): Promise<OpenedKey | undefined> {
  const certificate = key.certificate === null ? null : fromBase64(key.certificate)
  const sealed = fromBase64(key.sealedPrivateKey ?? '')
  if (sealed === undefined || certificate === undefined) return undefined
  if ((await keyIdOf(publicPartOf(Object(key.publicJwk)), certificate)) !== key.kid)
    return undefined
  const context = contextOf(key)
  for (const sealingKey of sealingKeys) {
    const plaintext = unseal({ key: sealingKey, sealed, context })
    if (plaintext === undefined) continue
    const [current] = sealingKeys
    const isCurrent = sealingKey === current
    const resealed = isCurrent ? undefined : toBase64(seal({ key: current, plaintext, context }))
    return { privateKey: await importPrivateKey(key.use, plaintext), resealed }
  }
  return undefined
}

async function importPrivateKey(use: SigningKeyUse, pkcs8: Uint8Array): Promise<PrivateKey> {
  const algorithm = ALGORITHMS[use]
  const der = new Uint8Array(pkcs8)
  const parameters = PARAMETERS[algorithm]
  const cryptoKey = await crypto.subtle.importKey('pkcs8', der, parameters, false, ['sign'])
  // An RSA signature takes long enough to be worth the way to another thread; one of P-256 does not.
  return algorithm === 'ES256' && IS_NODE
    ? { cryptoKey, sign: signAtOnce(pkcs8) }
    : { cryptoKey, sign: signByWebCrypto(cryptoKey) }
}

function signAtOnce(pkcs8: Uint8Array): PrivateKey['sign'] {
  const der = Buffer.from(pkcs8)
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  // In DER, because having Node write r and s instead costs a third of the signature.
  return (message) => readEcdsaSignature(sign('sha256', message, key))
}

/** r and s of P-256, 32 bytes each (RFC 7518 §3.4), out of an ECDSA-Sig-Value (RFC 3279 §2.2.3). */
export function readEcdsaSignature(der: Uint8Array): Uint8Array {
  const raw = new Uint8Array(64)
  // Of 72 bytes at the most, so that each length is a single byte.
  let at = 2
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0
    // An integer has a sign: a zero may go before it, and zeros that it begins with are left out.
    const integer = der.subarray(at + 2 + Math.max(0, length - 32), at + 2 + length)
    raw.set(integer, end - integer.length)
    at += 2 + length
  }
  return raw
}

function signByWebCrypto(key: CryptoKey): PrivateKey['sign'] {
  const scheme = { name: key.algorithm.name, hash: 'SHA-256' }
  return async (message) => {
    return new Uint8Array(await crypto.subtle.sign(scheme, key, new Uint8Array(message)))
  }
}

/** A sealed key moved to another row does not open there. */
function contextOf({ use, kid }: { use: SigningKeyUse; kid: string }): string {
  return `signing key ${use} ${kid}`
}

function publicPartOf({ kty, n, e, crv, x, y }: JsonWebKey): PublicJwk {
  const members = Object.entries({ kty, n, e, crv, x, y })
  return Object.fromEntries(members.filter(([, value]) => value !== undefined))
}
