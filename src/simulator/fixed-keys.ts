import { checkPrimeSync, createHmac, createPrivateKey, type KeyObject } from 'node:crypto'
import { digest } from '../base/digest.ts'
import { toBase64Url } from '../base/encoding.ts'
import { fixedBytes } from './chance.ts'
import { assembleRsaKey, invert, PUBLIC_EXPONENT } from './key-source.ts'
import { toBytes, toNumber } from './rsa-pss.ts'

/*
 * Keys and signatures that are the same each time, so that what they make can be compared byte for
 * byte. Everybody can make them: they protect nothing, and no service may ever have one.
 */

const PRIME_BYTES = 128

/** They take a tenth of a second each, so that they are made once. */
const made = new Map<string, KeyObject>()

/** The RSA-2048 key of this label: its primes are the first after what the label gives. */
export function fixedRsaKey(label: string): KeyObject {
  const key = made.get(label) ?? assembleRsaKey(fixedPrime(`${label} p`), fixedPrime(`${label} q`))
  made.set(label, key)
  return key
}

function fixedPrime(label: string): bigint {
  const start = fixedBytes(label)(PRIME_BYTES)
  // The two highest bits make the modulus as long as both primes together.
  start[0] = (start[0] ?? 0) | 0xc0
  start[PRIME_BYTES - 1] = (start[PRIME_BYTES - 1] ?? 0) | 1
  for (let candidate = toNumber(start); ; candidate += 2n) {
    if (candidate % PUBLIC_EXPONENT !== 1n && checkPrimeSync(candidate)) return candidate
  }
}

/** The private key with its members in one order: runtimes have orders of their own. */
export function privateJwk(key: KeyObject): JsonWebKey {
  const jwk = key.export({ format: 'jwk' }) as JsonWebKey
  const { kty, crv, x, y, n, e, d, p, q, dp, dq, qi } = jwk
  return kty === 'RSA'
    ? ({ kty, n, e, d, p, q, dp, dq, qi } as JsonWebKey)
    : ({ kty, crv, x, y, d } as JsonWebKey)
}

/** NIST P-256. SP 800-186 §3.2.1.3 */
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const A = P - 3n
const G: Point = {
  x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
}
const SCALAR_BYTES = 32

type Point = { readonly x: bigint; readonly y: bigint }

/** The key on NIST P-256 of this label. */
export function fixedEcKey(label: string): KeyObject {
  return ecKeyOf((toNumber(fixedBytes(label)(SCALAR_BYTES)) % (N - 1n)) + 1n)
}

/** The key on NIST P-256 with this private number. */
export function ecKeyOf(d: bigint): KeyObject {
  const { x, y } = multiply(d)
  const text = (value: bigint) => toBase64Url(toBytes(value, SCALAR_BYTES))
  const jwk = { kty: 'EC', crv: 'P-256', x: text(x), y: text(y), d: text(d) }
  return createPrivateKey({ key: jwk, format: 'jwk' })
}

/** ECDSA with SHA-256 on P-256, `r || s`, with the number of RFC 6979 §3.2 in place of chance. */
export function signEcdsa(key: KeyObject, message: Uint8Array): Uint8Array<ArrayBuffer> {
  const { d: text = '' } = key.export({ format: 'jwk' })
  const d = toNumber(Buffer.from(text, 'base64url'))
  const hash = digest('sha256', message)
  for (const k of listNonces(d, hash)) {
    const r = multiply(k).x % N
    const s = (invert(k, N) * (toNumber(hash) + r * d)) % N
    if (r === 0n || s === 0n) continue
    return new Uint8Array(Buffer.concat([toBytes(r, SCALAR_BYTES), toBytes(s, SCALAR_BYTES)]))
  }
  throw new Error('unreachable: there is always another number')
}

/** RFC 6979 §3.2: hash and curve have the same length, so bits2int cuts nothing. */
function* listNonces(d: bigint, hash: Uint8Array): Generator<bigint> {
  const seed = Buffer.concat([toBytes(d, SCALAR_BYTES), toBytes(toNumber(hash) % N, SCALAR_BYTES)])
  let key: Uint8Array = new Uint8Array(32)
  let value: Uint8Array = new Uint8Array(32).fill(1)
  const step = (...more: readonly Uint8Array[]) => {
    key = hmac(key, value, ...more)
    value = hmac(key, value)
  }
  step(Uint8Array.of(0), seed)
  step(Uint8Array.of(1), seed)
  for (;;) {
    value = hmac(key, value)
    const k = toNumber(value)
    if (k > 0n && k < N) yield k
    step(Uint8Array.of(0))
  }
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return createHmac('sha256', key).update(Buffer.concat(parts)).digest()
}

/** The base point so many times. */
function multiply(times: bigint): Point {
  let sum: Point | undefined
  let power: Point = G
  for (let rest = times; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = sum === undefined ? power : add(sum, power)
    power = add(power, power)
  }
  if (sum === undefined) throw new TypeError('a private key is not zero')
  return sum
}

/** SEC 1 §2.2.1. Two points that add up to infinity do not come up below the order of the curve. */
function add(a: Point, b: Point): Point {
  const slope =
    a.x === b.x
      ? (3n * a.x * a.x + A) * invert(2n * a.y, P)
      : (b.y - a.y) * invert(modulo(b.x - a.x), P)
  const x = modulo(slope * slope - a.x - b.x)
  return { x, y: modulo(slope * (a.x - x) - a.y) }
}

function modulo(value: bigint): bigint {
  return ((value % P) + P) % P
}
