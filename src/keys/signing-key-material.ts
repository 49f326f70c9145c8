import { createPrivateKey, sign } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { digest } from '../base/digest.ts'
import { fromBase64, toBase64, toBase64Url } from '../base/encoding.ts'
import { IS_NODE } from '../base/runtime.ts'
import type { SigningKeyUse } from '../store/schema/schema.ts'
import type { StoredSigningKey } from '../store/system/stored-signing-keys.ts'
import { seal, unseal } from './sealing.ts'
import { createSelfSignedCertificate } from './self-signed-certificate.ts'

export type SigningAlgorithm = 'RS256' | 'ES256'

const ALGORITHMS: Readonly<Record<SigningKeyUse, SigningAlgorithm>> = {
  // Azure Attestation's tokens know no other.
  attestation: 'RS256',
  'device-token': 'ES256',
  receipt: 'ES256',
  enrolment: 'ES256',
}

const PARAMETERS = {
  RS256: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
  },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
} as const

/** The parts of a public JWK that make the key; the rest is said when it is published. */
type PublicJwk = { readonly [member in 'kty' | 'n' | 'e' | 'crv' | 'x' | 'y']?: string }

/** Makes a key of a use, its private half sealed with `sealingKey`, ready to be stored. */
export async function createSigningKey(input: {
  readonly use: SigningKeyUse
  readonly generation: number
  /** Common name of the certificate, for the use that has one. */
  readonly issuer: string
  readonly sealingKey: Uint8Array
  readonly now: Date
}): Promise<StoredSigningKey> {
  const { use, generation, issuer, sealingKey, now } = input
  const algorithm = ALGORITHMS[use]
  const keys = await crypto.subtle.generateKey(PARAMETERS[algorithm], true, ['sign', 'verify'])
  const publicJwk = publicPartOf(await crypto.subtle.exportKey('jwk', keys.publicKey))
  const serial = crypto.getRandomValues(new Uint8Array(16))
  const certificate = await certify(use, { commonName: issuer, keys, serial, now })
  const kid =
    certificate === null
      ? await calculateJwkThumbprint(publicJwk as JWK, 'sha256')
      : toBase64Url(digest('sha1', certificate))
  const plaintext = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  const sealed = seal({ key: sealingKey, plaintext, context: contextOf({ use, kid }) })
  return {
    kid,
    use,
    generation,
    algorithm,
    publicJwk,
    certificate: certificate && toBase64(certificate),
    sealedPrivateKey: toBase64(sealed),
    createdAt: now,
    retiresAt: null,
  }
}

/** Uses whose keys are known by a certificate: to clients of Azure, and as a certificate authority. */
async function certify(
  use: SigningKeyUse,
  input: Omit<Parameters<typeof createSelfSignedCertificate>[0], 'authority'>,
): Promise<Uint8Array | null> {
  if (use === 'attestation') return createSelfSignedCertificate({ ...input, authority: false })
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

/** Opens the private half; `undefined` if `sealingKey` is another. */
export async function openPrivateKey(
  key: StoredSigningKey,
  sealingKey: Uint8Array,
): Promise<PrivateKey | undefined> {
  const sealed = fromBase64(key.sealedPrivateKey)
  if (sealed === undefined) return undefined
  const pkcs8 = unseal({ key: sealingKey, sealed, context: contextOf(key) })
  if (pkcs8 === undefined) return undefined
  const algorithm = ALGORITHMS[key.use]
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
  // On the key itself, because around it the option costs a third of the signature.
  Object.assign(key, { dsaEncoding: 'ieee-p1363' })
  return (message) => sign('sha256', message, key)
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
