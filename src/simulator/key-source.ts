import {
  createPrivateKey,
  generateKeyPair,
  generatePrime,
  type JsonWebKeyInput,
  type KeyObject,
} from 'node:crypto'
import { promisify } from 'node:util'
import { toBase64Url } from '../base/encoding.ts'

/** Where virtual devices get their RSA-2048 private keys from. No key is handed out twice. */
export type KeySource = () => Promise<KeyObject>

const generateRsa = promisify(generateKeyPair)
export const PUBLIC_EXPONENT = 65537n
const PRIME_BITS = 1024

/** Independent keys, each generated for itself: some 20 a second on one core. */
export function independentKeys(): KeySource {
  return async () => (await generateRsa('rsa', { modulusLength: 2048 })).privateKey
}

/**
 * Distinct keys that share primes: `m` primes give `m (m - 1) / 2` moduli, so ten thousand devices
 * need 142 primes and seconds instead of minutes. To a verifier they cost what real keys cost.
 *
 * They protect nothing, since two moduli with a common prime factor each other: for load only.
 */
export function primeSharingKeys(): KeySource {
  const primes: bigint[] = []
  let partner = 0
  let queue: Promise<unknown> = Promise.resolve()
  const takeNext = async (): Promise<KeyObject> => {
    while (primes.length < 2 || partner === primes.length - 1) {
      primes.push(await generateRsaPrime(primes))
      partner = 0
    }
    const [p, q] = [primes[partner++], primes.at(-1)]
    if (p === undefined || q === undefined) throw new TypeError('no primes')
    return assembleRsaKey(p, q)
  }
  return () => {
    const key = queue.then(takeNext)
    queue = key.catch(() => undefined)
    return key
  }
}

async function generateRsaPrime(taken: readonly bigint[]): Promise<bigint> {
  for (;;) {
    const prime = await new Promise<bigint>((resolve, reject) => {
      generatePrime(PRIME_BITS, { bigint: true }, (error, value) =>
        error ? reject(error) : resolve(value),
      )
    })
    if (prime % PUBLIC_EXPONENT !== 1n && !taken.includes(prime)) return prime
  }
}

/** RFC 8017 §3.2: the private key with its CRT values, as a JWK (RFC 7518 §6.3.2). */
export function assembleRsaKey(p: bigint, q: bigint): KeyObject {
  const values = {
    n: p * q,
    e: PUBLIC_EXPONENT,
    d: invert(PUBLIC_EXPONENT, (p - 1n) * (q - 1n)),
    p,
    q,
    dp: invert(PUBLIC_EXPONENT, p - 1n),
    dq: invert(PUBLIC_EXPONENT, q - 1n),
    qi: invert(q, p),
  }
  const members = Object.entries(values).map(([name, value]) => [name, toUintText(value)])
  const key: JsonWebKeyInput = {
    key: { kty: 'RSA', ...Object.fromEntries(members) },
    format: 'jwk',
  }
  return createPrivateKey(key)
}

/** The inverse of `value` modulo `modulus`, by the extended Euclidean algorithm. */
export function invert(value: bigint, modulus: bigint): bigint {
  let [r, nextR] = [modulus, value % modulus]
  let [t, nextT] = [0n, 1n]
  while (nextR !== 0n) {
    const quotient = r / nextR
    ;[r, nextR] = [nextR, r - quotient * nextR]
    ;[t, nextT] = [nextT, t - quotient * nextT]
  }
  return t < 0n ? t + modulus : t
}

function toUintText(value: bigint): string {
  const hex = value.toString(16)
  return toBase64Url(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
}
