import { constants, createPublicKey, publicEncrypt } from 'node:crypto'
import { DIGEST_BYTES, digest, type HashAlgorithm } from '../../base/digest.ts'
import { fromBase64Url } from '../../base/encoding.ts'

/**
 * RSAES-OAEP-ENCRYPT with MGF1 of the same hash (RFC 8017 §7.1.1). `seed` is fresh randomness of the
 * size of the hash: libraries make their own, and nothing here has chance of its own.
 */
export function encryptOaep(input: {
  readonly key: JsonWebKey
  readonly hash: HashAlgorithm
  /** As it goes into the hash: the caller adds what ends it. */
  readonly label: Uint8Array
  readonly message: Uint8Array
  readonly seed: Uint8Array
}): Uint8Array {
  const { key, hash, label, message, seed } = input
  const size = DIGEST_BYTES[hash]
  const modulus = fromBase64Url(key.n ?? '')
  if (modulus === undefined) throw new TypeError('an RSA key has a modulus')
  if (seed.length !== size) throw new TypeError('the seed has the size of the hash')
  const padding = modulus.length - message.length - 2 * size - 2
  if (padding < 0) throw new TypeError('the message is too long for the key')
  const one = Uint8Array.of(1)
  const block = Buffer.concat([digest(hash, label), new Uint8Array(padding), one, message])
  const maskedBlock = xor(block, mgf1(hash, seed, block.length))
  const maskedSeed = xor(seed, mgf1(hash, maskedBlock, size))
  const encoded = Buffer.concat([Uint8Array.of(0), maskedSeed, maskedBlock])
  const publicKey = createPublicKey({ key: { ...key }, format: 'jwk' })
  return publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, encoded)
}

/** RFC 8017 §B.2.1 */
function mgf1(hash: HashAlgorithm, seed: Uint8Array, length: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(length / DIGEST_BYTES[hash]) }, (_, at) => {
    const counter = new Uint8Array(4)
    new DataView(counter.buffer).setUint32(0, at)
    return digest(hash, seed, counter)
  })
  return Buffer.concat(blocks).subarray(0, length)
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((octet, at) => octet ^ (b[at] ?? 0))
}
